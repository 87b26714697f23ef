package git_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// What is not plain is git's, and gives the same history.
func TestPartials_indirect(t *testing.T) {
	t.Parallel()
	for name, setUp := range map[string]func(srv *gitserver.Server, repo *gitserver.Repo, o *git.Options){
		"a password": func(srv *gitserver.Server, _ *gitserver.Repo, o *git.Options) {
			srv.RequirePassword("ann", "secret")
			o.CredentialsFile, _ = credentials(t, strings.Replace(srv.URL, "://", "://ann:secret@", 1))
		},
		"an old server": func(srv *gitserver.Server, _ *gitserver.Repo, _ *git.Options) { srv.ForgetVersion2() },
		"no filters": func(_ *gitserver.Server, repo *gitserver.Repo, _ *git.Options) {
			repo.Git(t, "config", "uploadpack.allowFilter", "false")
		},
		"an error": func(srv *gitserver.Server, _ *gitserver.Repo, _ *git.Options) {
			srv.Fail(1, gitserver.Status(http.StatusInternalServerError))
		},
		"nonsense": func(srv *gitserver.Server, _ *gitserver.Repo, _ *git.Options) {
			srv.Fail(1, gitserver.Answer("hello", result))
		},
		"no commit is one": func(srv *gitserver.Server, _ *gitserver.Repo, _ *git.Options) {
			srv.Fail(1, gitserver.Answer(pkt("shallow-info\n")+pkt("shallow ../../x\n")+"0001"+pkt("packfile\n"), result))
		},
		"commits without end": func(srv *gitserver.Server, _ *gitserver.Repo, _ *git.Options) {
			srv.Fail(1, gitserver.Answer(strings.Repeat(pkt("shallow "+strings.Repeat("ab", 20)), 110_000), result))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			ids := linear(t, repo, "main", day(0), 70)
			o := options()
			o.Attempts = 1
			setUp(srv, repo, &o)
			p, err := git.New(o).OpenPartials(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if diff := cmp.Diff(git.History{Ahead: 9, Authors: 1}, counts(span(t, p, repo.URL, ids[60], ids[69]))); diff != "" {
				t.Error(diff)
			}
			if requests := srv.Requests(); len(requests) < 2 || requests[1].Method != http.MethodGet {
				t.Errorf("git did not ask: %+v", requests)
			}
		})
	}
}

// Who wants credentials is asked by git from then on.
func TestPartials_refused(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	repo.Commit(t, "main", nil)
	srv.RequirePassword("ann", "secret")
	o := options()
	o.CredentialsFile, _ = credentials(t, strings.Replace(srv.URL, "://", "://ann:secret@", 1))
	client := git.New(o)
	var posts [2]int // without a user
	for i := range posts {
		srv.Requests()
		if _, err := client.Resolve(t.Context(), repo.URL, []string{"main"}); err != nil {
			t.Fatal(err)
		}
		for _, r := range srv.Requests() {
			if r.Method == http.MethodPost && r.User == "" {
				posts[i]++
			}
		}
	}
	if posts != [2]int{1, 0} {
		t.Errorf("%v requests without a user", posts)
	}
}

// A pack that is broken, cut off or without end is not kept, and no sign of it
// is left.
func TestFault_Y1_PartialPacks(t *testing.T) {
	t.Parallel()
	begin := pkt("shallow-info\n") + "0001" + pkt("packfile\n")
	for name, fault := range map[string]gitserver.Fault{
		"broken":      gitserver.Answer(begin+pkt("\x01PACK\x00\x00\x00\x02\x00\x00\x00\x01nonsense")+"0000", result),
		"nothing":     gitserver.Answer(begin+"0000", result),
		"cut off":     gitserver.CutShort(200),
		"an error":    gitserver.Answer(begin+pkt("\x03go away\n")+"0000", result),
		"without end": endless(begin),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			ids := linear(t, repo, "main", day(0), 10)
			o := options()
			o.Attempts = 1
			dir := t.TempDir()
			p, err := git.New(o).OpenPartials(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			srv.Fail(1, fault)
			if got, err := p.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[2], New: ids[9]}}); err == nil {
				t.Errorf("got %+v", got)
			}
			var left []string
			_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
				if err == nil && !e.IsDir() && !slices.Contains([]string{"HEAD", "alternates"}, e.Name()) {
					left = append(left, path)
				}
				return err
			})
			if len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			if got := span(t, p, repo.URL, ids[2], ids[9]); got.Ahead != 7 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// endless is a pack of one tree after another, which says that it has very many.
func endless(begin string) gitserver.Fault {
	return func(_ *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", result)
		_, err := fmt.Fprint(w, begin, pkt("\x01PACK\x00\x00\x00\x02\xff\xff\xff\xff"))
		// An object of no bytes: its header, and zlib's stream of nothing.
		one := "\x20\x78\x9c\x03\x00\x00\x00\x00\x01"
		many := pkt("\x01" + strings.Repeat(one, 7000))
		for err == nil && r.Context().Err() == nil {
			_, err = fmt.Fprint(w, many)
		}
	}
}

// A server that falls silent in the middle of a pack is given up.
func TestPartials_silent(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 10)
	o := options()
	o.Attempts, o.FetchTimeout = 1, 300*time.Millisecond
	p, err := git.New(o).OpenPartials(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	srv.Fail(-1, gitserver.Stall(pkt("packfile\n")+pkt("\x01PACK"), result))
	start := time.Now()
	if _, err := p.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[2], New: ids[9]}}); !errors.Is(err, git.ErrTransient) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
