// Package enterprise takes Odoo Enterprise out of the bundles that Odoo gives its
// customers, and puts it into a private Git repository, the mirror: one commit
// for each module that changed.
//
// A bundle holds Community's modules, too. What is Enterprise is decided by names
// alone: what the pinned Community checkout lacks. The bundle is read as a
// stream, once; of what is in it only names, modes and git's ids of the files
// are kept in memory.
package enterprise

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // git's ids of blobs, compared with git's own
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
)

// file is a file of a module.
type file struct {
	path string // from the module's directory, slashes between names; any bytes
	mode string // one of git's
	id   blobID
}

// blobID is git's id of a file's content.
type blobID [sha1.Size]byte

func (id blobID) String() string { return hex.EncodeToString(id[:]) }

func parseID(text string) (id blobID, err error) {
	if len(text) != 2*len(id) {
		return id, fmt.Errorf("%q is no SHA-1 object id; repositories with other ids are not supported", text)
	}
	_, err = hex.Decode(id[:], []byte(text))
	return id, err
}

// newBlobHash begins the id of a file of size bytes.
func newBlobHash(size int64) hash.Hash {
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}

// Module is a directory with a manifest.
type Module struct {
	Name    string
	Dir     string // from the top of where it was found, such as odoo/addons/sale
	Version string // as its manifest has it; of bundles and mirrors only
	License string // as its manifest has it; empty where none is said
	files   []file // sorted by path
}

// Digest identifies the module's files with their names and modes: the SHA-256
// of "MODE ID PATH\0" for each of them.
func (m *Module) Digest() string {
	h := sha256.New()
	for _, f := range m.files {
		fmt.Fprintf(h, "%s %s %s\x00", f.mode, f.id, f.path)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func (m *Module) equal(other *Module) bool { return slices.Equal(m.files, other.files) }

// differing returns the paths that are in one of two modules only, or in both
// with other content or mode, sorted.
func (m *Module) differing(other *Module) []string {
	theirs := map[string]file{}
	for _, f := range other.files {
		theirs[f.path] = f
	}
	var paths []string
	for _, f := range m.files {
		if theirs[f.path] != f {
			paths = append(paths, f.path)
		}
		delete(theirs, f.path)
	}
	paths = slices.AppendSeq(paths, maps.Keys(theirs))
	slices.Sort(paths)
	return paths
}

// migrations are the versions, sorted, for which there is a migration script of
// the module's among files.
func (m *Module) migrations(files []string) []string {
	has := map[string]bool{}
	for _, f := range m.files {
		has[f.path] = true
	}
	var versions []string
	for _, f := range files {
		parts := strings.Split(f, "/")
		if len(parts) != 3 || parts[0] != "migrations" && parts[0] != "upgrades" || path.Ext(parts[2]) != ".py" || !has[f] {
			continue
		}
		if version := plain(parts[1]); version != "" && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	slices.Sort(versions)
	return versions
}

// isManifest reports whether a file of that name makes a directory a module.
func isManifest(name string) bool { return name == "__manifest__.py" || name == "__openerp__.py" }

// index collects files and finds the modules among them.
type index struct {
	files     []file              // with paths from the top of what is indexed
	manifests map[string]manifest // by the directory, of those whose manifest was read
}

type manifest struct{ version, license string }

func newIndex() *index { return &index{manifests: map[string]manifest{}} }

// addonRoots are where modules are, below the top of an Odoo.
func addonRoots(top string) []string { return []string{top + "odoo/addons/", top + "addons/", top} }

// split cuts a path into the directory that may be a module, right below one of
// roots, and the rest. The first root that fits counts. No module has a name of
// Odoo's own packages: in an addons path it would hide them.
func split(p string, roots []string) (dir, rest string, ok bool) {
	for _, root := range roots {
		if below, cut := strings.CutPrefix(p, root); cut {
			name, rest, ok := strings.Cut(below, "/")
			return root + name, rest, ok && odoo.IsModuleName(name) && !slices.Contains([]string{"odoo", "openerp", "addons"}, name)
		}
	}
	return "", "", false
}

func (x *index) add(f file) { x.files = append(x.files, f) }

// read notes what a manifest says. One that cannot be read is one all the same:
// names decide.
func (x *index) read(name string, data []byte) {
	dir, base := path.Split(name)
	if _, again := x.manifests[dir]; again && base != "__manifest__.py" {
		return
	}
	if m, err := odoo.ParseManifest(base, data); err == nil {
		x.manifests[dir] = manifest{plain(m.Version), plain(m.License)}
	}
}

// plain is a short text of a manifest, if it is one word of ASCII such as versions
// and licences are; "" if not: it will stand in commits and reports.
func plain(text string) string {
	bad := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".+-_~", r)
	}
	if len(text) > 64 || strings.ContainsFunc(text, bad) {
		return ""
	}
	return text
}

// DuplicateError is a module that is in two places.
type DuplicateError struct{ Name, First, Second string }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("the module %s is there twice, in %s and in %s", e.Name, e.First, e.Second)
}

// modules returns the modules right below roots (such as "addons/"; "" is the top)
// by their names.
func (x *index) modules(roots []string) (map[string]*Module, error) {
	dirs := map[string]*Module{}
	isModule := map[string]bool{}
	for _, f := range x.files {
		dir, rest, ok := split(f.path, roots)
		if !ok {
			continue
		}
		m := dirs[dir]
		if m == nil {
			m = &Module{Name: path.Base(dir), Dir: dir}
			dirs[dir] = m
		}
		f.path = rest
		m.files = append(m.files, f)
		isModule[dir] = isModule[dir] || isModuleFile(f)
	}
	found := map[string]*Module{}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		m := dirs[dir]
		if !isModule[dir] {
			continue
		}
		if first := found[m.Name]; first != nil {
			return nil, &DuplicateError{m.Name, first.Dir, dir}
		}
		says := x.manifests[dir+"/"]
		m.Version, m.License = says.version, says.license
		slices.SortFunc(m.files, func(a, b file) int { return cmp.Compare(a.path, b.path) })
		found[m.Name] = m
	}
	return found, nil
}

func isModuleFile(f file) bool { return isManifest(f.path) && f.mode != git.ModeSymlink }

// names are the modules' names, sorted; never nil.
func names(modules map[string]*Module) []string {
	return append([]string{}, slices.Sorted(maps.Keys(modules))...)
}
