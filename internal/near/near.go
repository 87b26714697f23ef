// Package near finds the names a user may have meant by one that does not
// exist.
package near

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

const (
	most    = 3   // names that are worth reading in an error
	longest = 200 // bytes of a name that is worth comparing: that takes time by the square
)

// Names returns up to three of have that resemble want, the nearest first.
// It returns nil when nothing is near: an edit distance of at most a third of
// want's length (at least 2) that leaves something of both, or one name
// holding the other. Names of more than 200 bytes are near to none.
func Names(want string, have []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	if len(want) > longest {
		return nil
	}
	limit := max(2, len(want)/3)
	var found []candidate
	for _, name := range have {
		if len(name) > longest {
			continue
		}
		distance := levenshtein.ComputeDistance(strings.ToLower(want), strings.ToLower(name))
		holds := len(want) >= 3 && strings.Contains(name, want) || len(name) >= 3 && strings.Contains(want, name)
		if distance <= limit && distance < max(len(want), len(name)) || holds {
			found = append(found, candidate{name, distance})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range found[:min(most, len(found))] {
		names = append(names, c.name)
	}
	return names
}
