package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrValue is what Edit's error is when a value cannot stand in a file.
var ErrValue = errors.New("cannot stand in an odoo.conf")

// Change sets an option of a section, or removes it.
type Change struct {
	Section string // not DEFAULT
	Option  string // in lower case
	Value   string
	Remove  bool // the option is to go; it is no error if there is none
}

// Edit returns a file with some options changed. An option that is there is
// written in its place, a new one after the last of its section, a new section
// at the end. Comments stay, also those among the lines of a value.
//
// The result is read again. When it does not say what was asked for, and
// everything else as before, the error is ErrValue; it does not show the value.
func (f *File) Edit(changes ...Change) (*File, error) {
	e := newEditor(f)
	for _, c := range changes {
		if err := e.apply(c); err != nil {
			return nil, err
		}
	}
	edited, err := Parse(f.Path, e.bytes())
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", f.Path, ErrValue)
	}
	if name := f.differs(edited, changes); name != "" {
		return nil, fmt.Errorf("edit %s: the value of %s %w", f.Path, shown(name), ErrValue)
	}
	return edited, nil
}

// editor collects what becomes of each line.
type editor struct {
	f     *File
	end   string           // of lines that are written
	lines map[int]string   // in the place of a line
	gone  map[int]bool     // lines that go
	after map[int][]string // lines that come after one
	fresh map[string]bool  // sections that come at the end
	tail  []string
}

func newEditor(f *File) *editor {
	end := "\n"
	if len(f.lines) > 0 && f.lines[0].end != "" {
		end = f.lines[0].end
	}
	return &editor{f: f, end: end, lines: map[int]string{}, gone: map[int]bool{}, after: map[int][]string{}, fresh: map[string]bool{}}
}

func (e *editor) apply(c Change) error {
	if c.Section == Default || c.Section == "" || c.Option == "" || c.Option != lower(strip(c.Option)) {
		return fmt.Errorf("edit %s: [%s] %s is no option to set", e.f.Path, shown(c.Section), shown(c.Option))
	}
	if strings.ContainsAny(c.Value, "\r\n") {
		return fmt.Errorf("edit %s: the value of %s, which has several lines, %w", e.f.Path, shown(c.Option), ErrValue)
	}
	in := e.f.byName[c.Section]
	var have *option
	if in != nil {
		have = in.byName[c.Option]
	}
	text := c.Option + " = " + c.Value
	switch {
	case have != nil:
		e.replace(have, text, c.Remove)
	case c.Remove:
	case in != nil:
		at, before := e.f.lastOf(in)
		e.after[at] = append(e.after[at], before+text)
	default:
		if !e.fresh[c.Section] {
			e.fresh[c.Section] = true
			e.tail = append(e.tail, "["+c.Section+"]")
		}
		e.tail = append(e.tail, text)
	}
	return nil
}

// replace writes an option's first line anew and removes those that continue
// it. Comments among them stay. The indentation stays as well: what follows may
// depend on it.
func (e *editor) replace(o *option, text string, remove bool) {
	for i := o.first; i <= o.last; i++ {
		if value := strip(e.f.lines[i].text); i == o.first || value != "" && value[0] != '#' && value[0] != ';' {
			e.gone[i] = true
		}
	}
	if !remove {
		before, _ := indent(e.f.lines[o.first].text)
		delete(e.gone, o.first)
		e.lines[o.first] = before + text
	}
}

// lastOf returns the line after which a new option of a section goes, and its
// indentation, with which neither it nor what follows continues another option.
func (f *File) lastOf(s *section) (at int, before string) {
	if len(s.options) > 0 {
		last := s.options[len(s.options)-1]
		before, _ = indent(f.lines[last.first].text)
		return last.last, before
	}
	for _, l := range f.lines[s.line+1:] {
		if value := strip(l.text); value != "" && value[0] != '#' && value[0] != ';' {
			before, _ = indent(l.text)
			break
		}
	}
	return s.line, before
}

func (e *editor) bytes() []byte {
	var out strings.Builder
	write := func(text, end string) {
		if n := out.Len(); n > 0 && !strings.HasSuffix(out.String()[n-1:], "\n") && !strings.HasSuffix(out.String()[n-1:], "\r") {
			out.WriteString(e.end)
		}
		out.WriteString(text + end)
	}
	for i, l := range e.f.lines {
		text, written := e.lines[i]
		switch {
		case written:
			write(text, l.end)
		case !e.gone[i]:
			write(l.text, l.end)
		}
		for _, more := range e.after[i] {
			write(more, e.end)
		}
	}
	if len(e.tail) > 0 && out.Len() > 0 {
		write("", e.end)
	}
	for _, text := range e.tail {
		write(text, e.end)
	}
	return []byte(out.String())
}

// differs names an option of edited that is not what f and the changes make
// it; "" when there is none.
func (f *File) differs(edited *File, changes []Change) string {
	want := map[string]map[string]string{}
	for _, s := range f.sections {
		want[s.name] = map[string]string{}
		for _, o := range s.options {
			want[s.name][o.name] = o.value
		}
	}
	for _, c := range changes {
		switch {
		case c.Remove:
			delete(want[c.Section], c.Option)
		case want[c.Section] == nil:
			want[c.Section] = map[string]string{c.Option: c.Value}
		default:
			want[c.Section][c.Option] = c.Value
		}
	}
	for _, s := range edited.sections {
		for _, o := range s.options {
			if value, ok := want[s.name][o.name]; !ok || value != o.value {
				return o.name
			}
			delete(want[s.name], o.name)
		}
	}
	var missing []string
	for _, options := range want {
		for name := range options {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return slices.Min(missing)
	}
	return ""
}
