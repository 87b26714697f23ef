// Package pep508 reads Python's dependency specifiers as the `packaging`
// library does: requirement lines and markers (PEP 508) and versions (PEP 440).
package pep508

import (
	"regexp"
	"slices"
	"strings"
)

// Requirement is a parsed requirement.
type Requirement struct {
	Name       string     // as written
	Normalized string     // PEP 503: lower case, runs of -_. as one -
	Extras     []string   // normalised, sorted, each once
	Specifier  Specifiers // empty for any version
	URL        string     // of a direct reference (NAME @ URL); "" for none
	Marker     Marker     // its zero value is always true
}

var nameSeparators = regexp.MustCompile(`[-_.]+`)

// Normalize returns the form of a name that PEP 503 compares by.
func Normalize(name string) string {
	return strings.ToLower(nameSeparators.ReplaceAllString(name, "-"))
}

// Parse parses a requirement: a name with extras, then bounds of its version
// or a URL, then a marker. Faults of the text are *Error.
func Parse(line string) (Requirement, error) {
	s, err := newScanner(line)
	if err != nil {
		return Requirement{}, err
	}
	var r Requirement
	s.space()
	name, ok := s.next(nameToken)
	if !ok {
		return r, s.fault("a package name is missing")
	}
	r.Name, r.Normalized = name, Normalize(name)
	s.space()
	if r.Extras, err = s.extras(); err != nil {
		return Requirement{}, err
	}
	s.space()
	if s.char('@') {
		err = s.direct(&r)
	} else {
		err = s.versioned(&r)
	}
	if err != nil {
		return Requirement{}, err
	}
	return r, nil
}

// String is r in one spelling, without its marker.
func (r Requirement) String() string {
	text := r.Name
	if len(r.Extras) > 0 {
		text += "[" + strings.Join(r.Extras, ",") + "]"
	}
	if r.URL != "" {
		return text + " @ " + r.URL
	}
	return text + r.Specifier.String()
}

// extras reads [A, B], if it is there.
func (s *scanner) extras() ([]string, error) {
	if !s.char('[') {
		return nil, nil
	}
	s.space()
	var names []string
	name, ok := s.next(nameToken)
	for ok {
		names = append(names, Normalize(name))
		s.space()
		if !s.char(',') {
			break
		}
		s.space()
		if name, ok = s.next(nameToken); !ok {
			return nil, s.fault("the name of an extra is missing after the comma")
		}
	}
	if !s.char(']') {
		return nil, s.fault("extras stand between [ and ], with commas between them")
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// direct reads what follows the @.
func (s *scanner) direct(r *Requirement) error {
	s.space()
	url, ok := s.next(urlToken)
	if !ok {
		return s.fault("a URL is missing after the @")
	}
	r.URL = url
	s.space()
	if s.end() {
		return nil
	}
	return s.finalMarker(r, "after a URL there is room for a marker only, as: URL ; MARKER")
}

// versioned reads the bounds of a version, in parentheses or not.
func (s *scanner) versioned(r *Requirement) error {
	begin := s.at
	open := s.char('(')
	s.space()
	from := s.at
	if err := s.bounds(); err != nil {
		return err
	}
	text := s.text[from:s.at]
	s.space()
	if open && !s.char(')') {
		return s.fault("the parenthesis at column %d is not closed", begin+1)
	}
	var err error
	if r.Specifier, err = parseSpecifiers(text); err != nil {
		return &Error{Text: s.text, Offset: from, Msg: err.Error()}
	}
	s.space()
	if s.end() {
		return nil
	}
	if len(r.Specifier) == 0 {
		return s.finalMarker(r, "after the name comes a version (==1.0), a URL (@ https://…) or a marker (; …)")
	}
	return s.finalMarker(r, "after a version comes a comma or a semicolon")
}

func (s *scanner) bounds() error {
	for {
		begin := s.at
		one, ok := s.next(specifierToken)
		switch {
		case !ok && s.sees(comparisonToken):
			return s.fault("no version that fits the operator")
		case !ok:
			return nil
		case s.sees(wildcardToken):
			s.at = begin
			return s.fault(".* goes with == and != only, after a plain release")
		case s.sees(localToken):
			s.at = begin
			return s.fault("a local version (+…) goes with == and != only")
		case len(one) > maxVersion:
			s.at = begin
			return s.fault("a version of more than %d bytes", maxVersion)
		}
		after := s.at
		s.space()
		if !s.char(',') {
			s.at = after
			return nil
		}
		s.space()
	}
}

// finalMarker reads a semicolon and a marker up to the end.
func (s *scanner) finalMarker(r *Requirement, expected string) error {
	if !s.char(';') {
		return s.fault("%s", expected)
	}
	var err error
	r.Marker, err = s.fullMarker()
	return err
}
