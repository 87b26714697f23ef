package git_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// replayed merges tips into the first, one after the other.
func replayed(t testing.TB, s *git.Store, tips []git.Tip) git.MergeResult {
	t.Helper()
	for _, tip := range tips {
		fetch(t, s, tip.URL, nil, tip.Commit)
	}
	r, err := s.Replay(t.Context(), tips)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Remove(); err != nil {
			t.Error(err)
		}
	}()
	ours, result := tips[0].Commit, git.MergeResult{}
	for i := range tips[1:] {
		entries, err := s.List(t.Context(), treeish(t, s, ours, result))
		if err != nil {
			t.Fatal(err)
		}
		attributes, err := s.Attributes(t.Context(), entries)
		if err != nil {
			t.Fatal(err)
		}
		if result, ours, err = r.Merge(t.Context(), ours, i+1, attributes); err != nil {
			t.Fatal(err)
		}
		if result.Conflicts != nil {
			return result
		}
		contents(t, s, result.Tree) // all of it is in the pool
	}
	return result
}

// treeish is the tree of the merges so far.
func treeish(t testing.TB, s *git.Store, ours string, result git.MergeResult) string {
	t.Helper()
	if result.Tree != "" {
		return result.Tree
	}
	tree, err := s.TreeOf(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// compareReplay compares a merge with what git merge makes of it.
func compareReplay(t testing.TB, s *git.Store, repo *gitserver.Repo, ours, theirs string) {
	t.Helper()
	want, got := realMerge(t, repo, ours, theirs), replayed(t, s, tipsOf(repo.URL, ours, theirs))
	if want.Tree != "" && (got.Tree != want.Tree || got.Conflicts != nil) || want.Tree == "" && got.Conflicts == nil {
		t.Errorf("%s and %s: got %+v, want %+v", ours, theirs, got, want)
	}
	for _, path := range want.Conflicts {
		if !slices.ContainsFunc(got.Conflicts, func(c git.Conflict) bool { return c.Path == path }) {
			t.Errorf("%s and %s: got %+v, want a conflict in %s", ours, theirs, got, path)
		}
	}
}

// Merges with two and three bases, and bases of bases.
func TestReplay_likeGitMerge(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	start := files{"f": numbered(60, nil), "g": numbered(20, map[int]string{0: "g"})}
	line := func(replaced map[int]string) files { return start.with(files{"f": numbered(60, replaced)}) }
	for name, build := range map[string]func(repo *gitserver.Repo) (ours, theirs string){
		"clean": func(repo *gitserver.Repo) (string, string) {
			o := commitTree(t, repo, "x", start)
			a, b := commitTree(t, repo, "a", line(map[int]string{5: "a"}), o), commitTree(t, repo, "b", line(map[int]string{30: "b"}), o)
			both := line(map[int]string{5: "a", 30: "b"})
			x, y := commitTree(t, repo, "a", both, a, b), commitTree(t, repo, "b", both, b, a)
			return commitTree(t, repo, "a", line(map[int]string{5: "a2", 30: "b"}), x), commitTree(t, repo, "b", line(map[int]string{5: "a", 30: "b2"}), y)
		},
		"the bases conflict": func(repo *gitserver.Repo) (string, string) {
			o := commitTree(t, repo, "x", start)
			a, b := commitTree(t, repo, "a", line(map[int]string{5: "a"}), o), commitTree(t, repo, "b", line(map[int]string{5: "b"}), o)
			x, y := commitTree(t, repo, "a", line(map[int]string{5: "a"}), a, b), commitTree(t, repo, "b", line(map[int]string{5: "a"}), b, a)
			return commitTree(t, repo, "a", line(map[int]string{5: "a", 40: "more"}), x), commitTree(t, repo, "b", line(map[int]string{5: "a", 50: "less"}), y)
		},
		"resolved otherwise": func(repo *gitserver.Repo) (string, string) {
			o := commitTree(t, repo, "x", start)
			a, b := commitTree(t, repo, "a", line(map[int]string{5: "a"}), o), commitTree(t, repo, "b", line(map[int]string{5: "b"}), o)
			return commitTree(t, repo, "a", line(map[int]string{5: "a"}), a, b), commitTree(t, repo, "b", line(map[int]string{5: "b"}), b, a)
		},
		"renamed in one base": func(repo *gitserver.Repo) (string, string) {
			o := commitTree(t, repo, "x", start)
			a := commitTree(t, repo, "a", start.with(files{"f": "-", "moved": start["f"]}), o)
			b := commitTree(t, repo, "b", line(map[int]string{30: "b"}), o)
			both := start.with(files{"f": "-", "moved": numbered(60, map[int]string{30: "b"})})
			x, y := commitTree(t, repo, "a", both, a, b), commitTree(t, repo, "b", both, b, a)
			return commitTree(t, repo, "a", both.with(files{"n": "1"}), x), commitTree(t, repo, "b", both.with(files{"moved": numbered(60, map[int]string{3: "y", 30: "b"})}), y)
		},
		"attributes": func(repo *gitserver.Repo) (string, string) {
			at := files{".gitattributes": "f merge=union\n"}
			o := commitTree(t, repo, "x", start.with(at))
			a, b := commitTree(t, repo, "a", line(map[int]string{5: "a"}).with(at), o), commitTree(t, repo, "b", line(map[int]string{5: "b"}).with(at), o)
			return commitTree(t, repo, "a", line(map[int]string{5: "c"}).with(at), a, b), commitTree(t, repo, "b", line(map[int]string{5: "d"}).with(at), b, a)
		},
		"three bases": func(repo *gitserver.Repo) (string, string) {
			o := commitTree(t, repo, "x", start)
			a, b, c := commitTree(t, repo, "a", line(map[int]string{5: "a"}), o), commitTree(t, repo, "b", line(map[int]string{6: "b"}), o), commitTree(t, repo, "c", line(map[int]string{40: "c"}), o)
			return commitTree(t, repo, "a", line(map[int]string{5: "a", 6: "b", 40: "c", 55: "x"}), a, b, c), commitTree(t, repo, "b", line(map[int]string{5: "a", 6: "b", 40: "c", 20: "y"}), c, b, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := srv.Repo(t, strings.ReplaceAll(name, " ", "-"))
			ours, theirs := build(repo)
			if n := len(related(t, repo, ours, theirs).Bases); n < 2 {
				t.Fatalf("%d merge bases", n)
			}
			compareReplay(t, s, repo, ours, theirs)
		})
	}
}

// The same for histories that chance has made: all with the same date, so that
// the order of the bases depends on nothing but the graph.
func TestReplay_random(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 4))
			repo := srv.Repo(t, fmt.Sprintf("r%d", seed))
			all := []files{{"f": numbered(30, nil), "g": numbered(20, map[int]string{0: "g"})}}
			ids := []string{commitTree(t, repo, "x", all[0])}
			several := 0
			for i := 1; i < 30; i++ {
				first, second := max(0, i-1-r.IntN(4)), max(0, i-1-r.IntN(4))
				parents := []string{ids[first]}
				if second != first {
					parents = append(parents, ids[second])
				}
				all = append(all, change(r, all[first]))
				ids = append(ids, commitTree(t, repo, "x", all[i], parents...))
			}
			for i := 20; i < 29 && several < 3; i++ {
				if len(related(t, repo, ids[i], ids[i+1]).Bases) > 1 {
					several++
					compareReplay(t, s, repo, ids[i], ids[i+1])
				}
			}
		})
	}
}

