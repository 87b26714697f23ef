package lock

import (
	"context"
	"slices"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Resolver asks a remote's server what its refs point at.
type Resolver interface {
	// Resolve returns the commit of each of refs that exists on url. An
	// annotated tag counts as the commit it points at.
	Resolve(ctx context.Context, url string, refs []string) (map[string]string, error)
	// Refs lists the branches and tags of url by their short names.
	Refs(ctx context.Context, url string) ([]string, error)
}

// TagResolver is a Resolver that also tells which of the refs are tags.
type TagResolver interface {
	Resolver
	ResolveTags(ctx context.Context, url string, refs []string) (commits map[string]string, tags map[string]bool, err error)
}

// Update computes the lock that repos asks for, on the base of the lock old.
// What refresh does not name keeps its commit; what old lacks is resolved;
// what repos lacks is dropped. jobs is how many remotes are asked at once.
//
// The error joins all that went wrong, each fault with its line.
func Update(ctx context.Context, repos, old *File, refresh Refresh, resolver Resolver, jobs int) (*File, error) {
	if err := refresh.check(repos); err != nil {
		return nil, err
	}
	next, faults, err := update(ctx, repos, old, refresh, resolver, jobs)
	if err == nil {
		err = joined(faults)
	}
	if err != nil {
		return nil, err
	}
	for i := range next.Destinations {
		carryTrees(&next.Destinations[i], old.Find(next.Destinations[i].Path))
	}
	return next, nil
}

func update(ctx context.Context, repos, old *File, refresh Refresh, resolver Resolver, jobs int) (*File, []located, error) {
	next := &File{Path: old.Path}
	var wanted []*want
	for i := range repos.Destinations {
		next.Destinations = append(next.Destinations, copyDestination(&repos.Destinations[i]))
	}
	for i := range next.Destinations {
		d := &next.Destinations[i]
		keep(d, old.Find(d.Path))
		for j := range d.Merges {
			if w := newWant(d, &d.Merges[j], refresh); w != nil {
				wanted = append(wanted, w)
			}
		}
	}
	faults, err := resolve(ctx, repos, wanted, resolver, jobs)
	return next, faults, err
}

func copyDestination(d *Destination) Destination {
	out := *d
	out.Merges = slices.Clone(d.Merges)
	return out
}

// keep gives each merge of d the commit that before has locked for the same
// remote and ref, and returns which merges of before were used. A lock
// without refs is matched by position.
func keep(d, before *Destination) (used []bool) {
	if before == nil {
		return nil
	}
	used = make([]bool, len(before.Merges))
	for i := range d.Merges {
		m := &d.Merges[i]
		for j := range before.Merges {
			b := &before.Merges[j]
			if !used[j] && b.Remote == m.Remote && (b.Ref == m.Ref || b.Ref == "" && i == j) {
				m.Commit, used[j] = b.Commit, true
				break
			}
		}
	}
	return used
}

// want is one merge whose ref must be resolved.
type want struct {
	dest   *Destination
	merge  *Merge
	locked string // what it is at; "" when the lock lacks it
	url    string
}

// newWant returns nil when the merge keeps its commit, or is one.
func newWant(d *Destination, m *Merge, refresh Refresh) *want {
	if gitname.IsObjectID(m.Ref) {
		m.Commit = m.Ref
		return nil
	}
	if m.Commit != "" && !refresh.Selects(d.Path, m.Remote, m.Ref) {
		return nil
	}
	return &want{dest: d, merge: m, locked: m.Commit, url: d.Remote(m.Remote).URL}
}

// carryTrees keeps the recorded merge bases and tree of a destination whose
// commits are all the same as before.
func carryTrees(d, before *Destination) {
	if before == nil || !slices.EqualFunc(d.Merges, before.Merges, func(a, b Merge) bool { return a.Commit == b.Commit }) {
		return
	}
	d.Tree = before.Tree
	for i := range d.Merges {
		d.Merges[i].MergeBase = before.Merges[i].MergeBase
	}
}
