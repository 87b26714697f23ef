package source_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/aggregator"
	"github.com/nuobit/odyssey/test/treetest"
)

// options are those of a run with a cache of its own.
func options(t testing.TB, cache, src string) source.Options {
	t.Helper()
	client := git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ()})
	store, err := client.OpenStore(cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return source.Options{Store: store, Source: src, Environ: os.Environ()}
}

// parse reads the text of a lock.
func parse(t testing.TB, text string) *lock.File {
	t.Helper()
	file, err := lock.ParseLock("repos.lock.yaml", []byte(text), gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// entry is the text of a destination in a lock. Each merge is "URL COMMIT"; a
// URL is a remote.
func entry(dest string, merges ...string) string {
	var remotes, lines strings.Builder
	names := map[string]string{}
	for _, m := range merges {
		url, commit, _ := strings.Cut(m, " ")
		if names[url] == "" {
			names[url] = fmt.Sprintf("r%d", len(names))
			fmt.Fprintf(&remotes, "    %s: %s\n", names[url], url)
		}
		fmt.Fprintf(&lines, "  - %s %s\n", names[url], commit)
	}
	return fmt.Sprintf("%s:\n  remotes:\n%s  target: r0 main\n  merges:\n%s", dest, &remotes, &lines)
}

// aggregate has git-aggregator make the directories of a lock.
func aggregate(t testing.TB, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "repos.lock.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(aggregator.Program(t), "-c", "repos.lock.yaml", "aggregate")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_TERMINAL_PROMPT=0",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gitaggregate: %v\n%s", err, out)
	}
	return dir
}

// files describes what is below a directory.
func files(t testing.TB, root string) map[string]string {
	t.Helper()
	all, err := treetest.Describe(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
