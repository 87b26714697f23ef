package scaffold_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/scaffold"
)

func place(t *testing.T, dir string, files []scaffold.File) {
	t.Helper()
	changes, err := scaffold.Plan(dir, files, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Place(dir, changes); err != nil {
		t.Fatal(err)
	}
}

func files(names ...string) (all []scaffold.File) {
	for _, name := range names {
		all = append(all, scaffold.File{Path: name, Mode: 0o644, Content: []byte("the " + name + "\n")})
	}
	return all
}

// contents are the files below a directory, with directories that end in /.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		if entry.IsDir() {
			all[rel+"/"] = ""
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all[rel] = info.Mode().Perm().String() + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, dir, name, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	all := files("a", "b/c/d", "b/run.sh")
	all[2].Mode = 0o755
	want := map[string]string{
		"a": "-rw-r--r-- the a\n", "b/": "", "b/c/": "", "b/c/d": "-rw-r--r-- the b/c/d\n", "b/run.sh": "-rwxr-xr-x the b/run.sh\n",
	}
	missing := filepath.Join(t.TempDir(), "not", "there")
	empty := t.TempDir()
	for _, dir := range []string{missing, empty} {
		place(t, dir, all)
		if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dir, diff)
		}
	}
}

func TestPlan_notEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, ".git/HEAD", "ref\n", 0o644)
	if _, err := scaffold.Plan(dir, files("a"), false); err != nil {
		t.Errorf("a repository without files: %v", err)
	}
	write(t, dir, "mine", "mine\n", 0o644)
	if _, err := scaffold.Plan(dir, files("a"), false); !errors.Is(err, scaffold.ErrNotEmpty) || !strings.Contains(err.Error(), "mine") {
		t.Errorf("a directory with a file: %v", err)
	}
	if _, err := scaffold.Plan(filepath.Join(dir, "mine"), files("a"), true); !errors.Is(err, scaffold.ErrNoDirectory) {
		t.Errorf("a file is taken for a directory: %v", err)
	}
}

// A replaced file keeps its mode; one that is as it is to be is not touched; others stay.
func TestPlace_overwrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", "old\n", 0o600)
	write(t, dir, "b", "the b\n", 0o640)
	write(t, dir, "mine", "mine\n", 0o644)
	before, err := os.Stat(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := scaffold.Plan(dir, files("a", "b", "c"), true)
	if err != nil {
		t.Fatal(err)
	}
	var actions []scaffold.Action
	for _, c := range changes {
		actions = append(actions, c.Action)
	}
	if diff := cmp.Diff([]scaffold.Action{scaffold.Replace, scaffold.Keep, scaffold.Create}, actions); diff != "" {
		t.Error(diff)
	}
	if err := scaffold.Place(dir, changes); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "-rw------- the a\n", "b": "-rw-r----- the b\n", "c": "-rw-r--r-- the c\n", "mine": "-rw-r--r-- mine\n"}
	if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if after, err := os.Stat(filepath.Join(dir, "b")); err != nil || !os.SameFile(before, after) {
		t.Errorf("b is another file: %v", err)
	}
}

// When one file cannot be placed, what was there before is there again, as it was.
func TestPlace_allOrNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", "old\n", 0o640)
	changes, err := scaffold.Plan(dir, files("a", "b/c", "z/last"), true)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "z/last", "somebody was quicker\n", 0o644)
	before := contents(t, dir)
	if err := scaffold.Place(dir, changes); err == nil || !strings.Contains(err.Error(), "nothing in "+dir+" was changed") {
		t.Errorf("placed over a file of somebody else: %v", err)
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}

	missing := filepath.Join(t.TempDir(), "x", "y")
	bad := append(files("a"), scaffold.File{Path: "a/b", Mode: 0o644})
	changes, err = scaffold.Plan(missing, bad, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Place(missing, changes); err == nil {
		t.Error("a file is a directory, too")
	}
	if _, err := os.Stat(filepath.Dir(missing)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directories are left: %v", err)
	}
}

// Links out of the directory are not followed.
func TestPlace_links(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, outside, "file", "outside\n", 0o644)
	for name, target := range map[string]string{"b": outside, "a": filepath.Join(outside, "file")} {
		dir := t.TempDir()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		changes, err := scaffold.Plan(dir, files("a", "b/file", "b/new"), true)
		if err == nil {
			err = scaffold.Place(dir, changes)
		}
		if err == nil {
			t.Errorf("written through the link %s", name)
		}
		if diff := cmp.Diff(map[string]string{"file": "-rw-r--r-- outside\n"}, contents(t, outside)); diff != "" {
			t.Errorf("link %s: outside (-want +got):\n%s", name, diff)
		}
	}
}

// Two at once do not mix.
func TestPlace_twice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".odyssey-scaffold"), 0o700); err != nil {
		t.Fatal(err)
	}
	changes, err := scaffold.Plan(dir, files("a"), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Place(dir, changes); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("placed beside another: %v", err)
	}
	if diff := cmp.Diff(map[string]string{".odyssey-scaffold/": ""}, contents(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
