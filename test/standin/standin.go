// Package standin is a small stand-in for Odoo's repository: its layout, its
// configuration parser, and enough of odoo-bin to start, to serve /web/health
// and to install modules into a PostgreSQL database (with psycopg2, which its
// requirements.txt leaves out as it does not install in a second; Python has it).
//
//	odoo := srv.Repo(t, "odoo")
//	id := odoo.Add(t, standin.Commit("17.0"))[0]
//
// A test that needs what Odoo itself does not do is wrong.
package standin

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/setup"
)

//go:embed all:odoo
var tree embed.FS

// Series is the stand-in's version, as odoo-bin --version prints it after
// "Odoo Server".
const Series = "17.0"

// Python returns an interpreter that has psycopg2.
func Python(t testing.TB) string {
	t.Helper()
	dir, err := setup.Part("psycopg", "psycopg")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "bin", "python")
}

// Files returns the repository's files: slash-separated path to content. The
// map is the caller's.
func Files() map[string]string {
	files := map[string]string{}
	err := fs.WalkDir(tree, "odoo", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "__pycache__":
			return fs.SkipDir // of someone who ran it in the work tree
		case entry.IsDir():
			return nil
		}
		data, err := tree.ReadFile(path)
		files[strings.TrimPrefix(path, "odoo/")] = string(data)
		return err
	})
	if err != nil {
		panic(err) // an embedded file system has no disk to fail
	}
	return files
}

// Modes returns git's modes of those files that are not plain: odoo-bin is
// executable.
func Modes() map[string]string {
	modes := map[string]string{}
	for path, content := range Files() {
		if strings.HasPrefix(content, "#!") {
			modes[path] = gitserver.Executable
		}
	}
	return modes
}

// Commit is a commit of the whole repository, for Repo.Add. Files may be added
// to it.
func Commit(branch string) gitserver.Commit {
	return gitserver.Commit{Branch: branch, Files: Files(), Modes: Modes(), Message: "stand-in for Odoo " + Series + "\n"}
}

// Write puts the repository's files below dir, with their modes.
func Write(dir string) error {
	modes := Modes()
	for path, content := range Files() {
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if modes[path] == gitserver.Executable {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			return err
		}
	}
	return nil
}
