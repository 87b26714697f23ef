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

// unwrap takes a compose file's "${ODOO_IMAGE:-REFERENCE}" apart.
func unwrap(text string) (before, reference, after string) {
	if parts := fallback.FindStringSubmatch(text); parts != nil {
		return parts[1], parts[2], "}"
	}
	return "", text, ""
}

var fallback = regexp.MustCompile(`^(\$\{[A-Za-z_][A-Za-z0-9_]*:?-)([^${}]+)\}$`)
