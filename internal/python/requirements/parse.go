package requirements

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// statement is what a logical line says: exactly one of its parts.
type statement struct {
	line        *Line    // a requirement
	requirement string   // the file of -r
	constraint  string   // the file of -c
	options     []Option // global options
}

// parseStatement parses a line.
func parseStatement(l logical, origin Origin) (statement, error) {
	text, rest := splitOptions(l.text)
	options, err := parseOptions(l, rest)
	if err != nil {
		return statement{}, err
	}
	if text != "" {
		line, err := parseLine(l, text, options)
		if err != nil {
			return statement{}, err
		}
		line.Origin = origin
		return statement{line: &line}, nil
	}
	var s statement
	for _, o := range options {
		switch {
		case o.scope == perLine:
			return s, fmt.Errorf("%s stands without a requirement before it", o.long)
		case o.long == "--editable":
			return s, advise("an editable requirement has no hash, and its source must stay in place",
				"name a released version or write NAME @ URL; a repository with Odoo modules belongs into repos.yaml")
		case o.scope == include && len(options) > 1:
			return s, fmt.Errorf("%s stands with other options; pip would ignore them. Write it on a line of its own", o.long)
		case o.long == "--requirement":
			s.requirement = o.value
		case o.long == "--constraint":
			s.constraint = o.value
		default:
			option, err := o.option(l, origin)
			if err != nil {
				return s, err
			}
			s.options = append(s.options, option)
		}
	}
	return s, nil
}

// parseLine parses a requirement with the options that belong to it.
func parseLine(l logical, text string, options []given) (Line, error) {
	var line Line
	for _, o := range options {
		switch o.long {
		case "--hash":
			if err := checkHash(l, o.value); err != nil {
				return line, err
			}
			line.Hashes = append(line.Hashes, o.value)
		case "--config-settings":
			if key, _, ok := strings.Cut(o.value, "="); !ok || key == "" {
				return line, fmt.Errorf("%s is no KEY=VALUE for %s", l.shown(o.value), o.long)
			}
			line.ConfigSettings = append(line.ConfigSettings, o.value)
		default:
			return line, fmt.Errorf("%s stands after a requirement, where pip ignores it; write it on a line of its own", o.long)
		}
	}
	r, err := parseRequirement(l, text)
	if err != nil {
		return line, err
	}
	line.Requirement, line.Name, line.Marker = r, r.Normalized, r.Marker.String()
	line.Text = r.String()
	if r.URL != "" && isURL(text) {
		line.Text = r.URL
	}
	for _, hash := range line.Hashes {
		line.Text += " --hash=" + hash
	}
	for _, setting := range line.ConfigSettings {
		line.Text += " --config-settings=" + shellWord(setting)
	}
	return line, nil
}

func parseRequirement(l logical, text string) (pep508.Requirement, error) {
	switch {
	case isURL(text):
		return parseBare(l, text)
	case isPath(text):
		return pep508.Requirement{}, advise(l.shown(text)+" is a place on this machine", localHint)
	}
	// pip takes a semicolon without a marker.
	r, err := pep508.Parse(strings.TrimRight(strings.TrimSuffix(text, ";"), " \t"))
	if err != nil {
		return r, l.parseFault(err)
	}
	if r.URL != "" {
		err = checkURL(l, r.URL)
	}
	return r, err
}

// parseFault keeps values of variables out of an error.
func (l logical) parseFault(err error) error {
	var place *pep508.Error
	if l.text == l.raw || !errors.As(err, &place) {
		return err
	}
	return fmt.Errorf("%s, in what %s expands to", place.Msg, quoted(l.raw))
}
