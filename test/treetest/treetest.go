// Package treetest describes directories, so that tests can compare them.
package treetest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Describe returns what is below a directory, .git left out, by relative paths:
// the mode of each directory, mode and content of each file, where each link
// points to.
func Describe(root string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case e.Name() == ".git":
			return fs.SkipDir
		case e.IsDir():
			all[rel] = info.Mode().String()
			return nil
		case info.Mode()&fs.ModeSymlink != 0:
			all[rel], err = os.Readlink(name)
			return err
		}
		data, err := os.ReadFile(name)
		all[rel] = fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(data))
		return err
	})
	return all, err
}
