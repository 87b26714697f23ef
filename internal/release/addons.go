package release

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/nuobit/odyssey/internal/odoo"
)

// root is a directory of addons that a destination brings.
type root struct {
	// Dir is relative to the source directory. It may be that of several
	// destinations, when each is one module.
	Dir     string   `json:"dir"`
	Modules []module `json:"modules,omitempty"` // sorted by name
}

// module is an addon, and what its manifest says of it.
type module struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // "" when the manifest cannot be read
	License string `json:"license,omitempty"` // as the manifest has it
}

func (r *root) has(name string) bool {
	return slices.ContainsFunc(r.Modules, func(m module) bool { return m.Name == name })
}

// shown is a word of a manifest, which anybody may have written, as an annotation holds it.
func shown(s string) string {
	if len(s) > maxShown || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return s
}

// maxShown is the length of a version or of a licence's name, in bytes.
const maxShown = 64

// findRoots finds the addon roots of a destination that is in the source directory, and its own
// modules in them.
func (p *packer) findRoots(ctx context.Context, d *destination) ([]root, error) {
	found, err := odoo.AddonsPath(p.Source, []string{d.Path})
	if err != nil {
		return nil, err
	}
	if _, err := found.Line(p.ImageSource); err != nil {
		return nil, err
	}
	// Faults are for who wants the module; Odoo refuses it only then.
	read, _, err := odoo.CheckModules(ctx, found)
	if err != nil {
		return nil, err
	}
	manifests := map[string]*odoo.Manifest{}
	for _, m := range read {
		manifests[filepath.Dir(m.Path)] = m
	}
	var roots []root
	for _, r := range found.Roots {
		dir, err := filepath.Rel(found.Src, r.Dir)
		if err != nil {
			return nil, err
		}
		one := root{Dir: filepath.ToSlash(dir)}
		for _, m := range r.Modules {
			// A root around a repository that is one module holds others' modules, too, and a
			// link may lead to another repository.
			place, err := filepath.EvalSymlinks(m.Dir)
			if err != nil {
				return nil, err
			}
			if rel, err := filepath.Rel(filepath.Join(found.Src, d.Clean()), place); err == nil && (rel == "." || filepath.IsLocal(rel)) {
				known := module{Name: m.Name}
				if said := manifests[m.Dir]; said != nil {
					known.Version, known.License = shown(said.Version), shown(said.License)
				}
				one.Modules = append(one.Modules, known)
			}
		}
		slices.SortFunc(one.Modules, func(a, b module) int { return strings.Compare(a.Name, b.Name) })
		roots = append(roots, one)
	}
	return roots, nil
}

// checkRoots refuses what no directory of addons is, in an image that anybody may have made.
func checkRoots(roots []root) error {
	for _, r := range roots {
		if !filepath.IsLocal(r.Dir) || path.Clean(r.Dir) != r.Dir || strings.ContainsAny(r.Dir, ",$\n\x00") {
			return invalid("%q is no addon root", r.Dir)
		}
	}
	return nil
}

// addonsPath is Odoo's addons_path in the image: the roots in the order of the
// lock. A module that two repositories have is an error.
func (p *packer) addonsPath() (string, error) {
	var dirs []string
	places := map[string][]string{}
	for i := range p.destinations {
		for _, r := range p.destinations[i].roots {
			if dir := path.Join(p.ImageSource, r.Dir); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			for _, m := range r.Modules {
				places[m.Name] = append(places[m.Name], path.Join(r.Dir, m.Name))
			}
		}
	}
	fault := &odoo.DuplicateError{}
	for name, at := range places {
		// Within a repository AddonsPath has looked, and knows links.
		slices.Sort(at)
		if at = slices.Compact(at); len(at) > 1 && p.owners(name) > 1 {
			fault.Duplicates = append(fault.Duplicates, odoo.Duplicate{Name: name, Places: at})
		}
	}
	if len(fault.Duplicates) > 0 {
		slices.SortFunc(fault.Duplicates, func(a, b odoo.Duplicate) int { return strings.Compare(a.Name, b.Name) })
		return "", fault
	}
	return strings.Join(dirs, ","), nil
}

// owners counts the repositories that have a module.
func (p *packer) owners(module string) int {
	n := 0
	for i := range p.destinations {
		if slices.ContainsFunc(p.destinations[i].roots, func(r root) bool { return r.has(module) }) {
			n++
		}
	}
	return n
}
