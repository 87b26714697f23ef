package gitserver_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/gitserver"
)

func git(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestServer(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "OCA/web")
	first := repo.Commit(t, "17.0", map[string]string{"a": "1\n"})
	ids := repo.Add(t,
		gitserver.Commit{Branch: "17.0", Files: map[string]string{"b": "2\n"}},
		gitserver.Commit{Branch: "side", Parents: []string{first}, Files: map[string]string{"c": "3\n"}},
		gitserver.Commit{Branch: "17.0", Parents: []string{":1", ":2"}},
	)
	if parents := repo.Git(t, "rev-parse", ids[2]+"^1", ids[2]+"^2"); parents != ids[0]+"\n"+ids[1] {
		t.Errorf("the merge has the parents %q", parents)
	}
	if head := repo.Head(t, "17.0"); head != ids[2] {
		t.Errorf("17.0 is at %s, want %s", head, ids[2])
	}
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := git(t, "clone", "--filter=blob:none", "--no-checkout", "--branch=17.0", repo.URL, dir); err != nil || strings.Contains(out, "filtering not recognized") {
		t.Fatalf("%v\n%s", err, out)
	}
	// By its id, though no ref is there any more.
	repo.SetRef(t, "refs/heads/17.0", first)
	repo.Git(t, "update-ref", "-d", "refs/heads/side")
	if out, err := git(t, "-C", dir, "fetch", "--depth=1", "origin", ids[1]); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	requests := srv.Requests()
	if len(requests) < 4 || requests[0].Path != "/OCA/web.git/info/refs" || requests[1].Received == 0 || requests[1].Sent == 0 {
		t.Errorf("requests: %+v", requests)
	}
	if again := srv.Requests(); len(again) != 0 {
		t.Errorf("requests were not forgotten: %+v", again)
	}
}

func TestServer_faults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault gitserver.Fault
		want  string
	}{
		{"status", gitserver.Status(http.StatusBadGateway), "502"},
		{"reset", gitserver.Reset, "reset by peer"},
		{"cut short", gitserver.CutShort(30), "reset by peer"},
		{"answer", gitserver.Answer("001e# service=git-upload-pack\n00", "application/x-git-upload-pack-advertisement"), "hung up"},
		{"unauthorized", gitserver.Status(http.StatusUnauthorized), "could not read Username"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			repo.Commit(t, "main", nil)
			srv.Fail(1, test.fault)
			if out, err := git(t, "ls-remote", repo.URL); err == nil || !strings.Contains(out, test.want) {
				t.Errorf("got %v, %s; want %q", err, out, test.want)
			}
			if out, err := git(t, "ls-remote", repo.URL); err != nil {
				t.Errorf("the fault lasts: %s", out)
			}
		})
	}
}

// A checkout of a partial clone may ask for more objects at once than git sends
// in one piece.
func TestServer_chunked(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("f%d", i)] = fmt.Sprint(i)
	}
	repo.Commit(t, "main", files)
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := git(t, "-c", "http.postBuffer=65536", "clone", "--filter=blob:none", repo.URL, dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "f1999")); err != nil || string(got) != "1999" {
		t.Errorf("%v: %q", err, got)
	}
}

func TestServer_password(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	srv.RequirePassword("ann", "secret")
	if out, err := git(t, "ls-remote", repo.URL); err == nil {
		t.Errorf("served without a password: %s", out)
	}
	url := strings.Replace(repo.URL, "://", "://ann:secret@", 1)
	if out, err := git(t, "ls-remote", url, "main"); err != nil || !strings.HasPrefix(out, id) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestServer_version0(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	srv.ForgetVersion2()
	if out, err := git(t, "ls-remote", repo.URL); err != nil || !strings.Contains(out, id) {
		t.Errorf("%v: %s", err, out)
	}
	if requests := srv.Requests(); len(requests) != 1 {
		t.Errorf("version 0 lists the refs with the first answer; requests: %+v", requests)
	}
}

func TestCommit_modes(t *testing.T) {
	t.Parallel()
	repo := gitserver.New(t).Repo(t, "r")
	repo.Add(t, gitserver.Commit{
		Branch: "main",
		Files:  map[string]string{"bin/run": "#!/bin/sh\n", "link": "bin/run", "plain": ""},
		Modes:  map[string]string{"bin/run": gitserver.Executable, "link": gitserver.Symlink},
	})
	want := "100755 bin/run\n120000 link\n100644 plain"
	if got := repo.Git(t, "ls-tree", "-r", "--format=%(objectmode) %(path)", "main"); got != want {
		t.Errorf("got %q", got)
	}
}

func TestRepo_SetRefs(t *testing.T) {
	t.Parallel()
	repo := gitserver.New(t).Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	repo.SetRefs(t, []string{"refs/heads/z", "refs/heads/a", "refs/pull/1/head"}, id)
	repo.SetRefs(t, []string{"refs/heads/b"}, id)
	want := strings.Join([]string{"refs/heads/a", "refs/heads/b", "refs/heads/main", "refs/heads/z", "refs/pull/1/head"}, "\n")
	if got := repo.Git(t, "for-each-ref", "--format=%(refname)"); got != want {
		t.Errorf("got %q", got)
	}
	packed, err := os.ReadFile(filepath.Join(repo.Dir, "packed-refs"))
	if err != nil {
		t.Fatal(err)
	}
	// git looks names up by halves.
	if lines := strings.Split(string(packed), "\n"); !slices.IsSortedFunc(lines[1:6], func(a, b string) int { return strings.Compare(a[41:], b[41:]) }) {
		t.Errorf("not sorted:\n%s", packed)
	}
}
