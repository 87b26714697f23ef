package pyliteral

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

const (
	digits    = `[0-9](?:_?[0-9])*`
	exponent  = `(?:[eE][+-]?` + digits + `)`
	fractions = `(?:(?:` + digits + `)?\.` + digits + exponent + `?|` + digits + `\.` + exponent + `?|` + digits + exponent + `)`
)

// numberToken's groups: imaginary part, float, integer with a prefix, decimal
// integer. Only zeros may follow a zero in the last.
var numberToken = regexp.MustCompile(`^(?:` +
	`(` + fractions + `|` + digits + `)[jJ]` +
	`|(` + fractions + `)` +
	`|(0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)` +
	`|([1-9](?:_?[0-9])*|0(?:_?0)*))`)

func (p *parser) number() (Value, error) {
	start := p.pos
	parts := numberToken.FindStringSubmatch(p.src[start:])
	if parts == nil {
		return nil, p.badNumber(start)
	}
	p.pos += len(parts[0])
	if p.peek() == '.' || p.word() != "" {
		return nil, p.badNumber(start)
	}
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, "_", "")
	}
	switch {
	case parts[1] != "":
		return complex(0, float(parts[1])), nil
	case parts[2] != "":
		return float(parts[2]), nil
	case len(parts[3]) > maxOtherDigits:
		return nil, p.errorf(start, "an integer has more than %d digits", maxOtherDigits)
	case len(parts[4]) > maxDecimalDigits && parts[4][0] != '0':
		return nil, p.errorf(start, "an integer has more than %d digits", maxDecimalDigits)
	case parts[4] != "" && parts[4][0] == '0':
		return new(big.Int), nil
	}
	i, ok := new(big.Int).SetString(parts[3]+parts[4], 0)
	if !ok {
		return nil, p.badNumber(start)
	}
	return i, nil
}

// float returns an infinity for what is out of range, as Python does.
func float(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

func (p *parser) badNumber(pos int) error {
	p.pos = pos
	return p.errorf(pos, "%.40s is no number", p.word())
}

func itoa(i int) string { return strconv.Itoa(i) }
