package lock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// ErrShape is of merges that cannot be taken out of a text line by line: several
// stand on one line, or they are shared by an alias.
var ErrShape = errors.New("the merges are not one a line")

// Drop takes merges of a destination, by their positions, out of the text of a
// repos.yaml, or of a lock when locked is set, together with remotes that nothing
// uses any more. Every other byte stays, comments too, but for those that a lock
// has for what goes. It returns the remotes that went.
func Drop(path string, data []byte, locked bool, dest string, positions []int, policy gitname.Policy) (out []byte, remotes []string, err error) {
	read := Parse
	if locked {
		read = ParseLock
	}
	file, err := read(path, data, policy)
	if err != nil {
		return nil, nil, err
	}
	d := file.Find(dest)
	if d == nil || len(positions) >= len(d.Merges) {
		return nil, nil, fmt.Errorf("%s has no destination %s that has merges beside %d", path, dest, len(positions))
	}
	remotes = idle(d, positions)
	for _, without := range [][]string{remotes, nil} {
		out = drop(file, d, data, positions, without, locked)
		got, err := read(path, out, policy)
		if wanted := dropped(file, d, positions, without); err == nil && InSync(got, wanted) && sameTrees(got, wanted) {
			return out, without, nil
		}
	}
	return nil, nil, fmt.Errorf("%s:%d: %s: %w", path, d.Line, d.Path, ErrShape)
}

// idle lists the remotes that nothing uses once merges are gone.
func idle(d *Destination, positions []int) (names []string) {
	if slices.ContainsFunc(d.Extra, func(f Field) bool { return f.Key == "fetch_all" }) {
		return nil // it may name them
	}
	target, _, _ := strings.Cut(d.Target, " ")
	for _, r := range d.Remotes {
		uses := func(at int, m Merge) bool { return m.Remote == r.Name && !slices.Contains(positions, at) }
		used, named := r.Name == target, false
		for i, m := range d.Merges {
			used, named = used || uses(i, m), named || m.Remote == r.Name
		}
		if !used && named {
			names = append(names, r.Name)
		}
	}
	return names
}

// dropped is the file that is wanted.
func dropped(file *File, d *Destination, positions []int, remotes []string) *File {
	wanted := &File{Path: file.Path, Destinations: slices.Clone(file.Destinations)}
	for i := range wanted.Destinations {
		w := &wanted.Destinations[i]
		if w.Path != d.Path {
			continue
		}
		w.Merges, w.Tree = nil, ""
		for j, m := range d.Merges {
			if m.MergeBase = ""; !slices.Contains(positions, j) {
				w.Merges = append(w.Merges, m)
			}
		}
		w.Remotes = slices.DeleteFunc(slices.Clone(d.Remotes), func(r Remote) bool { return slices.Contains(remotes, r.Name) })
	}
	return wanted
}

func drop(file *File, d *Destination, data []byte, positions []int, remotes []string, locked bool) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for _, r := range d.Remotes {
		if slices.Contains(remotes, r.Name) && r.Line > 0 && r.Line <= len(lines) {
			lines[r.Line-1] = ""
		}
	}
	end := min(destinationEnd(file, d, len(lines))-1, len(lines))
	for _, position := range positions {
		at := d.Merges[position].Line - 1
		deep := indent(lines[at])
		for i := at - 1; locked && i >= d.Line && (lines[i] == "" || keyComment.MatchString(strings.TrimRight(lines[i], "\r\n"))); i-- {
			lines[i] = ""
		}
		lines[at] = ""
		for i := at + 1; i < end && strings.TrimSpace(lines[i]) != "" && indent(lines[i]) > deep; i++ {
			lines[i] = ""
		}
	}
	for i := d.Line; locked && i < end; i++ {
		if stale := keyComment.FindStringSubmatch(strings.TrimRight(lines[i], "\r\n")); stale != nil && stale[1] != "locked-from" {
			lines[i] = ""
		}
	}
	return []byte(strings.Join(lines, ""))
}
