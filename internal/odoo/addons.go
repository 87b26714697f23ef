package odoo

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// odooDest is the destination that holds Odoo itself.
const odooDest = "odoo"

// AddonsPath finds the addon roots of the repositories that were materialised
// at src/DEST for each of dests, and returns them in that order. It looks at
// names only, not into manifests, so a module that is not installable counts:
// Odoo finds it first, too.
//
//   - odoo has the roots odoo/odoo/addons and odoo/addons.
//   - A repository that is a module itself has its parent for a root.
//   - Else every directory of it that holds a module is a root, the repository
//     itself and four levels below it, sorted by path. Modules, links
//     and hidden directories are not searched for roots. A directory that holds
//     nothing but links to modules of those roots is none, nor is a Python package
//     in a directory setup, where OCA has such links.
//   - A repository without a module is a root all the same, with a warning.
//
// A symbolic link to a module counts as one if it stays in src. Errors are
// *MissingError and *DuplicateError.
func AddonsPath(src string, dests []string) (*Path, error) {
	src, err := filepath.Abs(src)
	if err != nil {
		return nil, err
	}
	if src, err = filepath.EvalSymlinks(src); err != nil {
		return nil, err
	}
	f := &finder{path: &Path{Src: src}, at: map[string]int{}}
	if err := f.checkMaterialised(dests); err != nil {
		return nil, err
	}
	for _, dest := range dests {
		if err := f.repository(dest); err != nil {
			return nil, err
		}
	}
	if err := f.checkDuplicates(); err != nil {
		return nil, err
	}
	return f.path, nil
}

// finder collects roots. Directories are relative to the source directory.
type finder struct {
	path  *Path
	roots [][]found      // what is in the roots of path
	at    map[string]int // a root's place in path
}

// found is a module, or what looks like one.
type found struct {
	dir   string // where it was found
	place string // where it is: not dir when that is a link
}

func (m found) isLink() bool { return m.dir != m.place }

func (f *finder) warn(format string, args ...any) {
	f.path.Warnings = append(f.path.Warnings, fmt.Sprintf(format, args...))
}

// checkMaterialised reports every destination that is no directory.
func (f *finder) checkMaterialised(dests []string) error {
	missing := &MissingError{Src: f.path.Src}
	for _, dest := range dests {
		if !f.isMaterialised(path.Clean(dest)) {
			missing.Destinations = append(missing.Destinations, dest)
		}
	}
	if len(missing.Destinations) > 0 {
		return missing
	}
	return nil
}

func (f *finder) isMaterialised(dest string) bool {
	if !filepath.IsLocal(dest) || dest == "." {
		return false
	}
	if dest == odooDest {
		return !slices.ContainsFunc(odooRoots(), func(root string) bool { return !f.isDir(root) })
	}
	return f.isDir(dest) // which may be empty, as repositories are that wait for their first module
}

func odooRoots() []string { return []string{"odoo/odoo/addons", "odoo/addons"} }

// isDir reports whether dir is a directory to which no link leads.
func (f *finder) isDir(dir string) bool {
	info, err := os.Lstat(f.abs(dir))
	target, linkErr := filepath.EvalSymlinks(f.abs(dir))
	return err == nil && info.IsDir() && linkErr == nil && target == f.abs(dir)
}

func (f *finder) abs(dir string) string { return filepath.Join(f.path.Src, filepath.FromSlash(dir)) }

// repository adds the roots of a destination.
func (f *finder) repository(dest string) error {
	dir := path.Clean(dest)
	if dir == odooDest {
		for _, root := range odooRoots() {
			modules, _, err := f.read(root)
			if err != nil {
				return err
			}
			f.add(root, dest, modules)
		}
		return nil
	}
	if f.hasManifest(dir) {
		if IsModuleName(path.Base(dir)) {
			return f.parent(dir, dest)
		}
		f.warn("%s is a module, but its directory's name is none of a module; name the destination as the module", dest)
		f.add(dir, dest, nil)
		return nil
	}
	roots, err := f.search(dir, 0)
	if err != nil {
		return err
	}
	roots = withoutMirrors(roots)
	if len(roots) == 0 {
		f.warn("%s has no addon; it stands in the addons path all the same", dest)
		f.add(dir, dest, nil)
	}
	for _, root := range roots {
		f.add(root.dir, dest, root.modules)
	}
	return nil
}

// parent adds the directory around a repository that is one module. Whatever
// else is a module there is one for Odoo, too.
func (f *finder) parent(dir, dest string) error {
	root := path.Dir(dir)
	if _, again := f.at[root]; again {
		return nil
	}
	modules, _, err := f.read(root)
	if err != nil {
		return err
	}
	f.add(root, dest, modules)
	return nil
}

func (f *finder) add(dir, dest string, modules []found) {
	if _, again := f.at[dir]; again {
		return
	}
	f.at[dir] = len(f.path.Roots)
	root := Root{Dir: f.abs(dir), Destination: dest}
	for _, m := range modules {
		root.Modules = append(root.Modules, Module{Name: path.Base(m.dir), Dir: f.abs(m.dir)})
	}
	f.path.Roots = append(f.path.Roots, root)
	f.roots = append(f.roots, modules)
}

// MissingError says which locked repositories are not in the source directory.
type MissingError struct {
	Src          string
	Destinations []string // in the order of the lock
}

func (e *MissingError) Error() string {
	what := "is locked, but not"
	if len(e.Destinations) > 1 {
		what = "are locked, but not"
	}
	return fmt.Sprintf("%s %s in %s (missing, no directory, a link, or for odoo without addons and odoo/addons)\n  materialise the lock first",
		strings.Join(e.Destinations, ", "), what, e.Src)
}
