package git_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

func TestHistories_leavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 3)
	histories(t, repo.URL, git.Range{Old: ids[0], New: ids[2]})
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile = file
	ctx, cancel := context.WithCancel(t.Context())
	srv.Fail(-1, gitserver.Hang)
	srv.Watch(func(*http.Request) { cancel() })
	if _, err := git.New(o).Histories(ctx, repo.URL, []git.Range{{Old: ids[0], New: ids[2]}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	gone(t, setting)
	if left, err := filepath.Glob(filepath.Join(dir, "odyssey-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestHistories_retry(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitserver.Fault{"502": gitserver.Status(http.StatusBadGateway), "reset": gitserver.Reset, "cut short": gitserver.CutShort(150), "hang": gitserver.Hang} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			ids := linear(t, repo, "main", day(0), 3)
			o := options()
			o.Timeout = 1500 * time.Millisecond
			c := git.New(o)
			srv.Fail(1, fault)
			got, err := c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[2]}})
			if err != nil || got[0].Ahead != 2 {
				t.Errorf("got %+v, %v", got, err)
			}
			posts := 0
			srv.Watch(func(r *http.Request) {
				if r.Method == http.MethodPost {
					if posts++; posts == 1 {
						srv.Fail(1, fault)
					}
				}
			})
			got, err = c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[2]}})
			if err != nil || got[0].Ahead != 2 {
				t.Errorf("in the middle: got %+v, %v", got, err)
			}
		})
	}
}

// What a stranger may write in a commit.
func TestHistories_hostile(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	parent := repo.Commit(t, "main", nil)
	tree := repo.Git(t, "rev-parse", parent+"^{tree}")
	long := strings.Repeat("x", 1<<20)
	var want []git.Commit
	add := func(header, message, author, subject string, when time.Time) {
		t.Helper()
		raw := "tree " + tree + "\nparent " + parent + "\n" + header + "\n" + message
		parent = repo.GitStdin(t, raw, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
		want = append([]git.Commit{{ID: parent, Author: author, Subject: subject, When: when}}, want...)
	}
	const committer = "committer Cy <c@x> 1704067200 +0000\n"
	first := parent
	add("author Ann <a@x> 1 +0000\n"+committer, "\x1b[31mred\x07 \xff\xfe binary\n", "Ann", "\x1b[31mred\x07 ? binary", day(0))
	add("author Ann <a@x> 1 +0000\n"+committer, "", "Ann", "", day(0))
	add("author Ann <a@x> 1 +0000\n"+committer, "\n\n\n", "Ann", "", day(0))
	add("author Ann <a@x> 1 +0000\n"+committer, "a\r\nb\rc\u2028d\n", "Ann", "a b\rc\u2028d", day(0))
	add("author <> <a@x> 1 +0000\n"+committer, "no name\n", "", "no name", day(0))
	add("author \xff\xfe <a@x> 1 +0000\n"+committer, "latin\n", "?", "latin", day(0))
	add("author Ann <a@x> 1 +0000\ncommitter Cy <c@x> 99999999999999999999 +0000\n", "a date beyond all\n", "Ann", "a date beyond all", time.Unix(0, 0).UTC())
	add("author Ann <a@x> 1 +0000\ncommitter Cy <c@x> 9999999999999 +0000\n", "a date far away\n", "Ann", "a date far away", time.Unix(0, 0).UTC())
	add("author Ann <a@x> 1 +0000\ncommitter Cy <c@x> x +0000\n", "no date\n", "Ann", "no date", time.Unix(0, 0).UTC())
	add("author Ann <a@x> 1 +0000\n"+committer+"encoding nonsense\n", "encoded\n", "Ann", "encoded", day(0))
	add("author Ann <a@x> 1 +0000\n"+committer+"encoding ISO-8859-1\n", "\xe9t\xe9\n", "Ann", "été", day(0))
	add("author Ann <a@x> 1 +0000\n"+committer, long+"\n", "Ann", long, day(0))
	add("author "+long+" <a@x> 1 +0000\n"+committer, "long name\n", long, "", day(0))
	repo.SetRef(t, "refs/heads/main", parent)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := histories(t, repo.URL, git.Range{Old: first, New: parent})[0]
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MiB allocated", used>>20)
	}
	if got.Ahead != len(want) || len(got.Commits) != len(want) {
		t.Fatalf("%d commits, %d of them read, of %d", got.Ahead, len(got.Commits), len(want))
	}
	for i, w := range want {
		g := got.Commits[i]
		if len(g.Subject) > 8<<10 || len(g.Author) > 8<<10 {
			t.Errorf("a subject of %d bytes and an author of %d are kept", len(g.Subject), len(g.Author))
		}
		if g.ID != w.ID || !g.When.Equal(w.When) || !strings.HasPrefix(w.Author, g.Author) || !strings.HasPrefix(w.Subject, g.Subject) || len(w.Subject) < 100 && g.Subject != w.Subject || len(w.Author) < 100 && g.Author != w.Author {
			t.Errorf("commit %d\ngot  %.100q\nwant %.100q", i, fmt.Sprint(g), fmt.Sprint(w))
		}
	}
}

