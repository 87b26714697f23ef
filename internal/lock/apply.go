package lock

import (
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Keep returns next with the commits that old has locked in place of its own:
// what repos.yaml declares, with nothing moved.
func Keep(old, next *File) *File {
	kept := &File{Path: next.Path}
	for i := range next.Destinations {
		d := copyDestination(&next.Destinations[i])
		before := old.Find(d.Path)
		keep(&d, before)
		for j := range d.Merges {
			if m := &d.Merges[j]; gitname.IsObjectID(m.Ref) {
				m.Commit = m.Ref
			}
		}
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

// Patch makes the moves of changes in the text of the lock old: it replaces
// the commits and leaves every other byte as it is, but for what was recorded
// of the trees of what moves. A text in which that is not possible is written
// anew.
func Patch(data []byte, old *File, changes []Change, policy gitname.Policy) ([]byte, error) {
	wanted := Apply(old, changes)
	lines := strings.SplitAfter(string(data), "\n")
	for _, c := range changes {
		if d := old.Find(c.Dest); d != nil && c.Moved() {
			patch(lines, d, destinationEnd(old, d, len(lines)), c)
		}
	}
	patched := []byte(strings.Join(lines, ""))
	if got, err := ParseLock(old.Path, patched, policy); err == nil && InSync(got, wanted) && sameTrees(got, wanted) {
		return patched, nil
	}
	return Format(wanted)
}

// patch replaces a commit in the lines of a destination, which end before the
// line end, and empties the lines that record its trees.
func patch(lines []string, d *Destination, end int, c Change) {
	for i := d.Line; i < end-1; i++ {
		if parts := keyComment.FindStringSubmatch(strings.TrimSuffix(lines[i], "\n")); parts != nil && parts[1] != "locked-from" {
			lines[i] = ""
		}
	}
	at := slices.IndexFunc(d.Merges, func(m Merge) bool { return matches(&m, c) })
	if at < 0 {
		return
	}
	for i := d.Merges[at].Line - 1; i < end-1; i++ {
		if strings.Contains(lines[i], c.Old) {
			lines[i] = strings.Replace(lines[i], c.Old, c.New, 1)
			return
		}
	}
}

// destinationEnd is the 1-based line at which the next destination begins.
func destinationEnd(f *File, d *Destination, lines int) int {
	end := lines + 1
	for i := range f.Destinations {
		if next := f.Destinations[i].Line; next > d.Line {
			end = min(end, next)
		}
	}
	return end
}

func sameTrees(a, b *File) bool {
	return slices.EqualFunc(a.Destinations, b.Destinations, func(x, y Destination) bool {
		return x.Tree == y.Tree && slices.EqualFunc(x.Merges, y.Merges, func(m, n Merge) bool { return m.MergeBase == n.MergeBase })
	})
}

// matches reports whether c is about the merge m of a lock.
func matches(m *Merge, c Change) bool {
	return m.Remote == c.Remote && (m.Ref == c.Ref || m.Ref == "") && m.Commit == c.Old
}

func move(d *Destination, c Change) {
	d.Tree = ""
	for i := range d.Merges {
		m := &d.Merges[i]
		m.MergeBase = ""
		if matches(m, c) {
			m.Ref, m.Commit = c.Ref, c.New
		}
	}
}
