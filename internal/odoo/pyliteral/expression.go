package pyliteral

import (
	"math"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// node is a value with what decides where it may stand.
type node struct {
	value Value
	kind  kind
	pos   int // where it begins
}

type kind int

const (
	plain   kind = iota
	number       // of one token: may have a sign, may be added to
	signed       // a number with a sign: may be added to
	setName      // the name set, of which only a call is a value
)

func (p *parser) file() (Value, error) {
	p.pos = len(p.src) - len(strings.TrimLeft(p.src, " \t"))
	if err := p.emptyLines(); err != nil {
		return nil, err
	}
	v, err := p.top()
	if err != nil {
		return nil, err
	}
	if p.peek() == '\n' {
		p.pos++
		if err := p.emptyLines(); err != nil {
			return nil, err
		}
	}
	if p.pos < len(p.src) {
		return nil, p.unexpected("the end of the file")
	}
	return v, nil
}

// top parses an expression, or several with commas: a tuple.
func (p *parser) top() (Value, error) {
	first, err := p.value()
	if err != nil || p.peek() != ',' {
		return first, err
	}
	all := Tuple{first}
	for p.peek() == ',' {
		p.pos++
		if err := p.space(); err != nil {
			return nil, err
		}
		if c := p.peek(); c == 0 || c == '\n' {
			break
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// value parses an expression that is a value by itself.
func (p *parser) value() (Value, error) {
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.use(n)
}

func (p *parser) use(n node) (Value, error) {
	if n.kind == setName {
		return nil, p.errorf(n.pos, "the name set stands here; only set() is a value")
	}
	return n.value, nil
}

// expression parses ['+'|'-'] primary [('+'|'-') primary]. Like all that
// follow it begins at a token and ends at the next one.
func (p *parser) expression() (node, error) {
	left, err := p.sign()
	if err != nil {
		return node{}, err
	}
	operator := p.peek()
	if operator != '+' && operator != '-' {
		return left, nil
	}
	pos := p.pos
	p.pos++
	if err := p.space(); err != nil {
		return node{}, err
	}
	right, err := p.primary()
	if err != nil {
		return node{}, err
	}
	imaginary, ok := right.value.(complex128)
	if !ok || right.kind != number || left.kind != number && left.kind != signed {
		return node{}, p.errorf(pos, "a calculation stands here; only a complex number such as 1+2j has a sign inside")
	}
	var sum float64
	switch l := left.value.(type) {
	case *big.Int:
		if sum, _ = new(big.Float).SetInt(l).Float64(); math.IsInf(sum, 0) {
			return node{}, p.errorf(left.pos, "the integer is too large for a complex number")
		}
	case float64:
		sum = l
	default:
		return node{}, p.errorf(pos, "a calculation with two imaginary numbers stands here")
	}
	if operator == '-' {
		return node{value: complex(sum-real(imaginary), 0-imag(imaginary)), pos: left.pos}, nil
	}
	return node{value: complex(sum+real(imaginary), 0+imag(imaginary)), pos: left.pos}, nil
}

func (p *parser) sign() (node, error) {
	pos, operator := p.pos, p.peek()
	if operator != '+' && operator != '-' {
		return p.primary()
	}
	p.pos++
	if err := p.space(); err != nil {
		return node{}, err
	}
	n, err := p.primary()
	if err != nil {
		return node{}, err
	}
	if n.kind != number {
		return node{}, p.errorf(pos, "the sign %c stands before something that is no number", operator)
	}
	if operator == '-' {
		switch v := n.value.(type) {
		case *big.Int:
			n.value = new(big.Int).Neg(v)
		case float64:
			n.value = -v
		case complex128:
			n.value = complex(-real(v), -imag(v))
		}
	}
	return node{value: n.value, kind: signed, pos: pos}, nil
}

// primary parses an atom, or set().
func (p *parser) primary() (node, error) {
	n, err := p.atom()
	if err != nil {
		return node{}, err
	}
	if err := p.space(); err != nil {
		return node{}, err
	}
	if n.kind != setName || p.peek() != '(' {
		return n, nil
	}
	if err := p.open(); err != nil {
		return node{}, err
	}
	if p.peek() != ')' {
		return node{}, p.unexpected("the ) of set()")
	}
	if err := p.close(); err != nil {
		return node{}, err
	}
	return node{value: &Set{}, pos: n.pos}, nil
}

func (p *parser) atom() (node, error) {
	n := node{pos: p.pos}
	var err error
	switch c := p.peek(); {
	case c == '(':
		return p.parenthesis()
	case c == '[':
		n.value, err = p.list()
	case c == '{':
		n.value, err = p.braces()
	case c >= '0' && c <= '9', c == '.' && p.at(p.pos+1) >= '0' && p.at(p.pos+1) <= '9':
		n.kind = number
		n.value, err = p.number()
	case strings.HasPrefix(p.src[p.pos:], "..."):
		p.pos += 3
		n.value = Ellipsis{}
	case p.atText():
		n.value, err = p.text()
	default:
		return p.name()
	}
	return n, err
}

// name parses one of the few words that are values.
func (p *parser) name() (node, error) {
	n := node{pos: p.pos}
	word := p.word()
	if word == "" {
		return node{}, p.unexpected("a value")
	}
	p.pos += len(word)
	switch {
	case word == "None":
	case word == "True", word == "False":
		n.value = word == "True"
	case norm.NFKC.String(word) == "set": // Python compares names so
		n.kind = setName
	case p.peek() == '\'' || p.peek() == '"':
		return node{}, p.errorf(n.pos, "%.20s is no prefix of a literal's text; r, b, rb and u are", word)
	default:
		return node{}, p.errorf(n.pos, "the name %.80s stands here; only literals may, such as text, numbers and lists", word)
	}
	return n, nil
}

// word returns the name at pos, if there is one.
func (p *parser) word() string {
	rest := p.src[p.pos:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '_' && !unicode.In(r, unicode.L, unicode.N, unicode.Mn, unicode.Mc, unicode.Pc)
	})
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}

// unexpected is the error for a token that cannot stand at pos.
func (p *parser) unexpected(wanted string) error {
	switch r, _ := utf8.DecodeRuneInString(p.src[p.pos:]); {
	case p.pos == len(p.src):
		return p.errorf(p.pos, "the file ends where %s was expected", wanted)
	case r == '\n':
		return p.errorf(p.pos, "the line ends where %s was expected", wanted)
	default:
		return p.errorf(p.pos, "%q stands where %s was expected", r, wanted)
	}
}
