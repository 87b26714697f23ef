package buildahtest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/setup"
)

// scratch is a storage of the test's own, used by a work tree.
func scratch(t *testing.T, dir, tree string) *Store {
	t.Helper()
	s, err := open(t.Context(), &Store{dir: dir, tree: tree, spare: 0})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// make builds an image of one file, in two layers.
func (s *Store) make(t *testing.T, image string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\nCOPY name /\n", "name": image} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.Build(t.Context(), Build{Context: dir, Image: image, Cache: true}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// names are the images of a storage by name, with how many have none.
func (s *Store) names(t *testing.T) (names []string, nameless int) {
	t.Helper()
	images, err := s.images(t.Context(), "--all")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, image := range images {
		if len(image.Names) == 0 {
			nameless++
		}
		for _, name := range image.Names {
			found[strings.TrimPrefix(name, repository)] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nameless
}

// What no work tree uses goes when somebody opens the storage that nobody else
// has open: what was replaced, what was never kept, what a tree that is gone has
// kept, containers, and what has no name.
func TestPrune(t *testing.T) {
	if _, err := setup.Part("buildah", ""); err != nil {
		t.Fatal(err)
	}
	dir, tree, gone := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "gone")
	if err := os.WriteFile(filepath.Join(tree, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, other := scratch(t, dir, tree), scratch(t, dir, gone)
	t.Cleanup(func() { _, _ = s.Root(context.WithoutCancel(t.Context()), "rm", "-rf", dir) })
	for _, name := range []string{"a:1", "a:2", "b:1"} {
		s.make(t, repository+name)
		if err := s.Keep(repository + name); err != nil {
			t.Fatal(err)
		}
	}
	s.make(t, repository+"c:1")
	other.make(t, repository+"d:1")
	if err := other.Keep(repository + "d:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.From(t.Context(), repository+"c:1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep("localhost/elsewhere/x:1"); err == nil {
		t.Error("it keeps what is not of the tests")
	}
	left := filepath.Join(dir, "tmp", "left")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // buildah tells the age in seconds

	third := scratch(t, dir, tree)
	if names, _ := third.names(t); len(names) != 5 {
		t.Errorf("while others use it, there are %v", names)
	}
	for _, open := range []*Store{s, other, third} {
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
	}
	again := scratch(t, dir, tree)
	defer again.Close()
	names, nameless := again.names(t)
	if want := []string{"a:2", "b:1"}; !slices.Equal(names, want) || nameless > len(want) {
		t.Errorf("there are %v and %d without a name, want %v, each of one without", names, nameless, want)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("a file of a killed process is left")
	}
	if out, err := again.buildah(t.Context(), "containers", "--quiet"); err != nil || out != "" {
		t.Errorf("%v: containers are left: %s", err, out)
	}
	if _, err := os.Stat(other.notes()); err == nil {
		t.Error("a tree that is gone has notes")
	}
}
