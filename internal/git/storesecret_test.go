package git_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// crossed makes a repository whose two tips have two merge bases.
func crossed(t testing.TB, srv *gitserver.Server, name string) (repo *gitserver.Repo, ours, theirs string) {
	t.Helper()
	repo = srv.Repo(t, name)
	file := func(a, b, c, d string) map[string]string {
		fill := strings.Repeat("x\n", 20)
		return map[string]string{"f": a + "\n" + fill + b + "\n" + fill + c + "\n" + fill + d + "\n"}
	}
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Files: file("1", "1", "1", "1")},
		gitserver.Commit{Branch: "a", Parents: []string{":1"}, Files: file("a", "1", "1", "1")},
		gitserver.Commit{Branch: "b", Parents: []string{":1"}, Files: file("1", "b", "1", "1")},
		gitserver.Commit{Branch: "a", Parents: []string{":2", ":3"}, Files: file("a", "b", "1", "1")},
		gitserver.Commit{Branch: "b", Parents: []string{":3", ":2"}, Files: file("a", "b", "1", "1")},
		gitserver.Commit{Branch: "a", Files: file("a", "b", "a", "1")},
		gitserver.Commit{Branch: "b", Files: file("a", "b", "1", "b")})
	return repo, ids[5], ids[6]
}

// everything calls all that asks a remote: Fetch from nothing and to what is
// there, Graph, Replay and its merge.
func everything(ctx context.Context, s *git.Store, url, ours, theirs string, progress func(string)) map[string]error {
	tips := []git.Tip{{URL: url, Want: git.Want{Commit: ours, Ref: "a"}}, {URL: url, Want: git.Want{Commit: theirs, Ref: "b"}}}
	errs := map[string]error{}
	_, errs["Fetch"] = s.Fetch(ctx, url, []git.Want{tips[0].Want}, nil, progress)
	_, errs["Fetch more"] = s.Fetch(ctx, url, []git.Want{tips[1].Want}, nil, progress)
	graph, err := s.Graph(ctx, tips)
	if err == nil {
		_, err = graph.Relate(ctx, ours, theirs)
		err = errors.Join(err, graph.Remove())
	}
	errs["Graph"] = err
	replay, err := s.Replay(ctx, tips)
	if err == nil {
		_, _, errs["Merge"] = replay.Merge(ctx, ours, 1, nil)
		err = replay.Remove()
	}
	errs["Replay"] = err
	return errs
}

func TestFault_T1_Store(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, ours, theirs := crossed(t, srv, "r")
	line := strings.Replace(srv.URL, "://", "://ann:"+canary+"@", 1)
	file, setting := credentials(t, line)
	srv.RequirePassword("ann", canary)
	o := options()
	o.CredentialsFile, o.Attempts = file, 1
	s := openStore(t, o, t.TempDir())
	var seen atomic.Int32
	srv.Watch(func(r *http.Request) {
		for _, words := range processes(t, setting) {
			seen.Add(1)
			if strings.Contains(words, canary) {
				t.Errorf("%s %s: a command line: %s", r.Method, r.URL, words)
			}
		}
		holdsCanary(t, s.Dir())
	})
	progress := func(line string) {
		if strings.Contains(line, canary) {
			t.Errorf("it is told %q", line)
		}
	}
	for name, err := range everything(t.Context(), s, repo.URL, ours, theirs, progress) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen.Load() < 10 {
		t.Errorf("only %d command lines were looked at", seen.Load())
	}
	holdsCanary(t, s.Dir())
	srv.RequirePassword("ann", "changed")
	for name, err := range everything(t.Context(), openStore(t, o, t.TempDir()), repo.URL, ours, theirs, progress) {
		failed := (*git.Error)(nil)
		if !errors.Is(err, git.ErrRefused) || strings.Contains(err.Error(), canary) || !errors.As(err, &failed) || strings.Contains(strings.Join(failed.Args, " ")+failed.Stderr, canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != line+"\n" {
		t.Errorf("the credentials file was touched: %q, %v", data, err)
	}
}

// holdsCanary reports files below a directory that have the password.
func holdsCanary(t testing.TB, dir string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s has it", name)
		}
		return nil
	})
}

