package release

import (
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/odoo"
)

// root is a directory of addons that a destination brings.
type root struct {
	// Dir is relative to the source directory. It may be that of several
	// destinations, when each is one module.
	Dir     string   `json:"dir"`
	Modules []string `json:"modules,omitempty"` // sorted
}

// maxAddons is how long the annotation with a destination's addons may be, in bytes: a manifest
// has room for 4 MiB in all.
const maxAddons = 256 << 10

// findRoots finds the addon roots of a destination that is in the source directory, and its own
// modules in them.
func (p *packer) findRoots(d *destination) ([]root, error) {
	found, err := odoo.AddonsPath(p.Source, []string{d.Path})
	if err != nil {
		return nil, err
	}
	if _, err := found.Line(p.ImageSource); err != nil {
		return nil, err
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
				one.Modules = append(one.Modules, m.Name)
			}
		}
		slices.Sort(one.Modules)
		roots = append(roots, one)
	}
	return roots, nil
}

func formatRoots(roots []root) (string, error) {
	data, err := json.Marshal(roots)
	if err == nil && len(data) > maxAddons {
		err = invalid("a repository has addons whose names alone take %d bytes, which no manifest can hold", len(data))
	}
	return string(data), err
}

// parseRoots reads what formatRoots wrote, in an image that anybody may have
// made.
func parseRoots(text string) ([]root, error) {
	if len(text) > maxAddons {
		return nil, invalid("too long")
	}
	var roots []root
	if err := json.Unmarshal([]byte(text), &roots); err != nil {
		return nil, err
	}
	for _, r := range roots {
		if !filepath.IsLocal(r.Dir) || path.Clean(r.Dir) != r.Dir || strings.ContainsAny(r.Dir, ",$\n\x00") {
			return nil, invalid("%q is no addon root", r.Dir)
		}
	}
	return roots, nil
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
				places[m] = append(places[m], path.Join(r.Dir, m))
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
		if slices.ContainsFunc(p.destinations[i].roots, func(r root) bool { return slices.Contains(r.Modules, module) }) {
			n++
		}
	}
	return n
}
