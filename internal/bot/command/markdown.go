package command

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
)

var (
	// candidate is the start of a line that may be a command. A comment without
	// one need not be understood.
	candidate = regexp.MustCompile(`(?m)^/\pL`)
	// nested is the start of a line that nobody writes: quotes and lists in one
	// another, whose understanding takes time that grows with the square.
	nested = regexp.MustCompile(`(?m)^(?:[ \t]*(?:>|[-+*]|\d{1,9}[.)])){50}`)
)

// reader reads Markdown as forges do, but for links: nothing is to be made of
// them, and their understanding, too, can take long.
func reader() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(append(parser.DefaultBlockParsers(), util.Prioritized(extension.NewFootnoteBlockParser(), 999))...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(), util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewRawHTMLParser(), 400),
			util.Prioritized(extension.NewStrikethroughParser(), 500),
			util.Prioritized(parser.NewEmphasisParser(), 500),
		),
	)
}

// spoken returns the lines of a Markdown text that are the author's own words
// to the reader and begin at the margin: those of paragraphs that are in no
// list, quote or table, and neither code nor inside HTML that shows something
// else than text, or nothing. In doubt a line is left out: nobody is hurt by a
// command that must be said again.
func spoken(body string) []string {
	source := []byte(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body))
	if !candidate.Match(source) || nested.Match(source) {
		return nil
	}
	s := &listener{source: source, open: map[string]int{}}
	document := reader().Parse(text.NewReader(source))
	for block := document.FirstChild(); block != nil; block = block.NextSibling() {
		s.block(block)
	}
	return s.lines
}

// listener walks over a document in its order.
type listener struct {
	source  []byte
	lines   []string
	open    map[string]int // elements of HTML that hide, by name
	comment bool           // one of HTML is open

	read   int  // up to where link has read the paragraph
	inLink bool // a link's target or title was begun before that
}

// block takes one block of the document's own.
func (s *listener) block(block ast.Node) {
	switch b := block.(type) {
	case *ast.HTMLBlock:
		if n := b.Lines().Len(); n > 0 {
			from, to := b.Lines().At(0).Start, b.Lines().At(n-1).Stop
			if b.HasClosure() {
				to = b.ClosureLine.Stop
			}
			s.html(from, s.source[from:to])
		}
	case *ast.Paragraph, *ast.Heading:
		lines := block.Lines()
		if lines.Len() == 0 {
			return
		}
		s.read, s.inLink = lines.At(0).Start, false
		if bytes.Contains(s.source[s.read:lines.At(lines.Len()-1).Stop], []byte("$$")) {
			return // mathematics, as some forges have it
		}
		for inline := block.FirstChild(); inline != nil; inline = inline.NextSibling() {
			switch in := inline.(type) {
			case *ast.RawHTML:
				for i := range in.Segments.Len() {
					part := in.Segments.At(i)
					s.html(part.Start, part.Value(s.source))
				}
			case *ast.Text:
				if !s.link(in.Segment.Start) {
					s.text(in.Segment.Start)
				}
			}
		}
	}
}

// link reports whether an offset of the paragraph may be in a link's target or
// title, which nobody sees.
func (s *listener) link(at int) bool {
	for ; s.read < at; s.read++ {
		switch {
		case s.source[s.read] == ')':
			s.inLink = false
		case s.source[s.read] == '(' && s.read > 0 && s.source[s.read-1] == ']':
			s.inLink = true
		}
	}
	return s.inLink
}

// text takes text that begins at an offset: a line, if it begins one.
func (s *listener) text(at int) {
	if s.hidden() || at > 0 && s.source[at-1] != '\n' {
		return
	}
	line, _, _ := bytes.Cut(s.source[at:], []byte("\n"))
	s.lines = append(s.lines, strings.TrimRight(string(line), " \t"))
}

func (s *listener) hidden() bool { return s.comment || len(s.open) > 0 }

// html takes HTML that begins at an offset: a block, or a tag in a paragraph.
func (s *listener) html(at int, part []byte) {
	if s.comment {
		end := bytes.Index(part, []byte("-->"))
		if end < 0 {
			return
		}
		s.comment = false
		at, part = at+end+len("-->"), part[end+len("-->"):]
	}
	tokens := html.NewTokenizer(bytes.NewReader(part))
	for {
		kind := tokens.Next()
		raw := tokens.Raw()
		switch kind {
		case html.ErrorToken:
			// The end; a tag that was begun and has none hides what follows.
			if len(raw) > 0 {
				s.open[""]++
			}
			return
		case html.CommentToken:
			s.comment = bytes.HasPrefix(raw, []byte("<!--")) && !bytes.HasSuffix(raw, []byte("->"))
		case html.TextToken:
			for i := range raw {
				if i == 0 || raw[i-1] == '\n' {
					s.text(at + i)
				}
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attributes := tokens.TagName()
			s.begin(string(name), attributes, tokens)
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if s.open[string(name)]--; s.open[string(name)] <= 0 {
				delete(s.open, string(name))
			}
		}
		at += len(raw)
	}
}

// begin notes an element, unless what it has inside is shown as it is.
func (s *listener) begin(name string, attributes bool, tokens *html.Tokenizer) {
	hides := !shown(name)
	for attributes && !hides {
		var key []byte
		key, _, attributes = tokens.TagAttr()
		hides = string(key) == "hidden"
	}
	if hides {
		s.open[name]++
	}
}

// shown reports whether an element shows the text in it as what it is, or has
// none.
func shown(name string) bool {
	switch name {
	case "a", "b", "big", "center", "details", "div", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6",
		"i", "ins", "p", "small", "span", "strong", "sub", "summary", "sup", "u",
		"br", "hr", "img", "input", "wbr":
		return true
	}
	return false
}
