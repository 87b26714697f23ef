// Package pyliteral reads a file that holds one Python literal, such as Odoo's
// __manifest__.py, without Python: nothing is executed.
//
// It takes what ast.literal_eval(open(path, encoding="utf-8").read()) of
// CPython 3.10 to 3.13 takes, with the same result, and refuses what that
// refuses. As there, the file is UTF-8 whatever a coding comment says, and
// begins with no byte order mark. It is stricter in four things: the file's
// size, brackets nested 200 deep, the digits of hexadecimal, octal and binary
// integers, and \N{…}, which takes the names of characters but not
// their aliases (\N{LINE FEED}).
package pyliteral

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Bounds of a file.
const (
	MaxSize = 1 << 20 // bytes

	// CPython refuses 201 brackets in each other, and some shapes of 200.
	maxDepth = 199
	// CPython's own bound, for decimal integers.
	maxDecimalDigits = 4300
	// Reading them takes time with the square of their number.
	maxOtherDigits = 16384
)

// Parse reads the literal in data. path names the file in errors, each of
// which is a *yamldoc.Error with the line.
func Parse(path string, data []byte) (Value, error) {
	p := &parser{path: path}
	if len(data) > MaxSize {
		return nil, &yamldoc.Error{Path: path, Msg: fmt.Sprintf("is larger than %d KiB", MaxSize>>10)}
	}
	// As Python's text files do.
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	p.src = strings.ReplaceAll(string(data), "\r", "\n")
	if err := p.checkText(); err != nil {
		return nil, err
	}
	return p.file()
}

// parser stands at a byte of the file.
type parser struct {
	path  string
	src   string // its only line end is \n
	pos   int
	depth int   // brackets around pos
	lines []int // where the lines after the first begin
}

func (p *parser) errorf(pos int, format string, args ...any) *yamldoc.Error {
	return &yamldoc.Error{Path: p.path, Line: p.line(pos), Msg: fmt.Sprintf(format, args...)}
}

// line is the 1-based number of the line in which a byte stands.
func (p *parser) line(pos int) int {
	if p.lines == nil {
		p.lines = []int{}
		for i := range len(p.src) {
			if p.src[i] == '\n' {
				p.lines = append(p.lines, i+1)
			}
		}
	}
	return 1 + sort.SearchInts(p.lines, pos+1)
}

func (p *parser) checkText() error {
	if strings.HasPrefix(p.src, "\ufeff") {
		err := p.errorf(0, "begins with a byte order mark, which Odoo does not read")
		err.Hint = "save it as UTF-8 without one"
		return err
	}
	if i := strings.IndexByte(p.src, 0); i >= 0 {
		return p.errorf(i, "has a NUL byte")
	}
	for i, r := range p.src {
		if _, size := utf8.DecodeRuneInString(p.src[i:]); r == utf8.RuneError && size == 1 {
			err := p.errorf(i, "is not UTF-8, which Odoo reads whatever a coding comment says")
			err.Hint = "save it as UTF-8"
			return err
		}
	}
	return nil
}

// peek returns the byte at pos, 0 at the end of the file.
func (p *parser) peek() byte { return p.at(p.pos) }

func (p *parser) at(i int) byte {
	if i < len(p.src) {
		return p.src[i]
	}
	return 0
}

// space moves to the next token. Between brackets a line end is space, too.
func (p *parser) space() error {
	for {
		switch c := p.peek(); {
		case c == ' ', c == '\t', c == '\f', c == '\n' && p.depth > 0:
			p.pos++
		case c == '#':
			p.comment()
		case c == '\\':
			if err := p.continuation(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// comment moves to the line's end.
func (p *parser) comment() {
	if i := strings.IndexByte(p.src[p.pos:], '\n'); i >= 0 {
		p.pos += i
		return
	}
	p.pos = len(p.src)
}

// continuation takes a backslash with the line end after it.
func (p *parser) continuation() error {
	switch {
	case p.at(p.pos+1) != '\n':
		return p.errorf(p.pos, `something stands after the \ that continues a line`)
	case p.pos+2 == len(p.src):
		return p.errorf(p.pos, `ends after a \ that continues a line`)
	}
	p.pos += 2
	return nil
}

// emptyLines takes the lines at pos, the start of one, that hold nothing. It
// refuses an indented one that holds something, as Python does.
func (p *parser) emptyLines() error {
	for {
		column, err := p.indentation()
		if err != nil {
			return err
		}
		if p.peek() == '#' {
			p.comment()
			column = 0
		}
		if p.peek() == '\n' {
			p.pos++
			continue
		}
		if column > 0 {
			err := p.errorf(p.pos, "the line is indented")
			err.Hint = "remove the spaces before its first character"
			return err
		}
		return nil
	}
}

// indentation moves to the first character of a line and returns a column
// that is 0 when Python takes the line for not indented.
func (p *parser) indentation() (column int, err error) {
	continued := 0
	for {
		switch p.peek() {
		case ' ', '\t':
			column++
		case '\f':
			column = 0
		case '\\':
			if continued == 0 {
				continued = column
			}
			if err := p.continuation(); err != nil {
				return 0, err
			}
			continue
		default:
			if continued > 0 {
				column = continued
			}
			return column, nil
		}
		p.pos++
	}
}
