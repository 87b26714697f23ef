package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// A configuration that somebody put into the cache names no program that is
// run, and a cache of somebody else is none.
func TestFault_G3_CacheConfig(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{".gitattributes": "* filter=evil eol=lf\n", "a": "1\n"})
	dir, canary := t.TempDir(), filepath.Join(t.TempDir(), "canary")
	config := "[filter \"evil\"]\n\tsmudge = touch " + canary + "\n\trequired = true\n[core]\n\tfsmonitor = touch " + canary + "\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, options(), dir)
	fetch(t, s, repo.URL, nil, id)
	tree, err := s.TreeOf(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Checkout(t.Context(), tree, t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(canary); !os.IsNotExist(err) {
		t.Errorf("the cache's configuration ran a program: %v", err)
	}

	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := git.New(options()).OpenStore(open); err == nil || !strings.Contains(err.Error(), "may be written by everybody") {
		t.Errorf("got %v", err)
	}
}
