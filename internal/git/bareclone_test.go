package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/test/gitserver"
)

// openBare opens a repository in a new directory, with credentials for a server.
func openBare(t *testing.T, credential string) *git.Local {
	t.Helper()
	file := ""
	if credential != "" {
		file = filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(file, []byte(credential+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := git.New(git.Options{Policy: gitname.Operator(false), CredentialsFile: file, Environ: os.Environ()})
	l, err := client.OpenBare(filepath.Join(t.TempDir(), "clone.git"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocal_Fetch(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "odoo")
	first := repo.Commit(t, "main", map[string]string{"odoo/release.py": "one\n", "a": "1"})
	second := repo.Commit(t, "main", map[string]string{"odoo/release.py": "two\n"})
	third := repo.Commit(t, "main", map[string]string{"b": "3"})
	l := openBare(t, "")
	for _, commit := range []string{third, third} { // again, nothing is left to do
		if err := l.Fetch(t.Context(), repo.URL, git.Clone{Commit: commit, Depth: 2, Trees: true, Keep: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	log, err := l.Line(t.Context(), "log", "--format=%H", third)
	if err != nil || log != third+"\n"+second {
		t.Errorf("the history is %q, %v; without %s", log, err, first)
	}
	id, err := l.Line(t.Context(), "rev-parse", third+":odoo/release.py")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Blob(t.Context(), id, 100); err == nil {
		t.Error("a file has come with the trees")
	}
	if err := l.FetchBlob(t.Context(), repo.URL, id); err != nil {
		t.Fatal(err)
	}
	if data, err := l.Blob(t.Context(), id, 100); err != nil || string(data) != "two\n" {
		t.Errorf("the file is %q, %v", data, err)
	}
	for _, bad := range []string{"main", "-x", strings.Repeat("0", 40)} {
		if err := l.Fetch(t.Context(), repo.URL, git.Clone{Commit: bad, Depth: 1, Keep: "x"}); err == nil {
			t.Errorf("%q was fetched", bad)
		}
	}
}

func TestLocal_Push(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "acme/mirror")
	repo.Git(t, "config", "http.receivepack", "true")
	first := repo.Commit(t, "main", map[string]string{"a": "1"})
	second := repo.Commit(t, "main", map[string]string{"a": "2"})
	srv.RequirePassword("odyssey", "push-canary")
	l := openBare(t, strings.Replace(srv.URL, "://", "://odyssey:push-canary@", 1))
	if err := l.Fetch(t.Context(), repo.URL, git.Clone{Commit: second, Depth: 1, Keep: "x"}); err != nil {
		t.Fatal(err)
	}
	push := func(commit, lease string) error { return l.Push(t.Context(), repo.URL, "odyssey/x", commit, lease) }
	if err := push(second, ""); err != nil {
		t.Fatal(err)
	}
	if err := push(second, second); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for _, lease := range []string{"", first} {
		made := repo.Commit(t, "main", map[string]string{"a": "3" + lease})
		if err := l.Fetch(t.Context(), repo.URL, git.Clone{Commit: made, Depth: 1, Keep: "x"}); err != nil {
			t.Fatal(err)
		}
		if err := push(made, lease); !errors.Is(err, git.ErrLease) {
			t.Errorf("with the lease %q: %v", lease, err)
		}
	}
	if got := repo.Git(t, "rev-parse", "odyssey/x"); got != second {
		t.Errorf("the branch is at %s", got)
	}
	for _, branch := range []string{"../x", "a b", "x:y"} {
		if err := l.Push(t.Context(), repo.URL, branch, second, ""); err == nil {
			t.Errorf("%q was taken for a branch", branch)
		}
	}
	err := openBare(t, strings.Replace(srv.URL, "://", "://odyssey:wrong-canary@", 1)).Push(t.Context(), repo.URL, "y", second, "")
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("with a wrong password: %v", err)
	}
}
