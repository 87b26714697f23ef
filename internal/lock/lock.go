// Package lock reads repos.yaml and repos.lock.yaml, computes the next lock
// and writes it. It is pure: the network is behind Resolver.
//
// repos.yaml has git-aggregator 4.1's format. The lock has the same, with
// commits in the place of refs, and comments that carry what git-aggregator
// does not need to know.
package lock

import (
	"path"
	"slices"

	"gopkg.in/yaml.v3"
)

// File is a repos.yaml or a repos.lock.yaml: destinations in file order.
type File struct {
	Path         string // names the file in errors
	Destinations []Destination
}

// Destination is one directory and what is aggregated into it.
type Destination struct {
	Path    string // as written, such as "./odoo"
	Line    int    // in the file it was read from; 0 when it was not
	Remotes []Remote
	Target  string // "BRANCH" or "REMOTE BRANCH"; may be empty
	Extra   []Field
	Merges  []Merge
	Tree    string // tree of the aggregate, when known; in a lock only
}

// Remote is a named URL.
type Remote struct {
	Name, URL string
	Line      int
}

// Merge is one ref to merge; the first of a destination is its base.
type Merge struct {
	Remote string
	// Ref is what the human wrote. It is empty in a lock that lacks the
	// locked-from comments.
	Ref       string
	Commit    string // full object id; empty in repos.yaml
	Tag       bool   // Ref is known to be a tag; what Newest returns tells
	MergeBase string // with the merges before it, when known; in a lock only
	Options   []Field
	Line      int
}

// Field is a key that this package carries over without reading it: depth and
// its like in a merge, defaults or shell_command_after in a destination.
type Field struct {
	Key   string
	Value *yaml.Node
}

// Clean is the destination's path in the form that compares: "odoo" for
// "./odoo/".
func (d *Destination) Clean() string { return path.Clean(d.Path) }

// Remote returns the remote with that name, or nil.
func (d *Destination) Remote(name string) *Remote {
	for i := range d.Remotes {
		if d.Remotes[i].Name == name {
			return &d.Remotes[i]
		}
	}
	return nil
}

// Find returns the destination with that path, however it is spelled, or nil.
func (f *File) Find(dest string) *Destination {
	i := slices.IndexFunc(f.Destinations, func(d Destination) bool { return d.Clean() == path.Clean(dest) })
	if i < 0 {
		return nil
	}
	return &f.Destinations[i]
}

// Paths lists the destinations as they are written.
func (f *File) Paths() []string {
	var paths []string
	for i := range f.Destinations {
		paths = append(paths, f.Destinations[i].Path)
	}
	return paths
}

// Merges counts the merges of all destinations.
func (f *File) Merges() int {
	n := 0
	for i := range f.Destinations {
		n += len(f.Destinations[i].Merges)
	}
	return n
}
