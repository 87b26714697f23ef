package pyliteral

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapes writes the text between pos and end with its escapes resolved.
type escapes struct {
	p        *parser
	pos, end int
	isBytes  bool
	out      *strings.Builder
}

func (e *escapes) write() error {
	for e.pos < e.end {
		rest := e.p.src[e.pos:e.end]
		i := strings.IndexByte(rest, '\\')
		if i < 0 {
			e.out.WriteString(rest)
			return nil
		}
		e.out.WriteString(rest[:i])
		e.pos += i
		if err := e.escape(); err != nil {
			return err
		}
	}
	return nil
}

const (
	simple   = `\'"abfnrtv`
	meanings = "\\'\"\a\b\f\n\r\t\v"
)

// escape takes the escape at pos. The text never ends in its backslash.
func (e *escapes) escape() error {
	c := e.p.src[e.pos+1]
	i := strings.IndexByte(simple, c)
	switch {
	case c == '\n':
		e.pos += 2
	case i >= 0:
		e.out.WriteByte(meanings[i])
		e.pos += 2
	case c >= '0' && c <= '7':
		e.octal()
	case c == 'x':
		return e.hex(2)
	case c == 'u' && !e.isBytes:
		return e.hex(4)
	case c == 'U' && !e.isBytes:
		return e.hex(8)
	case c == 'N' && !e.isBytes:
		return e.named()
	default: // it stands for itself, with a warning in Python
		e.out.WriteByte('\\')
		e.pos++
		_, size := utf8.DecodeRuneInString(e.p.src[e.pos:e.end])
		e.out.WriteString(e.p.src[e.pos : e.pos+size])
		e.pos += size
	}
	return nil
}

func (e *escapes) octal() {
	e.pos++
	value := rune(0)
	for n := 0; n < 3 && e.pos < e.end && e.p.src[e.pos] >= '0' && e.p.src[e.pos] <= '7'; n++ {
		value = value<<3 | rune(e.p.src[e.pos]-'0')
		e.pos++
	}
	e.writeRune(value)
}

// hex takes \x, \u or \U with n digits.
func (e *escapes) hex(n int) error {
	start := e.pos
	digits := e.p.src[start+2 : min(e.end, start+2+n)]
	value, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) < n || value > utf8.MaxRune {
		return e.p.errorf(start, `\%c needs %d hexadecimal digits of a character`, e.p.src[start+1], n)
	}
	e.pos += 2 + n
	e.writeRune(rune(value))
	return nil
}

// writeRune writes a byte of bytes, or a character. A surrogate, of which
// there are none in UTF-8, gets the three bytes it would have.
func (e *escapes) writeRune(r rune) {
	switch {
	case e.isBytes:
		e.out.WriteByte(byte(r & 0xff)) // as Python does with \400 and above
	case r >= 0xd800 && r < 0xe000:
		e.out.Write([]byte{0xe0 | byte(r>>12&0xf), 0x80 | byte(r>>6&0x3f), 0x80 | byte(r&0x3f)})
	default:
		e.out.WriteRune(r)
	}
}

// named takes \N{NAME}.
func (e *escapes) named() error {
	start := e.pos
	rest := e.p.src[start+2 : e.end]
	end := strings.IndexByte(rest, '}')
	if !strings.HasPrefix(rest, "{") || end < 0 {
		return e.p.errorf(start, `\N needs the name of a character in braces`)
	}
	r, ok := runeNamed(rest[1:end])
	if !ok {
		err := e.p.errorf(start, `\N{%.60s}: no character is known here by that name`, rest[1:end])
		err.Hint = `write the character itself, or \u with its number`
		return err
	}
	e.pos += 2 + end + 1
	e.out.WriteRune(r)
	return nil
}
