package odoo

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// DuplicateError says which modules the addons path holds more than once. Odoo
// would take the first and hide the others.
type DuplicateError struct {
	Duplicates []Duplicate // sorted by name
}

// Duplicate is a module's name with the directories of that name.
type Duplicate struct {
	Name   string
	Places []string // relative to the source directory, sorted
}

func (e *DuplicateError) Error() string {
	var b strings.Builder
	if len(e.Duplicates) == 1 {
		b.WriteString("a module is in several places, of which Odoo would see one:")
	} else {
		fmt.Fprintf(&b, "%d modules are in several places, of which Odoo would see one:", len(e.Duplicates))
	}
	for _, d := range e.Duplicates {
		b.WriteString("\n  " + d.Name + ": " + strings.Join(d.Places, ", "))
	}
	b.WriteString("\n  keep one of each: drop the other from its repository, or the repository from the lock")
	return b.String()
}

// checkDuplicates returns a *DuplicateError for names with several places. A
// directory that is seen twice is one place.
func (f *finder) checkDuplicates() error {
	dirs := map[string]map[string]string{} // name, place: where it was found first
	for _, modules := range f.roots {
		for _, m := range modules {
			name := path.Base(m.dir)
			if dirs[name] == nil {
				dirs[name] = map[string]string{}
			}
			dirs[name][m.place] = cmp.Or(dirs[name][m.place], m.dir)
		}
	}
	fault := &DuplicateError{}
	for name, at := range dirs {
		if len(at) > 1 {
			fault.Duplicates = append(fault.Duplicates, Duplicate{name, slices.Sorted(maps.Values(at))})
		}
	}
	if len(fault.Duplicates) == 0 {
		return nil
	}
	slices.SortFunc(fault.Duplicates, func(a, b Duplicate) int { return strings.Compare(a.Name, b.Name) })
	return fault
}
