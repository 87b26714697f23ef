package odoo

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// manifestNames are the files that make a directory a module, the one that
// Odoo prefers first.
func manifestNames() []string { return []string{"__manifest__.py", "__openerp__.py"} }

// Manifest is what a build needs of a module's manifest. What the file does
// not say has Odoo's default.
type Manifest struct {
	Path    string // of the file
	Name    string // for people; empty by default
	Version string // as written, with or without the series; 1.0 by default
	License string // empty by default, which Odoo takes for LGPL-3

	Depends        []string // modules, in the order of the file; a set's sorted
	ExternalPython []string // requirements, as written
	ExternalBin    []string // programs
	Installable    bool

	// AutoInstall says that Odoo installs the module by itself when all of
	// AutoInstallOn are: those that auto_install lists, or all of Depends.
	AutoInstall   bool
	AutoInstallOn []string
}

// ReadManifest reads the manifest of the module in the directory dir, which is
// relative to tree. It reads __openerp__.py when there is no __manifest__.py;
// the error satisfies errors.Is(fs.ErrNotExist) when there is neither. For
// faults see ParseManifest.
func ReadManifest(tree, dir string) (*Manifest, error) {
	for _, base := range manifestNames() {
		name := filepath.Join(dir, base)
		data, err := readFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return ParseManifest(filepath.Join(tree, name), data)
	}
	return nil, fmt.Errorf("%s has no %s: %w", filepath.Join(tree, dir), manifestNames()[0], fs.ErrNotExist)
}

// ParseManifest reads a manifest, which name names in errors. All faults are
// reported at once, each as a *yamldoc.Error with its line.
func ParseManifest(name string, data []byte) (*Manifest, error) {
	v, err := pyliteral.Parse(name, data)
	if err != nil {
		return nil, err
	}
	dict, ok := v.(*pyliteral.Dict)
	if !ok {
		return nil, &yamldoc.Error{Path: name, Line: 1, Msg: "is no manifest: it must hold one dict", Hint: "a small one: {'name': 'Sale fix', 'depends': ['sale']}"}
	}
	r := &manifestReader{path: name, dict: dict}
	m := r.manifest()
	if err := r.err(); err != nil {
		return nil, err
	}
	return m, nil
}

type manifestReader struct {
	path string
	dict *pyliteral.Dict
	errs []*yamldoc.Error
}

// err joins the faults in the order of their lines.
func (r *manifestReader) err() error {
	slices.SortStableFunc(r.errs, func(a, b *yamldoc.Error) int { return a.Line - b.Line })
	var all []error
	for _, e := range r.errs {
		all = append(all, e)
	}
	return errors.Join(all...)
}

func (r *manifestReader) fault(line int, format string, args ...any) {
	r.errs = append(r.errs, &yamldoc.Error{Path: r.path, Line: line, Msg: fmt.Sprintf(format, args...)})
}

func (r *manifestReader) manifest() *Manifest {
	m := &Manifest{
		Path: r.path, Name: r.text("name", ""), Version: r.text("version", "1.0"), License: r.text("license", ""),
		Installable: r.truth("installable", true),
	}
	if e, ok := r.dict.Get("depends"); ok && !isUnset(e.Value) {
		m.Depends = r.modules("depends", e)
	}
	r.external(m)
	r.autoInstall(m)
	return m
}

// text returns a text value; None is none.
func (r *manifestReader) text(key, otherwise string) string {
	e, ok := r.dict.Get(key)
	if !ok || e.Value == nil {
		return otherwise
	}
	s, ok := e.Value.(string)
	if !ok || !utf8.ValidString(s) {
		r.fault(e.Line, "%s must be text", key)
	}
	return s
}

func (r *manifestReader) truth(key string, otherwise bool) bool {
	e, ok := r.dict.Get(key)
	if !ok {
		return otherwise
	}
	return pyliteral.Truth(e.Value)
}

// external reads external_dependencies. Other keys than python and bin, such
// as deb, are for others.
func (r *manifestReader) external(m *Manifest) {
	e, ok := r.dict.Get("external_dependencies")
	if !ok || !pyliteral.Truth(e.Value) {
		return
	}
	dict, ok := e.Value.(*pyliteral.Dict)
	if !ok {
		r.fault(e.Line, "external_dependencies must be a dict, such as {'python': ['lxml']}")
		return
	}
	m.ExternalPython = r.externals(dict, "python")
	m.ExternalBin = r.externals(dict, "bin")
}

func (r *manifestReader) externals(dict *pyliteral.Dict, key string) []string {
	e, ok := dict.Get(key)
	if !ok || isUnset(e.Value) {
		return nil
	}
	return r.texts("external_dependencies: "+key, e)
}

func (r *manifestReader) autoInstall(m *Manifest) {
	e, ok := r.dict.Get("auto_install")
	if !ok {
		return
	}
	switch e.Value.(type) {
	case pyliteral.List, pyliteral.Tuple, *pyliteral.Set:
		m.AutoInstall = true // by an empty list, too
		m.AutoInstallOn = r.modules("auto_install", e)
		for _, name := range m.AutoInstallOn {
			if !slices.Contains(m.Depends, name) {
				r.fault(e.Line, "auto_install names %s, which depends does not", name)
			}
		}
	case string, pyliteral.Bytes, *pyliteral.Dict:
		r.fault(e.Line, "auto_install must be True, False or a list of modules")
	default:
		if pyliteral.Truth(e.Value) {
			m.AutoInstall, m.AutoInstallOn = true, m.Depends
		}
	}
}

func (r *manifestReader) modules(key string, e pyliteral.Entry) []string {
	names := r.texts(key, e)
	for _, name := range names {
		if !IsModuleName(name) {
			r.fault(e.Line, "%s: %q is no name of a module", key, name)
		}
	}
	return names
}

// texts returns the items of a list, a tuple or a set.
func (r *manifestReader) texts(key string, e pyliteral.Entry) []string {
	var items []pyliteral.Value
	switch v := e.Value.(type) {
	case pyliteral.List:
		items = v
	case pyliteral.Tuple:
		items = v
	case *pyliteral.Set:
		items = v.Items
	default:
		r.fault(e.Line, "%s must be a list", key)
		return nil
	}
	var all []string
	for _, item := range items {
		s, ok := item.(string)
		if !ok || s == "" || !utf8.ValidString(s) {
			r.fault(e.Line, "%s must hold nothing but text", key)
			return nil
		}
		all = append(all, s)
	}
	if _, ok := e.Value.(*pyliteral.Set); ok {
		slices.Sort(all)
	}
	return all
}

// isUnset reports whether a list was left out by writing None or False.
func isUnset(v pyliteral.Value) bool { return v == nil || v == false }

const longestModule = 128 // characters; Odoo's own longest has 50

// IsModuleName reports whether a directory of that name can be a module: it
// must be a Python name, but may begin with a digit.
func IsModuleName(name string) bool {
	if name == "" || utf8.RuneCountInString(name) > longestModule || path.Base(name) != name || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}