// Neither a server that knows no filters nor one of version 0 stops it.
func TestHistories_oldServers(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 70)
	r := git.Range{Old: ids[60], New: ids[69]}
	want := git.History{Ahead: 9, Authors: 1}
	repo.Git(t, "config", "uploadpack.allowFilter", "false")
	if diff := cmp.Diff(want, counts(histories(t, repo.URL, r)[0])); diff != "" {
		t.Errorf("no filters: %s", diff)
	}
	srv.ForgetVersion2()
	if diff := cmp.Diff(want, counts(histories(t, repo.URL, r)[0])); diff != "" {
		t.Errorf("version 0: %s", diff)
	}
}

func TestHistories_local(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 5)
	for _, url := range []string{repo.Dir, "file://" + repo.Dir} {
		if diff := cmp.Diff(git.History{Ahead: 4, Authors: 1}, counts(histories(t, url, git.Range{Old: ids[0], New: ids[4]})[0])); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, repo.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(git.History{Ahead: 4, Authors: 1}, counts(histories(t, relative, git.Range{Old: ids[0], New: ids[4]})[0])); diff != "" {
		t.Errorf("%s: %s", relative, diff)
	}
	if got, err := git.New(options()).Resolve(t.Context(), relative, []string{"main"}); err != nil || got["main"] != ids[4] {
		t.Errorf("%s: %v, %v", relative, got, err)
	}
	if _, err := git.New(options()).Histories(t.Context(), filepath.Join(srv.Dir, "none"), []git.Range{{Old: ids[0], New: ids[4]}}); err == nil {
		t.Error("a directory that is not there has a history")
	}
	if _, err := git.New(options()).Resolve(t.Context(), filepath.Join(srv.Dir, "none"), []string{"x"}); !errors.Is(err, git.ErrNoRepository) {
		t.Errorf("got %v", err)
	}
}

func TestHistories_ssh(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	srv := gitserver.New(t)
	repo := srv.Repo(t, "a b")
	ids := linear(t, repo, "main", day(0), 3)
	dir := program(t, `for last; do :; done; printf '%s\n' "$@" >>"${0%/*}/called"; exec sh -c "$last"`, "ssh")
	got := histories(t, "ssh://ann@git.example:2222"+srv.Dir+"/a%20b.git", git.Range{Old: ids[0], New: ids[2]})
	if diff := cmp.Diff(git.History{Ahead: 2, Authors: 1}, counts(got[0])); diff != "" {
		t.Error(diff)
	}
	called, err := os.ReadFile(filepath.Join(dir, "called"))
	if want := "-o\nBatchMode=yes\n-o\nConnectTimeout=20\n"; err != nil || !strings.HasPrefix(string(called), want) {
		t.Errorf("ssh was called with\n%s, %v", called, err)
	}
}
