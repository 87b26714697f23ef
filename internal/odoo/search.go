package odoo

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const maxLevels = 4 // below a repository

// candidate is a directory with modules.
type candidate struct {
	dir     string
	modules []found
}

// search returns the directories with modules in dir, which is at a level of
// its repository, and below it.
func (f *finder) search(dir string, level int) ([]candidate, error) {
	modules, others, err := f.read(dir)
	if err != nil {
		return nil, err
	}
	var all []candidate
	if len(modules) > 0 {
		all = append(all, candidate{dir, modules})
	}
	if level == maxLevels {
		return all, nil
	}
	for _, other := range others {
		below, err := f.search(other, level+1)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// read returns the modules in a directory, and the other directories that may
// hold some.
func (f *finder) read(dir string) (modules []found, others []string, err error) {
	entries, err := os.ReadDir(f.abs(dir))
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if isIgnored(name) {
			continue
		}
		m := found{dir: path.Join(dir, name), place: path.Join(dir, name)}
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			var in bool
			if m.place, in = f.resolve(m.dir); !in || !f.hasManifest(m.place) {
				continue
			}
		case !entry.IsDir():
			continue
		case !f.hasManifest(m.dir):
			if !f.isPackaging(dir, m.dir) {
				others = append(others, m.dir)
			}
			continue
		}
		if !IsModuleName(name) {
			f.warn("%s has a manifest, but its name is none of a module; Odoo cannot load it", m.dir)
			continue
		}
		modules = append(modules, m)
	}
	return modules, others, nil
}

func isIgnored(name string) bool {
	return strings.HasPrefix(name, ".") || name == "__pycache__" || name == "node_modules"
}

// isPackaging spares reading what OCA keeps for each module in setup: a Python
// package in which there is nothing but a link to the module.
func (f *finder) isPackaging(parent, dir string) bool {
	return path.Base(parent) == "setup" && (f.isRegular(dir+"/setup.py") || f.isRegular(dir+"/pyproject.toml"))
}

// hasManifest reports whether a directory is a module.
func (f *finder) hasManifest(dir string) bool {
	for _, name := range manifestNames() {
		if f.isRegular(dir + "/" + name) {
			return true
		}
	}
	return false
}

// isRegular reports whether a file is regular, or a link to one in the source
// directory. Links before its last part are the caller's.
func (f *finder) isRegular(name string) bool {
	info, err := os.Lstat(f.abs(name))
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		place, in := f.resolve(name)
		if !in {
			return false
		}
		info, err = os.Lstat(f.abs(place))
	}
	return err == nil && info.Mode().IsRegular()
}

// resolve follows a link. It reports false when that leads nowhere, or out of
// the source directory.
func (f *finder) resolve(name string) (place string, in bool) {
	target, err := filepath.EvalSymlinks(f.abs(name))
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(f.path.Src, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// withoutMirrors drops the candidates of a repository that hold nothing but
// links to modules that others of it hold.
func withoutMirrors(all []candidate) []candidate {
	held := map[string]bool{}
	for _, c := range all {
		for _, m := range c.modules {
			held[m.dir] = held[m.dir] || !m.isLink()
		}
	}
	var kept []candidate
	for _, c := range all {
		for _, m := range c.modules {
			if isAlias := path.Base(m.dir) != path.Base(m.place); !m.isLink() || isAlias || !held[m.place] {
				kept = append(kept, c)
				break
			}
		}
	}
	return kept
}
