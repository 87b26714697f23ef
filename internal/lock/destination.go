package lock

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// checkDestinations refuses paths that leave the source directory, that touch
// a .git, or of which one lies inside another.
func checkDestinations(file *File) []*yamldoc.Error {
	var errs []*yamldoc.Error
	fault := func(d *Destination, format string, args ...any) {
		errs = append(errs, &yamldoc.Error{Path: file.Path, Line: d.Line, Msg: fmt.Sprintf(format, args...)})
	}
	// The first destination that has a path, and the first that lies below it.
	// Case is folded: on some file systems ./Web and ./web are the same.
	at, below := map[string]*Destination{}, map[string]*Destination{}
	for i := range file.Destinations {
		d := &file.Destinations[i]
		if reason := badPath(d.Path); reason != "" {
			fault(d, "the destination %q %s", d.Path, reason)
			continue
		}
		own := strings.ToLower(d.Clean())
		other := below[own]
		for dir := own; dir != "."; dir = path.Dir(dir) {
			other = cmp.Or(other, at[dir])
			below[dir] = cmp.Or(below[dir], d)
		}
		at[own] = cmp.Or(at[own], d)
		if other != nil {
			fault(d, "the destination %q overlaps with %q of line %d", d.Path, other.Path, other.Line)
		}
	}
	return errs
}

const maxPath = 200 // bytes of a destination

func badPath(dest string) string {
	parts := strings.Split(dest, "/")
	switch {
	case len(dest) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath)
	case path.IsAbs(dest), strings.HasPrefix(dest, "~"):
		return "must be relative to the source directory"
	case slices.Contains(parts, ".."):
		return "must not have .. in it"
	case path.Clean(dest) == ".":
		return "must name a directory below the source directory"
	case slices.ContainsFunc(parts, func(p string) bool { return strings.EqualFold(p, ".git") }):
		return "must not lie in a .git directory"
	case strings.HasPrefix(path.Clean(dest), "-"):
		return "must not start with -"
	case strings.ContainsFunc(dest, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }):
		return "must not hold control characters or \\"
	}
	return ""
}
