package lock

// Keep returns next with the commits that old has locked in place of its own:
// what repos.yaml declares, with nothing moved.
func Keep(old, next *File) *File {
	kept := &File{Path: next.Path}
	for i := range next.Destinations {
		d := copyDestination(&next.Destinations[i])
		before := old.Find(d.Path)
		keep(&d, before)
		carryTrees(&d, before)
		kept.Destinations = append(kept.Destinations, d)
	}
	return kept
}

// Apply returns old with the moves of changes made and nothing else touched.
// What was recorded of a destination's tree is dropped when it moves.
func Apply(old *File, changes []Change) *File {
	out := &File{Path: old.Path}
	for i := range old.Destinations {
		d := copyDestination(&old.Destinations[i])
		for _, c := range changes {
			if c.Moved() && c.Dest == d.Path {
				move(&d, c)
			}
		}
		out.Destinations = append(out.Destinations, d)
	}
	return out
}

func move(d *Destination, c Change) {
	d.Tree = ""
	for i := range d.Merges {
		m := &d.Merges[i]
		m.MergeBase = ""
		if m.Remote == c.Remote && (m.Ref == c.Ref || m.Ref == "") && m.Commit == c.Old {
			m.Ref, m.Commit = c.Ref, c.New
		}
	}
}
