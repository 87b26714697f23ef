package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
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
// all of Patterns outside of directories whose name begins with a dot.
func Select(paths, globs []string) (selected []string) {
	for _, p := range paths {
		if !matches(p, Patterns()) {
			continue
		}
		dir, _ := path.Split(p)
		if len(globs) == 0 && !strings.Contains("/"+dir, "/.") || matches(p, globs) {
			selected = append(selected, p)
		}
	}
	return selected
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
	References []Reference
}

// BumpAll bumps files by their paths. Found are the references of all files,
// those that name the image already too; changes are of the files that differ.
// A file that cannot be changed is an error; the others are looked at all the
// same.
func BumpAll(files map[string][]byte, paths []string, to Image, previous *Image) (found []Reference, changes []Change, err error) {
	var failures []error
	for _, p := range paths {
		data, exists := files[p]
		if !exists {
			continue
		}
		out, refs, err := Bump(p, data, to, previous)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		found = append(found, refs...)
		if string(out) != string(data) {
			changes = append(changes, Change{Path: p, Old: data, New: out, References: refs})
		}
	}
	return found, changes, errors.Join(failures...)
}
