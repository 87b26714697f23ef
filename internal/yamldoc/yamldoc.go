// Package yamldoc reads a YAML file that somebody else wrote: within bounds,
// strictly, and with errors that name the line.
//
// It returns yaml.v3 nodes, so that scalars keep the text that stands in the
// file (an unquoted 18.10 is "18.10", not 18.1).
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of a document. They are far above what any real deployment has.
const (
	MaxSize     = 1 << 20   // bytes of a file
	maxDepth    = 32        // nesting of collections
	maxNodes    = 100_000   // keys and values, aliases followed
	maxSearched = 128 << 10 // bytes of a file in which a syntax error's line is searched
	maxText     = 500       // bytes of a message that are printed
)

// Error is a fault at a line of a file that the user can mend.
type Error struct {
	Path string
	Line int // 1-based; 0 when the fault is the file as a whole
	Msg  string
	Hint string // what to do next; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + abridge(e.Msg))
	if e.Hint != "" {
		b.WriteString("\n  " + abridge(e.Hint))
	}
	return b.String()
}

// abridge keeps a file from filling an issue or a log by one huge key.
func abridge(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// Document is a parsed file. Root is its top node with every alias replaced
// by what it stands for and every merge key (<<) applied; it is nil when the
// file holds nothing but comments.
type Document struct {
	Path  string
	Root  *yaml.Node
	Lines []string // the file's lines without their ends; Lines[0] is line 1
}

// Errorf returns an *Error at node's line of the document.
func (d *Document) Errorf(node *yaml.Node, format string, args ...any) *Error {
	return &Error{Path: d.Path, Line: node.Line, Msg: fmt.Sprintf(format, args...)}
}

// ReadFile reads a regular file of at most MaxSize bytes. Errors about its
// kind or size are *Error; a missing file satisfies errors.Is(fs.ErrNotExist).
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Path: path, Msg: "is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := checkSize(path, data); err != nil {
		return nil, err
	}
	return data, nil
}

// Parse parses data, which path names in errors. Every error is an *Error.
func Parse(path string, data []byte) (*Document, error) {
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if err := checkSize(path, data); err != nil {
		return nil, err
	}
	if err := checkText(path, data); err != nil {
		return nil, err
	}
	doc := &Document{Path: path, Lines: strings.Split(string(data), "\n")}
	documents, err := decode(data)
	switch {
	case err != nil:
		return nil, syntaxError(path, data, err)
	case len(documents) > 1:
		return nil, doc.Errorf(documents[1], "a second YAML document; one file holds one")
	case len(documents) == 0 || len(documents[0].Content) == 0:
		return doc, nil
	}
	root, err := (&expander{doc: doc, aliases: map[*yaml.Node]bool{}}).expand(documents[0].Content[0], 0)
	if err != nil {
		return nil, err
	}
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return doc, nil
	}
	doc.Root = root
	return doc, nil
}

// decode returns the first YAML document of data and, when there is one, the
// second.
func decode(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var documents []*yaml.Node
	for len(documents) < 2 {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, &node)
	}
	return documents, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError moves the line out of the parser's text into the Error. The
// parser often names the line before, the line where the faulty block begins,
// or none, so the line is searched for: the last one of the shortest piece of
// the file that has the same fault.
func syntaxError(path string, data []byte, err error) error {
	named, msg := splitLine(err)
	lines := bytes.SplitAfter(bytes.TrimRight(data, "\n"), []byte("\n"))
	line := min(max(named, 1), len(lines))
	if len(data) <= maxSearched {
		line = 1 + sort.Search(len(lines)-1, func(i int) bool {
			_, err := decode(bytes.Join(lines[:i+1], nil))
			if err == nil {
				return false
			}
			_, m := splitLine(err)
			return m == msg
		})
	}
	return &Error{Path: path, Line: line, Msg: "is not YAML: " + msg}
}

func splitLine(err error) (line int, msg string) {
	parts := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if parts == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(parts[1])
	return line, parts[2]
}
