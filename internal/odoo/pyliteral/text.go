package pyliteral

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// textStart is a literal's prefix and first quote.
var textStart = regexp.MustCompile(`^(?i:r|u|b|br|rb|f|fr|rf)?['"]`)

const longestStart = 3

// start returns the prefix and the quote at pos, or nothing.
func (p *parser) start() string {
	return textStart.FindString(p.src[p.pos:min(len(p.src), p.pos+longestStart)])
}

func (p *parser) atText() bool { return p.start() != "" }

// text parses one or more string or bytes literals, which make up one value.
func (p *parser) text() (Value, error) {
	var all strings.Builder
	first := true
	var areBytes bool
	for {
		start := p.start()
		if start == "" {
			break
		}
		prefix := strings.ToLower(start[:len(start)-1])
		isBytes := strings.Contains(prefix, "b")
		if !first && isBytes != areBytes {
			return nil, p.errorf(p.pos, "bytes and text stand side by side")
		}
		first, areBytes = false, isBytes
		if strings.Contains(prefix, "f") {
			return nil, p.errorf(p.pos, "an f-string stands here; only literals may")
		}
		p.pos += len(prefix)
		if err := p.literal(&all, strings.Contains(prefix, "r"), isBytes); err != nil {
			return nil, err
		}
		if err := p.space(); err != nil {
			return nil, err
		}
	}
	if areBytes {
		return Bytes(all.String()), nil
	}
	return all.String(), nil
}

// literal takes the literal whose first quote is at pos and writes what it
// stands for.
func (p *parser) literal(out *strings.Builder, raw, isBytes bool) error {
	open := p.pos
	quote := p.src[open : open+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(p.src[open:], triple) {
		quote = triple
	}
	begin := open + len(quote)
	end := begin
	for end >= len(p.src) || !strings.HasPrefix(p.src[end:], quote) {
		switch c := p.at(end); {
		case end >= len(p.src): // by one when a backslash is the last
			return p.errorf(open, "the text that begins with %s here has no end", quote)
		case c == '\n' && len(quote) == 1:
			return p.errorf(open, "the line ends before the text that begins with %s", quote)
		case c == '\\':
			end++
		case isBytes && c >= utf8.RuneSelf:
			return p.errorf(end, "bytes hold a character that is not ASCII")
		}
		end++
	}
	p.pos = end + len(quote)
	if raw {
		out.WriteString(p.src[begin:end])
		return nil
	}
	e := escapes{p: p, pos: begin, end: end, isBytes: isBytes, out: out}
	return e.write()
}
