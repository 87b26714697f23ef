package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// CheckPatterns returns an error that names the first glob that is none.
func CheckPatterns(globs []string) error {
	for _, glob := range globs {
		if !doublestar.ValidatePattern(glob) {
			return fmt.Errorf("%q is no glob; write **/*.yaml, or overlays/production/**", glob)
		}
	}
	return nil
}

// Select returns those of the paths that match one of the globs (doublestar's
// syntax, from the repository's root) and may name an image. Without globs,
// all of Patterns but for those in directories whose name begins with a dot, and
// the templates of Helm charts.
func Select(paths, globs []string) (selected []string) {
	charts := map[string]bool{}
	for _, p := range paths {
		if path.Base(p) == "Chart.yaml" {
			charts[path.Dir(p)] = true
		}
	}
	for _, p := range paths {
		if !matches(p, Patterns()) {
			continue
		}
		if len(globs) == 0 && !aside(p, charts) || matches(p, globs) {
			selected = append(selected, p)
		}
	}
	return selected
}

// aside reports whether a path is one of those that have to be asked for.
func aside(p string, charts map[string]bool) bool {
	dir, _ := path.Split(p)
	if strings.Contains("/"+dir, "/.") {
		return true
	}
	for above := path.Dir(p); above != "."; above = path.Dir(above) {
		if path.Base(above) == "templates" && charts[path.Dir(above)] {
			return true
		}
	}
	return false
}

func matches(p string, globs []string) bool {
	for _, glob := range globs {
		if ok, err := doublestar.Match(glob, p); ok && err == nil {
			return true
		}
	}
	return false
}

// Paths lists the plain files of a directory, links left out.
func Paths(fsys fs.FS) (paths []string, err error) {
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type().IsRegular():
			paths = append(paths, p)
		}
		return nil
	})
	return paths, err
}

// Change is a file that names another image now.
type Change struct {
	Path       string
	Old, New   []byte
	References []Reference // that were changed
}

// Files bumps files by their paths. Found are the references of all files,
// those that name the image already and those that are left too; changes are of
// the files that differ. A file that cannot be changed is an error; the others
// are looked at all the same.
func (b Bump) Files(files map[string][]byte, paths []string) (found []Reference, changes []Change, err error) {
	var failures []error
	for _, p := range paths {
		data, exists := files[p]
		if !exists {
			continue
		}
		out, refs, err := b.File(p, data)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		found = append(found, refs...)
		if string(out) != string(data) {
			refs = slices.DeleteFunc(refs, func(r Reference) bool { return r.Left != "" || r.Old.says(b.To) })
			changes = append(changes, Change{Path: p, Old: data, New: out, References: refs})
		}
	}
	return found, changes, errors.Join(failures...)
}
