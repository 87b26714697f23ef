package lock

import (
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Replayed is what merging a destination's commits gives.
type Replayed struct {
	Dest  string
	Tree  string
	Bases []string // of each merge with those before it; "" where there is none, or several
}

// Record writes into the text of a lock what merges give: comments above the
// merges and below the last one, and no other byte. A text that has no lines for
// them is returned as it is.
func Record(data []byte, replayed Replayed, policy gitname.Policy) []byte {
	file, err := ParseLock("", data, policy)
	if err != nil {
		return data
	}
	d := file.Find(replayed.Dest)
	if d == nil || len(d.Merges) != len(replayed.Bases) {
		return data
	}
	wanted := &File{}
	for i := range file.Destinations {
		w := copyDestination(&file.Destinations[i])
		if w.Clean() == path.Clean(replayed.Dest) {
			w.Tree = replayed.Tree
			for j := range w.Merges {
				w.Merges[j].MergeBase = replayed.Bases[j]
			}
		}
		wanted.Destinations = append(wanted.Destinations, w)
	}
	recorded := []byte(strings.Join(record(strings.SplitAfter(string(data), "\n"), d, replayed, destinationEnd(file, d, len(strings.Split(string(data), "\n")))), ""))
	if got, err := ParseLock("", recorded, policy); err != nil || !InSync(got, wanted) || !sameTrees(got, wanted) {
		return data
	}
	return recorded
}

// record returns the lines with those of a destination's trees in them; the
// destination ends before the line end.
func record(lines []string, d *Destination, replayed Replayed, end int) (out []string) {
	ends := map[int]string{} // what is to stand above a line
	for i := range d.Merges {
		at := d.Merges[i].Line - 1
		space := strings.Repeat(" ", indent(lines[at]))
		if replayed.Bases[i] != "" {
			ends[at] += space + "# merge-base: " + replayed.Bases[i] + "\n"
		}
		if i == len(d.Merges)-1 {
			below := at + 1
			for below < min(end-1, len(lines)) && strings.TrimSpace(lines[below]) != "" && indent(lines[below]) > indent(lines[at]) {
				below++
			}
			ends[below] += space + "# tree: " + replayed.Tree + "\n"
		}
	}
	for i := range lines {
		stale := keyComment.FindStringSubmatch(strings.TrimRight(lines[i], "\r\n"))
		if i >= d.Line && i < end-1 && stale != nil && stale[1] != "locked-from" {
			lines[i] = ""
		}
		out = append(out, ends[i], lines[i])
	}
	return slices.Concat(out, []string{ends[len(lines)]})
}