// A third tip is merged into what the first two gave.
func TestReplay_chain(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, ours, theirs := crossed(t, srv, "r")
	third := repo.Add(t, gitserver.Commit{Branch: "c", Parents: []string{theirs}, Files: map[string]string{"third": "3"}})[0]
	s := openStore(t, options(), t.TempDir())
	fork := srv.Repo(t, "fork")
	fork.Git(t, "fetch", "--quiet", repo.Dir, "c:refs/heads/c")
	tips := append(tipsOf(repo.URL, ours, theirs), tipsOf(fork.URL, third)...)
	got := replayed(t, s, tips)
	if want := realMerge(t, repo, ours, theirs, third); want.Tree == "" || got.Tree != want.Tree {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Files of the bases that neither tip has are fetched when they are needed, with
// the credentials, and again after a fault.
func TestReplay_lazy(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, ours, theirs := crossed(t, srv, "r")
	srv.RequirePassword("ann", "secret")
	file, _ := credentials(t, strings.Replace(srv.URL, "://", "://ann:secret@", 1))
	o := options()
	o.CredentialsFile = file
	s := openStore(t, o, t.TempDir())
	tips := tipsOf(repo.URL, ours, theirs)
	fetch(t, s, repo.URL, nil, ours, theirs)
	want := realMerge(t, repo, ours, theirs)
	for name, fault := range map[string]gitserver.Fault{"no": nil, "502": gitserver.Status(http.StatusBadGateway), "reset": gitserver.Reset, "401": gitserver.Status(http.StatusUnauthorized)} {
		r, err := s.Replay(t.Context(), tips)
		if err != nil {
			t.Fatal(err)
		}
		srv.Requests()
		if fault != nil {
			srv.Fail(1, fault)
		}
		got, commit, err := r.Merge(t.Context(), ours, 1, nil)
		if err != nil || got.Tree != want.Tree || got.Conflicts != nil || commit == "" {
			t.Errorf("%s fault: %+v, %v", name, got, err)
		}
		if len(srv.Requests()) == 0 {
			t.Errorf("%s fault: nothing was fetched", name)
		}
		if err := r.Remove(); err != nil {
			t.Error(err)
		}
	}
	r, err := s.Replay(t.Context(), tips)
	if err != nil {
		t.Fatal(err)
	}
	srv.RequirePassword("ann", "changed")
	if got, _, err := r.Merge(t.Context(), ours, 1, nil); !errors.Is(err, git.ErrRefused) {
		t.Errorf("refused: %+v, %v", got, err)
	}
}
