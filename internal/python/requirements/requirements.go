// Package requirements reads pip's requirements files for one interpreter:
// what is asked for, what only bounds versions, what replaces what, and what
// a lock holds. It asks no index and runs nothing.
package requirements

import (
	"fmt"
	"slices"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// Input names what Normalize reads. Paths are absolute or relative to the
// working directory.
type Input struct {
	Files       []string           // requirements files, the most general first: Odoo's requirements.txt, requirements.in, more
	Constraints []string           // constraints files; they install nothing
	Overrides   string             // the overrides file; "" for none
	Env         pep508.Environment // the interpreter that markers are evaluated for
	Environ     []string           // KEY=VALUE, for ${KEY} in the files
	// Fetched is the directory of sources that others wrote: files below it have
	// no variables, and name no index. None when empty.
	Fetched string
	// Root is the directory that files are named relative to in a Result, and
	// that includes must not leave. "" names them as they were given, absolute
	// ones by their last element.
	Root string
}

// Origin is where a line stands. Line is 1-based, that of the first of
// several joined by backslashes.
type Origin struct {
	File string // relative, slashes; never an absolute path
	Line int

	path string // as opened, for errors
}

func (o Origin) String() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// Line is one requirement.
type Line struct {
	Origin
	Name           string             // normalised (PEP 503); "" for a URL that names no package
	Text           string             // as it goes into the output: one line, without marker and comment
	Marker         string             // as written; "" when there was none
	Requirement    pep508.Requirement // zero but for URL when Name is ""
	Hashes         []string           // "sha256:…", in the order of the file
	ConfigSettings []string           // "KEY=VALUE", in the order of the file
}

// Option is a global option of a file, such as --index-url.
type Option struct {
	Origin
	Name  string // long form, with the dashes: "--extra-index-url"
	Value string // "" for one that takes none
	Text  string // as it goes into the output
}

// network reports whether an option says which servers are asked or trusted.
func (o Option) network() bool {
	return slices.Contains([]string{"--index-url", "--extra-index-url", "--find-links", "--trusted-host", "--no-index"}, o.Name)
}

// Replaced is a line that gave way to an override.
type Replaced struct {
	Old        Line
	New        Line // the override
	Constraint bool // Old is a line of a constraints file
}

// Result is what holds for one interpreter. Markers are decided, so that its
// lines carry none.
type Result struct {
	Lines       []Line     // what to install, overrides applied, in the order of the files
	Constraints []Line     // bounds, overrides applied
	Options     []Option   // in the order of the files, each once, where it stands last
	Dropped     []Line     // lines whose marker is false
	Replaced    []Replaced // lines that an override replaced
	// Bounding are the overrides of packages that no active line installs.
	// They stand in Constraints, and so hold for packages that others need.
	Bounding []Line

	python string // "3.10"
}
