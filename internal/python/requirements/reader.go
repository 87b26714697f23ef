package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Bounds of what one Normalize reads.
const (
	maxDepth = 10      // of includes
	maxFiles = 100     // included ones counted each time
	maxBytes = 8 << 20 // of all files
	maxLines = 10_000  // requirements and options of all files
)

// role is what the lines of a file are for.
type role int

const (
	installs role = iota
	bounds
	overrides
)

func (r role) String() string {
	return [...]string{"a requirements file", "a constraints file", "an overrides file"}[r]
}

// reader reads files with what they include.
type reader struct {
	root    string // that files are named relative to; "" for none
	environ map[string]string
	fetched string // the directory of sources that others wrote, links resolved; "" for none

	lines   [overrides + 1][]Line
	options []Option
	faults  []error
	files   int
	bytes   int
	count   int
}

// source is a file that is being read.
type source struct {
	path    string // as opened
	name    string // as shown
	wall    string // the directory, links resolved, that includes must not leave; "" for none
	role    role
	parents []string // the files that include this one, links resolved, and itself
}

// top reads a file that the caller named.
func (r *reader) top(path string, role role) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("read %s %s: %w", role, path, missing(err)))
		return
	}
	s := source{path: path, name: r.shown(path), role: role, parents: []string{target}}
	if r.root != "" {
		s.wall = filepath.Dir(target)
		if root, err := filepath.EvalSymlinks(r.root); err == nil && within(root, target) {
			s.wall = root
		}
	}
	r.read(s)
}

// missing is err without the paths that the system call repeats.
func missing(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// within reports whether path is dir or below it. Both are absolute or both
// relative.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// isFetched reports whether a file comes with sources that others wrote: its
// last parent is itself, links resolved.
func (r *reader) isFetched(s source) bool {
	return r.fetched != "" && within(r.fetched, s.parents[len(s.parents)-1])
}

// shown names a file in results: relative to the root, or as it was given.
func (r *reader) shown(path string) string {
	path = filepath.Clean(path)
	if r.root != "" {
		if rel, err := filepath.Rel(r.root, path); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	if filepath.IsAbs(path) {
		path = filepath.Base(path)
	}
	return filepath.ToSlash(path)
}

func (r *reader) read(s source) {
	data, err := yamldoc.ReadFile(s.path)
	if err != nil {
		r.faults = append(r.faults, err)
		return
	}
	r.files++
	r.bytes += len(data)
	if r.files > maxFiles || r.bytes > maxBytes {
		if r.files <= maxFiles+1 { // once
			r.faults = append(r.faults, &yamldoc.Error{Path: s.path, Msg: fmt.Sprintf("includes make for more than %d files or %d MiB", maxFiles, maxBytes>>20)})
		}
		r.files = maxFiles + 1
		return
	}
	text, faults := decode(data)
	r.report(s, faults)
	environ := r.environ
	if r.isFetched(s) {
		environ = nil
	}
	lines, faults := logicalLines(text, environ)
	r.report(s, faults)
	for _, l := range lines {
		if len(r.faults) >= maxFaults || r.files > maxFiles || r.count > maxLines {
			return
		}
		if r.count++; r.count > maxLines {
			r.faults = append(r.faults, &yamldoc.Error{Path: s.path, Line: l.number, Msg: fmt.Sprintf("the files have more than %d lines", maxLines)})
			return
		}
		if err := r.statement(s, l); err != nil {
			r.faults = append(r.faults, at(s.path, l.number, err))
		}
	}
}

func (r *reader) report(s source, faults []fault) {
	for _, f := range faults {
		if len(r.faults) < maxFaults {
			r.faults = append(r.faults, at(s.path, f.line, f.err))
		}
	}
}

// statement takes a line of a file in.
func (r *reader) statement(s source, l logical) error {
	st, err := parseStatement(l, Origin{File: s.name, Line: l.number, path: s.path})
	if err != nil {
		return err
	}
	switch {
	case st.requirement != "" && s.role == bounds:
		return advise("a constraints file installs nothing, but -r names what to install", "write -c instead")
	case st.requirement != "":
		return r.include(s, l, st.requirement, s.role)
	case st.constraint != "" && s.role == overrides:
		return advise("an overrides file holds no constraints", "write the -c line into a constraints file")
	case st.constraint != "":
		return r.include(s, l, st.constraint, bounds)
	case len(st.options) > 0 && s.role == overrides:
		return advise(st.options[0].Name+" has no place in an overrides file", "write it into a requirements file")
	case len(st.options) > 0 && r.isFetched(s) && slices.ContainsFunc(st.options, Option.network):
		return advise("a file of fetched sources names where packages come from", "write the option into a file of your own if you want that")
	case st.line == nil:
		r.options = append(r.options, st.options...)
		return nil
	case st.line.Name == "" && s.role != installs:
		return advise(fmt.Sprintf("%s names no package; %s needs names", l.shown(st.line.Text), s.role), "write NAME @ URL")
	case len(st.line.Requirement.Extras) > 0 && s.role == bounds:
		return advise("a constraint has no extras", "write them into a requirements file, and only the version here")
	}
	r.lines[s.role] = append(r.lines[s.role], *st.line)
	return nil
}

// include reads the file that -r or -c names, relative to the file it stands in.
func (r *reader) include(s source, l logical, name string, role role) error {
	switch {
	case isURL(name):
		return advise(l.shown(name)+" is a URL; only files are included", "download the file and put it beside this one")
	case filepath.IsAbs(name):
		return advise(l.shown(name)+" is an absolute path", "write the path relative to this file")
	case len(s.parents) > maxDepth:
		return fmt.Errorf("files include each other deeper than %d levels", maxDepth)
	}
	path := filepath.Join(filepath.Dir(s.path), name)
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("cannot include %s: %w", l.shown(name), missing(err))
	}
	if s.wall != "" && !within(s.wall, target) {
		return advise(l.shown(name)+" is outside of the directory tree of this file", "copy it into the tree")
	}
	if slices.Contains(s.parents, target) {
		return fmt.Errorf("%s includes itself", l.shown(name))
	}
	r.read(source{path: path, name: r.shownInclude(s, path), wall: s.wall, role: role, parents: append(slices.Clip(s.parents), target)})
	return nil
}

// shownInclude names an included file beside the one that includes it.
func (r *reader) shownInclude(s source, path string) string {
	if rel, err := filepath.Rel(filepath.Dir(s.path), path); err == nil {
		joined := filepath.ToSlash(filepath.Join(filepath.Dir(filepath.FromSlash(s.name)), rel))
		if filepath.IsLocal(filepath.FromSlash(joined)) {
			return joined
		}
	}
	return r.shown(path)
}
