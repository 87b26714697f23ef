// Package dockerfile finds the images that a Dockerfile builds on, and changes
// them in place: every other byte stays as it is.
//
// It reads what https://docs.docker.com/reference/dockerfile/ says of FROM, of
// ARG before the first FROM, and of what must not be taken for these: comments,
// continued lines, here-documents.
package dockerfile

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Base is an image that stages are built on, as the file names it.
type Base struct {
	Image      string // as it is written: "python:3.12-slim@sha256:…"
	Arg        string // the ARG whose default it is; "" of a FROM
	Line       int    // from 1
	start, end int    // of Image, in bytes
	above      int    // where the line begins that the instruction begins on
}

// IsName reports whether a file of this path is a Dockerfile by its name:
// Dockerfile, Dockerfile.dev, dev.Dockerfile, and the same with Containerfile.
func IsName(file string) bool {
	name := strings.ToLower(path.Base(file))
	for _, word := range []string{"dockerfile", "containerfile"} {
		if name == word || strings.HasPrefix(name, word+".") && !strings.HasSuffix(name, ".dockerignore") || strings.HasSuffix(name, "."+word) {
			return true
		}
	}
	return false
}

// Bases lists the images that a Dockerfile's stages are built on, in its order,
// each place once. What is put together of variables is left out: only a build
// knows what it is.
func Bases(data []byte) []Base {
	p := parser{data: data, escape: escapeOf(data), args: map[string]Base{}, stages: map[string]bool{"scratch": true}}
	for more := true; more && len(p.found) < mostBases; {
		more = p.next()
	}
	return p.found
}

// Bounds of what is read of a file that anybody may have written.
const (
	mostBases   = 200
	mostEndless = 20 // here-documents without an end: each is looked for up to the file's
)

// parser goes through a file, one instruction after the other.
type parser struct {
	data   []byte
	escape byte
	at     int // offset
	line   int // of at, from 0

	args   map[string]Base // before the first FROM, by name, those with a plain default
	stages map[string]bool // names that are no images
	built  bool            // a FROM has come
	found  []Base

	endless int // here-documents without an end so far
}

var directive = regexp.MustCompile(`(?i)^#[ \t]*([a-z0-9]+)[ \t]*=[ \t]*(.+?)[ \t]*\r?$`)

// escapeOf reads the parser directives at the head of the file.
func escapeOf(data []byte) byte {
	for line := range bytes.SplitSeq(trimMark(data), []byte("\n")) {
		parts := directive.FindSubmatch(line)
		if parts == nil {
			break
		}
		if strings.EqualFold(string(parts[1]), "escape") && string(parts[2]) == "`" {
			return '`'
		}
	}
	return '\\'
}

// trimMark leaves out a byte order mark.
func trimMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// word is a word of an instruction and where it is.
type word struct {
	text             string
	start, end, line int
}

// physical returns the line at the parser's place and moves behind it.
func (p *parser) physical() (start, end int) {
	start = p.at
	if n := bytes.IndexByte(p.data[p.at:], '\n'); n >= 0 {
		end, p.at = start+n, start+n+1
	} else {
		end, p.at = len(p.data), len(p.data)
	}
	p.line++
	return start, end
}

// next reads one instruction, or what is none. It returns false at the end.
func (p *parser) next() bool {
	if p.at == 0 {
		p.at = len(p.data) - len(trimMark(p.data))
	}
	if p.at >= len(p.data) {
		return false
	}
	above, first := p.at, true
	var words []word
	for p.at < len(p.data) {
		line := p.line
		start, end := p.physical()
		text := bytes.TrimSpace(p.data[start:end])
		if len(text) == 0 || text[0] == '#' {
			if first {
				return true
			}
			continue // within an instruction, these are left out
		}
		first = false
		continued := text[len(text)-1] == p.escape
		if continued {
			end = start + bytes.LastIndexByte(p.data[start:end], p.escape)
		}
		words = append(words, wordsOf(p.data, start, end, line)...)
		if !continued {
			break
		}
	}
	p.instruction(words, above)
	return true
}

