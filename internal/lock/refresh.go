package lock

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/near"
)

// Refresh names the merges that may move to the newest commit of their ref.
// The zero value names none.
type Refresh struct {
	All          bool
	Destinations []string
	Merges       []MergeName
}

// None reports whether nothing may move.
func (r Refresh) None() bool { return !r.All && len(r.Destinations) == 0 && len(r.Merges) == 0 }

// MergeName names one merge of one destination.
type MergeName struct{ Dest, Remote, Ref string }

func (n MergeName) String() string { return n.Dest + " " + n.Remote + " " + n.Ref }

// Selects reports whether the merge may move.
func (r Refresh) Selects(dest, remote, ref string) bool {
	return r.All ||
		slices.ContainsFunc(r.Destinations, func(d string) bool { return path.Clean(d) == path.Clean(dest) }) ||
		slices.ContainsFunc(r.Merges, func(m MergeName) bool {
			return path.Clean(m.Dest) == path.Clean(dest) && m.Remote == remote && m.Ref == ref
		})
}

// NameError is a destination or merge that repos.yaml does not have.
type NameError struct {
	Kind string // "destination" or "merge"
	Name string
	Near []string // names that resemble it
	All  []string // names that there are
}

// InvalidInput says that it is the user who can mend it.
func (*NameError) InvalidInput() {}

func (e *NameError) Error() string {
	text := fmt.Sprintf("there is no %s %s", e.Kind, e.Name)
	if len(e.Near) > 0 {
		text += "\n  near: " + strings.Join(e.Near, ", ")
	}
	return text + "\n  all: " + strings.Join(e.All, ", ")
}

func (r Refresh) check(repos *File) error {
	for _, dest := range r.Destinations {
		if repos.Find(dest) == nil {
			return nameError("destination", dest, repos.Paths())
		}
	}
	for _, m := range r.Merges {
		d := repos.Find(m.Dest)
		if d == nil {
			return nameError("destination", m.Dest, repos.Paths())
		}
		var all []string
		for i := range d.Merges {
			all = append(all, MergeName{d.Path, d.Merges[i].Remote, d.Merges[i].Ref}.String())
		}
		if !slices.Contains(all, MergeName{d.Path, m.Remote, m.Ref}.String()) {
			return nameError("merge", m.String(), all)
		}
	}
	return nil
}

func nameError(kind, name string, all []string) *NameError {
	return &NameError{Kind: kind, Name: name, Near: near.Names(name, all), All: all}
}
