package git_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
)

// What a process that was killed has left is cleared away by the next one; what
// lives, is young, or looks like somebody else's stays.
func TestPartials_sweep(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	old := time.Now().Add(-time.Hour)
	made := func(name string, mode os.FileMode, when time.Time) string {
		t.Helper()
		dir := filepath.Join(tmp, name)
		run := filepath.Join(dir, "tmp", "run-1")
		if err := os.MkdirAll(run, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{run, dir} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	live, err := git.New(options()).OpenPartials("")
	if err != nil {
		t.Fatal(err)
	}
	lives, err := filepath.Glob(filepath.Join(tmp, "odyssey-partials-*"))
	if err != nil || len(lives) != 1 {
		t.Fatalf("%q, %v", lives, err)
	}
	runs, err := filepath.Glob(filepath.Join(lives[0], "tmp", "run-*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%q, %v", runs, err)
	}
	for _, path := range []string{runs[0], lives[0]} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	dead := made("odyssey-partials-dead", 0o700, old)
	stay := []string{
		lives[0], made("odyssey-partials-young", 0o700, time.Now()), made("odyssey-partials-shared", 0o755, old), made("odyssey-other", 0o700, old),
		filepath.Join(tmp, "odyssey-partials-link"),
	}
	if err := os.Symlink(made("elsewhere", 0o700, old), filepath.Join(tmp, "odyssey-partials-link")); err != nil {
		t.Fatal(err)
	}
	next, err := git.New(options()).OpenPartials("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("what a dead process left is there still: %v", err)
	}
	for _, dir := range append(stay, filepath.Join(tmp, "elsewhere", "tmp", "run-1")) {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []*git.Partials{live, next} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(lives[0]); !os.IsNotExist(err) {
		t.Errorf("a process leaves its directory: %v", err)
	}
}
