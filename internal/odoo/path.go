package odoo

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Path is an addons path: the directories in which Odoo looks for modules, in
// that order.
type Path struct {
	Src      string // the source directory, absolute
	Roots    []Root
	Warnings []string
}

// Root is a directory of modules.
type Root struct {
	Dir         string // absolute, below Src or Src itself
	Destination string // as given; of several that share the directory the first
	Modules     []Module
}

// Module is a module that Odoo finds in a root, installable or not. The same
// one may be in two roots, in one of them by a symbolic link.
type Module struct {
	Name string
	Dir  string // absolute; its last part is Name
}

// Modules returns every module once, sorted by name.
func (p *Path) Modules() []Module {
	var all []Module
	for _, root := range p.Roots {
		all = append(all, root.Modules...)
	}
	slices.SortStableFunc(all, func(a, b Module) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Module) bool { return a.Name == b.Name })
}

// Line is the value of Odoo's addons_path: the roots, separated by commas, with
// final in the place of Src unless it is empty.
func (p *Path) Line(final string) (string, error) {
	var dirs []string
	for _, root := range p.Roots {
		dir := root.Dir
		if final != "" {
			rel, err := filepath.Rel(p.Src, root.Dir)
			if err != nil {
				return "", err
			}
			dir = path.Join(final, filepath.ToSlash(rel))
		}
		if err := checkDir(dir); err != nil {
			return "", err
		}
		dirs = append(dirs, dir)
	}
	return strings.Join(dirs, ","), nil
}

// checkDir refuses what an addons path cannot hold: Odoo separates at commas,
// strips spaces and expands variables, and its file has one value a line.
func checkDir(dir string) error {
	bad := strings.ContainsFunc(dir, func(r rune) bool { return r == ',' || r == '$' || !unicode.IsPrint(r) })
	if bad || strings.TrimSpace(dir) != dir {
		return fmt.Errorf("the directory %q cannot stand in an addons path, because of a comma, a $, a control character or a space at its end\n  rename it", dir)
	}
	return nil
}
