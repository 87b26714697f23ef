package deploy

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// lines finds where the lines of a YAML file begin. YAML has more line breaks
// than "\n", and columns count characters.
type lines struct {
	data   []byte
	starts []int
}

func newLines(data []byte) *lines {
	l := &lines{data: data, starts: []int{0}}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		i += size
		switch r {
		case '\r':
			if i < len(data) && data[i] == '\n' {
				i++
			}
			l.starts = append(l.starts, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			l.starts = append(l.starts, i)
		}
	}
	return l
}

// span is where a scalar's text stands, quotes included.
type span struct {
	start, end int
	quote      string // "" of a plain scalar
}

// edit puts another text in the place of a scalar. A plain one is quoted when
// YAML would no longer take it for text.
func (s span) edit(text string) edit {
	quote := s.quote
	if quote == "" && (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag() != "!!str" {
		quote = `"`
	}
	return edit{s.start, s.end, quote + text + quote}
}

// properties are what may stand between a value's begin and its text.
var properties = regexp.MustCompile(`^(?:[&!][^\s,\[\]{}]*[ \t]+)+`)

// span finds a scalar's text. It is not found when the text is not written as
// it is meant: folded, with escapes, or not at all.
func (l *lines) span(node *yaml.Node) (span, bool) {
	if node.Line < 1 || node.Line > len(l.starts) {
		return span{}, false
	}
	at := l.starts[node.Line-1]
	if at == 0 && bytes.HasPrefix(l.data, []byte("\ufeff")) {
		at += len("\ufeff")
	}
	for range node.Column - 1 {
		_, size := utf8.DecodeRune(l.data[at:])
		at += size
	}
	rest := l.data[at:]
	skip := len(properties.Find(rest))
	at, rest = at+skip, rest[skip:]
	s := span{start: at}
	switch {
	case node.Style&yaml.DoubleQuotedStyle != 0:
		s.quote = `"`
	case node.Style&yaml.SingleQuotedStyle != 0:
		s.quote = "'"
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || node.Value == "" || node.ShortTag() == "!!null":
		return s, false
	}
	text := s.quote + node.Value + s.quote
	s.end = at + len(text)
	return s, strings.HasPrefix(string(rest[:min(len(rest), len(text))]), text)
}

// block is where the lines of a block of text stand in a file.
type block struct {
	within []int // where each line begins in the text
	at     []int // and in the file, behind its indentation
}

// block finds the lines of a literal scalar. It is not found unless each stands
// in the file as it is meant.
func (l *lines) block(node *yaml.Node) (block, bool) {
	var b block
	offset, indent := 0, -1
	for i, line := range strings.SplitAfter(strings.TrimRight(node.Value, "\n"), "\n") {
		if node.Line+i >= len(l.starts) {
			return b, false
		}
		start := l.starts[node.Line+i]
		raw := string(l.data[start:])
		if text := strings.TrimRight(line, "\n"); text != "" {
			if indent < 0 {
				if indent = strings.Index(raw, text); indent < 0 || strings.Trim(raw[:indent], " ") != "" {
					return b, false
				}
			}
			if len(raw) < indent || !strings.HasPrefix(raw[indent:], text) {
				return b, false
			}
			start += indent
		}
		b.within, b.at = append(b.within, offset), append(b.at, start)
		offset += len(line)
	}
	return b, true
}

// lift makes a site in the text one in the file.
func (b block) lift(s site) site {
	inner := s.edits
	s.edits = func(to Image) []edit {
		edits := inner(to)
		for i, e := range edits {
			line := 0
			for line+1 < len(b.within) && b.within[line+1] <= e.start {
				line++
			}
			shift := b.at[line] - b.within[line]
			edits[i] = edit{e.start + shift, e.end + shift, e.text}
		}
		return edits
	}
	return s
}

// unwrap takes a compose file's "${ODOO_IMAGE:-REFERENCE}" apart.
func unwrap(text string) (before, reference, after string) {
	if parts := fallback.FindStringSubmatch(text); parts != nil {
		return parts[1], parts[2], "}"
	}
	return "", text, ""
}

var fallback = regexp.MustCompile(`^(\$\{[A-Za-z_][A-Za-z0-9_]*:?-)([^${}]+)\}$`)
