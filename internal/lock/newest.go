package lock

import (
	"cmp"
	"context"
	"slices"
)

// Lost is a merge whose ref could not be resolved.
type Lost struct {
	Dest, Remote, Ref, URL string
	Locked                 string // full object id; "" when the lock lacks it
	// Err is a *yamldoc.Error when the remote has no such ref, and a *RemoteError
	// when the remote could not be asked; then it is the same for all its merges.
	Err error
}

// Newest computes the lock in which every merge is at the newest commit of its
// ref, and lists the merges of which that cannot be told, in the order of repos:
// these stay at what locked has. A destination with one that locked does not have
// stays as a whole, or is left out when it is not locked at all. jobs is how many
// remotes are asked at once. The error is that ctx has ended.
func Newest(ctx context.Context, repos, locked *File, resolver Resolver, jobs int) (newest *File, lost []Lost, err error) {
	newest, faults, err := update(ctx, repos, locked, Refresh{All: true}, resolver, jobs)
	if err != nil {
		return nil, nil, err
	}
	type found struct {
		Lost
		line int
	}
	var all []found
	frozen := map[string]bool{}
	for _, f := range faults {
		for _, w := range f.wants {
			w.merge.Commit = w.locked
			commit := w.locked
			if before := locked.Find(w.dest.Path); before != nil && commit != "" && !before.asks(w.merge.Remote, w.url) {
				commit = "" // it is locked from elsewhere
			}
			all = append(all, found{Lost{w.dest.Path, w.merge.Remote, w.merge.Ref, w.url, commit, f.err}, w.merge.Line})
			frozen[w.dest.Path] = frozen[w.dest.Path] || commit == ""
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(a.line, b.line) })
	for _, one := range all {
		lost = append(lost, one.Lost)
	}
	kept := newest.Destinations[:0]
	for i := range newest.Destinations {
		d := &newest.Destinations[i]
		before := locked.Find(d.Path)
		switch {
		case !frozen[d.Path]:
			carryTrees(d, before)
			kept = append(kept, *d)
		case before != nil:
			kept = append(kept, asLocked(before))
		}
	}
	newest.Destinations = kept
	return newest, lost, nil
}

// asks reports whether a remote of the destination has a URL.
func (d *Destination) asks(remote, url string) bool {
	return slices.ContainsFunc(d.Remotes, func(r Remote) bool { return r.Name == remote && r.URL == url })
}

// asLocked is a destination as it is locked. A merge whose ref the lock does not
// have is pinned to its commit.
func asLocked(before *Destination) Destination {
	d := copyDestination(before)
	for i := range d.Merges {
		d.Merges[i].Ref = cmp.Or(d.Merges[i].Ref, d.Merges[i].Commit)
	}
	return d
}
