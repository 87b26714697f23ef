// Package conf reads and edits odoo.conf files.
//
// Odoo reads them with Python's RawConfigParser, and this package reads every
// file as that does (Python 3.10 to 3.13): the same options with the same
// values, or a refusal where Python raises. Whatever is not edited stays as it
// is, byte for byte.
package conf

import (
	"slices"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Main is the section that Odoo takes its own options from.
const Main = "options"

// Default is the section whose options Python adds to every other section.
const Default = "DEFAULT"

// File is a parsed file. It does not change; Edit returns another.
type File struct {
	Path string // as in errors

	lines    []line
	sections []*section
	byName   map[string]*section
}

// section is a section's header and what stands below it.
type section struct {
	name    string
	line    int // index of the header's line; of DEFAULT, which may come again, the first
	options []*option
	byName  map[string]*option
}

// option is an option with all its lines.
type option struct {
	name        string // lower case
	value       string
	parts       []string // of the value, one a line, while it is read
	first, last int      // indices of its lines; the last is one with text
}

// Option is an option as Python has it.
type Option struct {
	Name  string // in lower case
	Value string // lines are separated by \n
	Line  int    // 1-based
}

// ReadFile reads and parses a regular file of at most 1 MiB. Faults are
// *yamldoc.Error; a missing file satisfies errors.Is(fs.ErrNotExist).
func ReadFile(path string) (*File, error) {
	data, err := yamldoc.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Sections returns the names of the sections in the order of the file, without
// DEFAULT.
func (f *File) Sections() []string {
	var names []string
	for _, s := range f.sections {
		if s.name != Default {
			names = append(names, s.name)
		}
	}
	return names
}

// Has reports whether there is a section, be it empty.
func (f *File) Has(name string) bool { return f.byName[name] != nil }

// Options returns the options that Python sees in a section: those of DEFAULT
// first, then its own, in the order of the file. Of DEFAULT these are its own.
func (f *File) Options(name string) []Option {
	var all []Option
	own := f.byName[name]
	if defaults := f.byName[Default]; defaults != nil && name != Default {
		for _, o := range defaults.options {
			if own != nil {
				if over := own.byName[o.name]; over != nil {
					o = over // in the place of the default
				}
			}
			all = append(all, o.public())
		}
	}
	if own == nil {
		return all
	}
	for _, o := range own.options {
		if !slices.ContainsFunc(all, func(have Option) bool { return have.Name == o.name }) {
			all = append(all, o.public())
		}
	}
	return all
}

// Get returns an option of a section, or else of DEFAULT. name is in lower
// case.
func (f *File) Get(in, name string) (Option, bool) {
	for _, s := range []*section{f.byName[in], f.byName[Default]} {
		if s == nil {
			continue
		}
		if o := s.byName[name]; o != nil {
			return o.public(), true
		}
	}
	return Option{}, false
}

func (o *option) public() Option { return Option{Name: o.name, Value: o.value, Line: o.first + 1} }

// Bytes returns the file's text.
func (f *File) Bytes() []byte {
	var out []byte
	for _, l := range f.lines {
		out = append(append(out, l.text...), l.end...)
	}
	return out
}

// fault is an error at a line, counted from 0.
func (f *File) fault(index int, msg, hint string) error {
	return &yamldoc.Error{Path: f.Path, Line: index + 1, Msg: msg, Hint: hint}
}
