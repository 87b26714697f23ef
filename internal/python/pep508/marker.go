package pep508

import "strings"

// Marker is a condition on the environment. Its zero value is always true.
type Marker struct {
	root *node
	text string
}

// IsZero reports whether there is no condition.
func (m Marker) IsZero() bool { return m.root == nil }

// String is the marker as it was written; "" for the zero value.
func (m Marker) String() string { return m.text }

// node is either a comparison, or all (or any) of its children.
type node struct {
	children []*node
	any      bool // of the children; else all

	op          string // of a comparison, else ""
	left, right operand
	offset      int // of the comparison in the text
}

// operand is a variable or a value.
type operand struct {
	text     string
	variable bool
}

// ParseMarker parses a condition. Faults of the text are *Error.
func ParseMarker(text string) (Marker, error) {
	s, err := newScanner(text)
	if err != nil {
		return Marker{}, err
	}
	return s.fullMarker()
}

func (s *scanner) fullMarker() (Marker, error) {
	from := s.at
	root, err := s.disjunction()
	if err != nil {
		return Marker{}, err
	}
	if !s.end() {
		return Marker{}, s.fault("in a marker, comparisons are joined by and, or")
	}
	return Marker{root: root, text: strings.TrimSpace(s.text[from:])}, nil
}

// disjunction reads comparisons with and, or between them; and binds closer.
func (s *scanner) disjunction() (*node, error) {
	either := &node{any: true}
	both := &node{}
	for {
		one, err := s.atom()
		if err != nil {
			return nil, err
		}
		both.children = append(both.children, one)
		word, more := s.next(boolToken)
		if !more || word == "or" {
			either.children = append(either.children, both)
			both = &node{}
		}
		if !more {
			return either, nil
		}
	}
}

// atom reads a comparison, or a condition in parentheses.
func (s *scanner) atom() (*node, error) {
	s.space()
	begin := s.at
	if !s.char('(') {
		return s.comparison()
	}
	if s.depth++; s.depth > maxNesting {
		return nil, s.fault("parentheses are nested deeper than %d levels", maxNesting)
	}
	inner, err := s.disjunction()
	if err != nil {
		return nil, err
	}
	s.depth--
	if !s.char(')') {
		return nil, s.fault("the parenthesis at column %d is not closed", begin+1)
	}
	s.space()
	return inner, nil
}

func (s *scanner) comparison() (*node, error) {
	n := &node{offset: s.at}
	var err error
	if n.left, err = s.operand(); err != nil {
		return nil, err
	}
	if n.op, err = s.operator(); err != nil {
		return nil, err
	}
	n.right, err = s.operand()
	return n, err
}

func (s *scanner) operand() (operand, error) {
	s.space()
	defer s.space()
	if name, ok := s.next(variableToken); ok {
		name = strings.ReplaceAll(name, ".", "_")
		if name == "python_implementation" {
			name = "platform_python_implementation"
		}
		return operand{text: name, variable: true}, nil
	}
	begin := s.at
	quoted, ok := s.next(stringToken)
	switch {
	case !ok && s.sees(quoteToken):
		return operand{}, s.fault("a quote is not closed")
	case !ok:
		return operand{}, s.fault("a marker compares variables such as python_version with values in quotes")
	case strings.Contains(quoted, `\`):
		s.at = begin
		return operand{}, s.fault("a value with a backslash, which PEP 508 does not know")
	}
	return operand{text: quoted[1 : len(quoted)-1]}, nil
}

func (s *scanner) operator() (string, error) {
	if op, ok := s.next(comparisonToken); ok {
		return op, nil
	}
	if _, ok := s.next(inToken); ok {
		return "in", nil
	}
	if _, ok := s.next(notToken); ok && s.space() {
		if _, ok := s.next(inToken); ok {
			return "not in", nil
		}
		return "", s.fault("after not comes in")
	}
	return "", s.fault("an operator is missing: one of == != < <= > >= ~= === in, not in")
}