// wordsOf splits a part of a line at its blanks.
func wordsOf(data []byte, start, end, line int) (words []word) {
	for at := start; at < end; {
		for at < end && isBlank(data[at]) {
			at++
		}
		from := at
		for at < end && !isBlank(data[at]) {
			at++
		}
		if at > from {
			words = append(words, word{string(data[from:at]), from, at, line + 1})
		}
	}
	return words
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\v' || b == '\f' }

func (p *parser) instruction(words []word, above int) {
	if len(words) < 2 {
		return
	}
	switch args := words[1:]; strings.ToUpper(words[0].text) {
	case "ARG":
		if !p.built {
			p.arg(args, above)
		}
	case "FROM":
		p.from(args, above)
	case "RUN", "COPY", "ADD":
		p.heredocs(args)
	}
}

// arg notes the defaults of arguments that a FROM may name.
func (p *parser) arg(words []word, above int) {
	for _, w := range words {
		name, value, has := strings.Cut(w.text, "=")
		delete(p.args, name)
		if !has {
			continue
		}
		start, end := w.start+len(name)+1, w.end
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			start, end, value = start+1, end-1, value[1:n-1]
		}
		if isPlain(value) {
			p.args[name] = Base{Image: value, Arg: name, Line: w.line, start: start, end: end, above: above}
		}
	}
}

// isPlain reports whether a value is what it says, without variables, quotes
// and escapes.
func isPlain(value string) bool { return value != "" && !strings.ContainsAny(value, "$\"'`\\") }

var variable = regexp.MustCompile(`^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))$`)

// from notes what a stage is built on.
func (p *parser) from(words []word, above int) {
	p.built = true
	for len(words) > 0 && strings.HasPrefix(words[0].text, "--") {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	image := words[0]
	if parts := variable.FindStringSubmatch(image.text); parts != nil {
		if base, known := p.args[parts[1]+parts[2]]; known && !p.stages[strings.ToLower(base.Image)] {
			p.note(base)
		}
	} else if isPlain(image.text) && !p.stages[strings.ToLower(image.text)] {
		p.note(Base{Image: image.text, Line: image.line, start: image.start, end: image.end, above: above})
	}
	if len(words) == 3 && strings.EqualFold(words[1].text, "AS") {
		p.stages[strings.ToLower(words[2].text)] = true
	}
}

func (p *parser) note(base Base) {
	if !slices.ContainsFunc(p.found, func(b Base) bool { return b.start == base.start }) {
		p.found = append(p.found, base)
	}
}

var heredoc = regexp.MustCompile(`^\d*<<(-?)(["']?)([^<"'\s]+)(["']?)`)

// heredocs moves behind the here-documents of an instruction. One without an
// end is none.
func (p *parser) heredocs(words []word) {
	for _, w := range words {
		parts := heredoc.FindStringSubmatch(w.text)
		if parts == nil || p.endless == mostEndless {
			continue
		}
		at, line := p.at, p.line
		ended := false
		for p.at < len(p.data) && !ended {
			start, end := p.physical()
			text := strings.TrimSuffix(string(p.data[start:end]), "\r")
			if parts[1] == "-" {
				text = strings.TrimLeft(text, "\t")
			}
			ended = text == parts[3]
		}
		if !ended {
			p.at, p.line, p.endless = at, line, p.endless+1
		}
	}
}

// Change is another image for a Base.
type Change struct {
	Base  Base
	Image string
}

// Apply returns the file with other images. The bases are those that Bases has
// found in the same bytes.
func Apply(data []byte, changes []Change) []byte {
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b Change) int { return a.Base.start - b.Base.start })
	var out bytes.Buffer
	at := 0
	for _, c := range changes {
		out.Write(data[at:c.Base.start])
		out.WriteString(c.Image)
		at = c.Base.end
	}
	out.Write(data[at:])
	return out.Bytes()
}
