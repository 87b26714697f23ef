package changelog

import (
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
)

// Place is where an addon is.
type Place struct {
	Name       string
	Dir        string // in the repository; "." when that is the addon itself
	Manifest   string // path of its manifest in the repository
	ManifestID string // id of that file
}

// maxLevels is how deep below a repository roots are searched, as the addons
// path's are.
const maxLevels = 4

// Find lists the addons of the destination dest, by the directories in which
// odoo.AddonsPath finds them. Links to addons are not followed.
func Find(dest string, entries []git.Entry) []Place {
	manifests := map[string]Place{} // by directory
	for _, e := range entries {
		dir, base := path.Split(e.Path)
		dir = path.Clean(dir)
		if rank(base) == 0 || e.Mode != git.ModeFile && e.Mode != git.ModeExecutable {
			continue
		}
		if had, ok := manifests[dir]; !ok || rank(base) < rank(path.Base(had.Manifest)) {
			manifests[dir] = Place{Name: path.Base(dir), Dir: dir, Manifest: e.Path, ManifestID: e.ID}
		}
	}
	isOdoo := path.Clean(dest) == "odoo"
	if root, ok := manifests["."]; ok && !isOdoo {
		root.Name = path.Base(path.Clean(dest))
		if !odoo.IsModuleName(root.Name) {
			return nil
		}
		return []Place{root}
	}
	var all []Place
	for dir, p := range manifests {
		if !odoo.IsModuleName(p.Name) || isOdoo && !slices.Contains([]string{"addons", "odoo/addons"}, path.Dir(dir)) || !isOdoo && !reached(dir, manifests) {
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.Dir, b.Dir) })
	return all
}

// rank is 1 for the manifest that Odoo prefers, 2 for the older name, 0 for other
// files.
func rank(base string) int {
	switch base {
	case "__manifest__.py":
		return 1
	case "__openerp__.py":
		return 2
	}
	return 0
}

// reached reports whether the search for addons comes to a directory: not below
// another addon, nor where there is nothing to be searched.
func reached(dir string, manifests map[string]Place) bool {
	words := strings.Split(dir, "/")
	if len(words) > maxLevels+1 {
		return false
	}
	for i, word := range words {
		if strings.HasPrefix(word, ".") || word == "__pycache__" || word == "node_modules" {
			return false
		}
		if _, inside := manifests[strings.Join(words[:i], "/")]; i > 0 && inside {
			return false
		}
	}
	return true
}
