package pep508

import (
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the length in bytes of a requirement or marker that is parsed.
const MaxSize = 8 << 10

// maxNesting is how deep parentheses may stand in a marker.
const maxNesting = 50

// The tokens of packaging's tokenizer. Which one may come next depends on the
// place, so each is tried by itself. Only names are stricter: packaging lets
// one end with _, which no index does.
var (
	spaceToken      = regexp.MustCompile(`^[ \t]+`)
	nameToken       = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?\b`)
	urlToken        = regexp.MustCompile(`^[^ \t]+`)
	specifierToken  = regexp.MustCompile(`^` + specifierText)
	wildcardToken   = regexp.MustCompile(`^\.\*`)
	localToken      = regexp.MustCompile(`^\+[a-z0-9]`)
	quoteToken      = regexp.MustCompile("^['\"]")
	stringToken     = regexp.MustCompile(`^(?:'[^']*'|"[^"]*")`)
	comparisonToken = regexp.MustCompile(`^(?:===|==|~=|!=|<=|>=|<|>)`)
	boolToken       = regexp.MustCompile(`^(?:or|and)\b`)
	inToken         = regexp.MustCompile(`^in\b`)
	notToken        = regexp.MustCompile(`^not\b`)
	variableToken   = regexp.MustCompile(`^(?:python_version|python_full_version|os[._]name|sys[._]platform|platform_(?:release|system)|` +
		`platform[._](?:version|machine|python_implementation)|python_implementation|implementation_(?:name|version)|extras?|dependency_groups)\b`)
)

// scanner walks over a text. Its first fault is what counts.
type scanner struct {
	text  string
	at    int
	depth int
}

func newScanner(text string) (*scanner, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("it has %d bytes; %d are allowed", len(text), MaxSize)
	}
	for i, r := range text {
		if r == utf8.RuneError || r != '\t' && unicode.IsControl(r) {
			return nil, &Error{Text: text, Offset: i, Msg: "a character that is no text"}
		}
	}
	return &scanner{text: text}, nil
}

// next takes the token at the current place, if it is there.
func (s *scanner) next(token *regexp.Regexp) (string, bool) {
	found := token.FindString(s.text[s.at:])
	s.at += len(found)
	return found, found != ""
}

func (s *scanner) sees(token *regexp.Regexp) bool {
	return token.MatchString(s.text[s.at:])
}

// char takes one character, if it is there.
func (s *scanner) char(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) space() bool {
	_, ok := s.next(spaceToken)
	return ok
}

func (s *scanner) end() bool { return s.at == len(s.text) }

func (s *scanner) fault(format string, args ...any) error {
	return &Error{Text: s.text, Offset: s.at, Msg: fmt.Sprintf(format, args...)}
}