// A token that expires while git is at it, and is renewed: once more is enough.
func TestFault_T2_Expired(t *testing.T) {
	t.Parallel()
	for _, renewed := range []bool{true, false} {
		srv := gitserver.New(t)
		repo, first, second := large(t, srv)
		ids := linear(t, repo, "line", day(0), 3)
		file, _ := credentials(t)
		write := func(password string) {
			line := strings.Replace(srv.URL, "://", "://ann:"+password+"@", 1)
			if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
				t.Error(err)
			}
		}
		o := options()
		o.CredentialsFile = file
		s := openStore(t, o, t.TempDir())
		// The password changes between the first request of a fetch that has one and
		// the next.
		expire := func() (stop func() int) {
			write("old")
			srv.RequirePassword("ann", "old")
			srv.Requests()
			var once sync.Once
			srv.Watch(func(r *http.Request) {
				if r.Method != http.MethodPost {
					return
				}
				once.Do(func() {
					srv.RequirePassword("ann", "new")
					if renewed {
						write("new")
					}
				})
			})
			return func() int {
				srv.Watch(nil)
				write("old")
				srv.RequirePassword("ann", "old")
				return len(srv.Requests())
			}
		}
		for name, do := range map[string]func() error{
			"Fetch": func() error {
				_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: second}}, nil, nil)
				return err
			},
			"Graph": func() error {
				g, err := s.Graph(t.Context(), []git.Tip{{URL: repo.URL, Want: git.Want{Commit: ids[2]}}})
				if err == nil {
					err = g.Remove()
				}
				return err
			},
			"Replay": func() error {
				g, err := s.Replay(t.Context(), []git.Tip{{URL: repo.URL, Want: git.Want{Commit: ids[2]}}})
				if err == nil {
					err = g.Remove()
				}
				return err
			},
		} {
			stop := expire()
			err := do()
			requests := stop()
			if renewed && err != nil || !renewed && !errors.Is(err, git.ErrRefused) || requests > 12 {
				t.Errorf("%s, renewed: %v: %d requests, %v", name, renewed, requests, err)
			}
		}
		if s.Has(repo.URL, second) != renewed {
			t.Errorf("had: %v", s.Has(repo.URL, second))
		}
		fetch(t, s, repo.URL, nil, second)
		stop := expire()
		_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: first}}, nil, nil)
		if requests := stop(); renewed && err != nil || !renewed && !errors.Is(err, git.ErrRefused) || requests > 12 {
			t.Errorf("to what is there, renewed: %v: %d requests, %v", renewed, requests, err)
		}
	}
}

// What a bot may not ask is not asked.
func TestFault_G4_Store(t *testing.T) {
	t.Parallel()
	srv, second := gitserver.New(t), gitserver.New(t)
	repo, ours, theirs := crossed(t, srv, "r")
	if _, a, b := crossed(t, second, "r"); a != ours || b != theirs {
		t.Fatal("the servers differ")
	}
	policyless := func(allow ...string) *git.Store {
		s, err := bot(t, allow...).OpenStore(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	for name, err := range everything(t.Context(), policyless(), repo.URL, ours, theirs, nil) {
		if err == nil {
			t.Errorf("%s asks loopback", name)
		}
	}
	if requests := srv.Requests(); len(requests) > 0 {
		t.Errorf("it was asked: %+v", requests)
	}
	for name, err := range everything(t.Context(), policyless(srv.URL), repo.URL, ours, theirs, nil) {
		if err != nil {
			t.Errorf("%s: what is allowed: %v", name, err)
		}
	}
	for name, fault := range map[string]gitserver.Fault{"all": gitserver.Redirect(second.URL), "posts": gitserver.Posts(gitserver.Redirect(second.URL))} {
		srv.Fail(-1, fault)
		for what, err := range everything(t.Context(), policyless(srv.URL), repo.URL, ours, theirs, nil) {
			if err == nil {
				t.Errorf("%s, %s: a redirect is followed", name, what)
			}
		}
	}
	if requests := second.Requests(); len(requests) > 0 {
		t.Errorf("the second server was asked: %+v", requests)
	}
	// An operator's redirect is followed, without the credentials of the first.
	file, _ := credentials(t, strings.Replace(srv.URL, "://", "://ann:"+canary+"@", 1))
	second.Watch(func(r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the second server got %q", r.Header.Get("Authorization"))
		}
	})
	srv.Fail(-1, gitserver.Redirect(second.URL))
	o := options()
	o.CredentialsFile = file
	for name, err := range everything(t.Context(), openStore(t, o, t.TempDir()), repo.URL, ours, theirs, nil) {
		if err != nil {
			t.Errorf("%s: an operator's redirect: %v", name, err)
		}
	}
	if len(second.Requests()) == 0 {
		t.Error("the second server was not asked")
	}
}
