package lock

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// Change is a merge whose commit differs between two locks.
type Change struct {
	Dest   string `json:"destination"`
	Remote string `json:"remote"`
	Ref    string `json:"ref"`
	Old    string `json:"old"` // empty: the merge is new
	New    string `json:"new"` // empty: the merge is gone, or not locked yet
	URL    string `json:"url"`
}

// Moved reports whether the merge stands in both locks.
func (c Change) Moved() bool { return c.Old != "" && c.New != "" }

// Changes lists what differs in the commits from old to next: in next's
// order, what is gone after what its destination still has, and destinations
// that are gone last. A locked merge without a ref is matched by position.
func Changes(old, next *File) []Change {
	var changes []Change
	for i := range next.Destinations {
		d := &next.Destinations[i]
		changes = append(changes, destinationChanges(old.Find(d.Path), d)...)
	}
	for i := range old.Destinations {
		if d := &old.Destinations[i]; next.Find(d.Path) == nil {
			changes = append(changes, destinationChanges(d, &Destination{Path: d.Path, Remotes: d.Remotes})...)
		}
	}
	return changes
}

func destinationChanges(before, d *Destination) []Change {
	if before == nil {
		before = &Destination{}
	}
	previous := copyDestination(d)
	for i := range previous.Merges {
		previous.Merges[i].Commit = ""
	}
	kept := keep(&previous, before)
	var changes []Change
	for i := range d.Merges {
		m := &d.Merges[i]
		if was := previous.Merges[i].Commit; was != m.Commit || was == "" {
			changes = append(changes, Change{d.Path, m.Remote, m.Ref, was, m.Commit, d.Remote(m.Remote).URL})
		}
	}
	for i := range before.Merges {
		if m := &before.Merges[i]; !kept[i] {
			changes = append(changes, Change{d.Path, m.Remote, m.Ref, m.Commit, "", before.Remote(m.Remote).URL})
		}
	}
	return changes
}

// InSync reports whether the lock says what next says, whatever its comments
// on merge bases and trees and its layout. A locked merge without a ref agrees
// with any ref of its remote.
func InSync(locked, next *File) bool {
	return len(locked.Destinations) == len(next.Destinations) &&
		slices.EqualFunc(locked.Destinations, next.Destinations, sameDestination)
}

func sameDestination(a, b Destination) bool {
	return a.Path == b.Path && a.Target == b.Target && sameFields(a.Extra, b.Extra) &&
		slices.EqualFunc(a.Remotes, b.Remotes, func(x, y Remote) bool { return x.Name == y.Name && x.URL == y.URL }) &&
		slices.EqualFunc(a.Merges, b.Merges, func(x, y Merge) bool {
			return x.Remote == y.Remote && (x.Ref == y.Ref || x.Ref == "") && x.Commit == y.Commit && sameFields(x.Options, y.Options)
		})
}

// sameFields compares carried-over keys by what they would be written as.
func sameFields(a, b []Field) bool {
	return slices.EqualFunc(a, b, func(x, y Field) bool {
		return x.Key == y.Key && sameNode(x.Value, y.Value)
	})
}

func sameNode(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && (a.Value == b.Value || isNull(a)) && a.ShortTag() == b.ShortTag() &&
		slices.EqualFunc(a.Content, b.Content, sameNode)
}
