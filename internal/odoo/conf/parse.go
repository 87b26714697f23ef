package conf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

const (
	byteOrderMark = "\ufeff"
	mostFaults    = 20
)

// Parse reads a file, which path names in errors. Every fault is a
// *yamldoc.Error; several are joined. What Python refuses is refused, and a file
// that is not UTF-8.
func Parse(path string, data []byte) (*File, error) {
	if len(data) > yamldoc.MaxSize {
		return nil, &yamldoc.Error{Path: path, Msg: fmt.Sprintf("is larger than %d KiB", yamldoc.MaxSize>>10)}
	}
	p := &parser{f: &File{Path: path, byName: map[string]*section{}, lines: splitLines(string(data))}}
	if err := p.checkText(); err != nil {
		return nil, err
	}
	for i, l := range p.f.lines {
		if err := p.line(i, l.text); err != nil {
			p.faults = append(p.faults, err)
			break
		}
	}
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	for _, s := range p.f.sections {
		for _, o := range s.options {
			o.value, o.parts = strings.TrimRightFunc(strings.Join(o.parts, "\n"), isSpace), nil
		}
	}
	return p.f, nil
}

// parser goes through the lines as RawConfigParser._read does.
type parser struct {
	f       *File
	section *section
	option  *option // which the next line may continue
	indent  int     // of the line that began the option or section, in characters
	faults  []error // lines that are nothing; Python goes on after them, too
}

func (p *parser) checkText() error {
	for i, l := range p.f.lines {
		if !utf8.ValidString(l.text) {
			return p.f.fault(i, "is not UTF-8", "save it as UTF-8")
		}
	}
	if len(p.f.lines) > 0 && strings.HasPrefix(p.f.lines[0].text, byteOrderMark) {
		return p.f.fault(0, "begins with a byte order mark, which Odoo takes for text before the first section", "save it as UTF-8 without one")
	}
	return nil
}

// line takes in one line. The error is one after which Python reads no more.
func (p *parser) line(i int, text string) error {
	value := strip(text)
	if value == "" {
		if p.option != nil {
			p.option.parts = append(p.option.parts, "")
		}
		return nil
	}
	if value[0] == '#' || value[0] == ';' {
		return nil
	}
	_, width := indent(text)
	if p.option != nil && width > p.indent {
		p.option.parts, p.option.last = append(p.option.parts, value), i
		return nil
	}
	p.indent = width
	if name, ok := header(value); ok {
		return p.begin(i, name)
	}
	if p.section == nil {
		return p.f.fault(i, "text before the first section", "begin the file with [options]")
	}
	return p.set(i, value)
}

// header returns a section's name: all between the first character and the
// last bracket, whatever follows.
func header(value string) (name string, ok bool) {
	end := strings.LastIndexByte(value, ']')
	if value[0] != '[' || end < 2 {
		return "", false
	}
	return value[1:end], true
}

func (p *parser) begin(i int, name string) error {
	p.option = nil
	known := p.f.byName[name]
	switch {
	case known != nil && name != Default:
		return p.f.fault(i, fmt.Sprintf("the section [%s] is there twice, first at line %d", shown(name), known.line+1), "put its options together")
	case known == nil:
		known = &section{name: name, line: i, byName: map[string]*option{}}
		p.f.sections = append(p.f.sections, known)
		p.f.byName[name] = known
	}
	p.section = known
	return nil
}

// set takes in the first line of an option.
func (p *parser) set(i int, text string) error {
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		p.nothing(i, "is neither a section, an option nor a comment", "write: name = value")
		return nil
	}
	name := lower(strip(text[:at]))
	if name == "" {
		p.nothing(i, "has a value without a name", "write: name = value")
	}
	if first := p.section.byName[name]; first != nil {
		return p.f.fault(i, fmt.Sprintf("the option %s is there twice, first at line %d", shown(name), first.first+1), "keep one of the two")
	}
	o := &option{name: name, parts: []string{strip(text[at+1:])}, first: i, last: i}
	p.section.byName[name] = o
	p.section.options = append(p.section.options, o)
	// Python continues no option without a name.
	if p.option = o; name == "" {
		p.option = nil
	}
	return nil
}

// shown is a name as an error may show it.
func shown(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

// nothing notes a line that means nothing. The text may be a secret whose name
// is mistyped, so it is not shown.
func (p *parser) nothing(i int, msg, hint string) {
	if len(p.faults) < mostFaults {
		p.faults = append(p.faults, p.f.fault(i, msg, hint))
	}
}
