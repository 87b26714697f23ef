package git_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// tipsOf are commits of one URL.
func tipsOf(url string, ids ...string) (tips []git.Tip) {
	for _, id := range ids {
		tips = append(tips, git.Tip{URL: url, Want: git.Want{Commit: id}})
	}
	return tips
}

// relate looks up how two tips are related.
func relate(t testing.TB, s *git.Store, ours, theirs git.Tip) git.Relation {
	t.Helper()
	g, err := s.Graph(t.Context(), []git.Tip{ours, theirs})
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Relate(t.Context(), ours.Commit, theirs.Commit)
	if err := errors.Join(err, g.Remove()); err != nil {
		t.Fatal(err)
	}
	return r
}

// related is what git says of two commits of a whole repository.
func related(t testing.TB, repo *gitserver.Repo, ours, theirs string) git.Relation {
	t.Helper()
	// No merge base is an exit code.
	out := repo.Git(t, "-c", `alias.bases=!git merge-base --all "$@" || test $? = 1; :`, "bases", ours, theirs)
	r := git.Relation{Bases: strings.Fields(out)}
	r.FastForward, r.UpToDate = slices.Equal(r.Bases, []string{ours}), slices.Equal(r.Bases, []string{theirs})
	return r
}

// inAnyOrder compares relations.
func inAnyOrder(want, got git.Relation) string {
	return cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b }), cmpopts.EquateEmpty())
}

func TestGraph_Relate(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, fork := srv.Repo(t, "r"), srv.Repo(t, "fork")
	trunk := linear(t, repo, "main", day(0), 30)
	side := repo.Add(t, gitserver.Commit{Branch: "side", Parents: []string{trunk[10]}}, gitserver.Commit{Branch: "side", Message: "2"})
	alone := repo.Add(t, gitserver.Commit{Branch: "alone", Orphan: true, Message: "alone"})[0]
	fork.Git(t, "fetch", "--quiet", repo.Dir, "main:refs/heads/main")
	forked := fork.Add(t, gitserver.Commit{Branch: "fix", Parents: []string{trunk[20]}, Message: "fix"})[0]
	crossed, a, b := crossed(t, srv, "crossed")
	bases := []string{crossed.Git(t, "rev-parse", a+"~1^1"), crossed.Git(t, "rev-parse", a+"~1^2")}
	s := openStore(t, options(), t.TempDir())
	here := func(repo *gitserver.Repo, id string) git.Tip { return tipsOf(repo.URL, id)[0] }
	for name, test := range map[string]struct {
		ours, theirs git.Tip
		want         git.Relation
	}{
		"forked":        {here(repo, trunk[29]), here(repo, side[1]), git.Relation{Bases: []string{trunk[10]}}},
		"fast forward":  {here(repo, trunk[3]), here(repo, trunk[29]), git.Relation{Bases: []string{trunk[3]}, FastForward: true}},
		"up to date":    {here(repo, trunk[29]), here(repo, trunk[0]), git.Relation{Bases: []string{trunk[0]}, UpToDate: true}},
		"the same":      {here(repo, trunk[5]), here(repo, trunk[5]), git.Relation{Bases: []string{trunk[5]}, FastForward: true, UpToDate: true}},
		"unrelated":     {here(repo, trunk[29]), here(repo, alone), git.Relation{}},
		"of a fork":     {here(repo, trunk[29]), here(fork, forked), git.Relation{Bases: []string{trunk[20]}}},
		"the same of a": {here(repo, trunk[29]), here(fork, trunk[29]), git.Relation{Bases: []string{trunk[29]}, FastForward: true, UpToDate: true}},
		"criss-cross":   {here(crossed, a), here(crossed, b), git.Relation{Bases: bases}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := inAnyOrder(test.want, relate(t, s, test.ours, test.theirs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However far apart, and wherever side branches forked: one fetch where that is
// enough, as many as there are depths where it is not.
func TestGraph_deep(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	trunk := linear(t, repo, "main", day(0), 5000)
	// A branch that left the trunk long ago, and one that has the trunk merged in
	// now and then.
	old := repo.Add(t, gitserver.Commit{Branch: "old", Parents: []string{trunk[40]}, When: day(9)})[0]
	mid := repo.Add(t, gitserver.Commit{Branch: "mid", Parents: []string{trunk[4000]}, When: day(9)})[0]
	near := repo.Add(t, gitserver.Commit{Branch: "near", Parents: []string{trunk[4950]}, When: day(9)})[0]
	merged := repo.Add(t, gitserver.Commit{Branch: "merged", Parents: []string{old, trunk[4960]}, When: day(9)})[0]
	// The trunk knows of an old commit by a short way, too.
	short := repo.Add(t, gitserver.Commit{Branch: "short", Parents: []string{trunk[4999], trunk[2]}, When: day(9)})[0]
	shorter := repo.Add(t, gitserver.Commit{Branch: "shorter", Parents: []string{trunk[4990], trunk[2]}, When: day(9)})[0]
	behind := repo.Add(t, gitserver.Commit{Branch: "behind", Parents: []string{trunk[4980]}, When: day(9)})[0]
	alone := repo.Add(t, gitserver.Commit{Branch: "alone", Orphan: true, When: day(9)})[0]
	s := openStore(t, options(), t.TempDir())
	for _, test := range []struct {
		name, ours, theirs string
		fetches            int
		want               []string
	}{
		{"near", trunk[4999], near, 1, trunk[4950:4951]},
		{"beyond the first depth", trunk[4999], mid, 2, trunk[4000:4001]},
		{"beyond the second depth", trunk[4999], old, 3, trunk[40:41]},
		{"far ahead", trunk[7], trunk[4999], 3, trunk[7:8]},
		{"merged before", trunk[4999], merged, 1, trunk[4960:4961]},
		{"a short way to the past", short, behind, 1, trunk[4980:4981]},
		{"short ways on both sides", short, shorter, 3, trunk[4990:4991]}, // of which one base is the other's ancestor
		{"no way at all", trunk[4999], alone, 3, nil},
	} {
		srv.Requests()
		got := relate(t, s, tipsOf(repo.URL, test.ours)[0], tipsOf(repo.URL, test.theirs)[0])
		if diff := cmp.Diff(test.want, got.Bases, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		posts := 0
		for _, r := range srv.Requests() {
			if r.Sent > 1000 {
				posts++
			}
		}
		if posts != test.fetches {
			t.Errorf("%s: %d fetches, want %d", test.name, posts, test.fetches)
		}
	}
}

// randomGraph makes commits whose parents and dates chance has chosen.
func randomGraph(t testing.TB, repo *gitserver.Repo, r *rand.Rand, n int) []string {
	t.Helper()
	var commits []gitserver.Commit
	skewed := r.IntN(2) == 0
	for i := range n {
		c := gitserver.Commit{Branch: fmt.Sprintf("b%d", i), Orphan: i == 0 || r.IntN(60) == 0, Message: fmt.Sprint(i), When: day(0).Add(time.Duration(i) * time.Hour)}
		if skewed {
			c.When = day(r.IntN(3))
		}
		for range 1 + r.IntN(2)*(1+r.IntN(2)) {
			back := 1 + r.IntN(6)
			if r.IntN(8) == 0 {
				back = 1 + r.IntN(n)
			}
			if parent := fmt.Sprintf(":%d", i+1-back); i+1-back > 0 && !c.Orphan && !slices.Contains(c.Parents, parent) {
				c.Parents = append(c.Parents, parent)
			}
		}
		c.Orphan = len(c.Parents) == 0
		commits = append(commits, c)
	}
	return repo.Add(t, commits...)
}

// Whatever the histories look like, and however little of them is fetched: what
// Relate says is what git says who has them whole.
func TestGraph_random(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	s.SetDepths(2, 4, 9)
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 3))
			repo, fork := srv.Repo(t, fmt.Sprintf("r%d", seed)), srv.Repo(t, fmt.Sprintf("f%d", seed))
			ids := randomGraph(t, repo, r, 200)
			fork.Git(t, "fetch", "--quiet", repo.Dir, "refs/heads/*:refs/heads/*")
			for range 4 {
				near := 100 + r.IntN(90)
				a, b, c := ids[near+r.IntN(10)], ids[near+r.IntN(10)], ids[r.IntN(200)]
				tips := append(tipsOf(repo.URL, a), append(tipsOf(fork.URL, b), tipsOf(repo.URL, c)...)...)
				g, err := s.Graph(t.Context(), tips)
				if err != nil {
					t.Fatal(err)
				}
				got, err := g.Relate(t.Context(), a, b)
				if err != nil {
					t.Fatal(err)
				}
				if diff := inAnyOrder(related(t, repo, a, b), got); diff != "" {
					t.Errorf("%s and %s: %s", a, b, diff)
				}
				// The result of that merge with a further commit.
				merge, err := g.Merge(t.Context(), a, b)
				if err != nil {
					t.Fatal(err)
				}
				same := repo.Git(t, "commit-tree", "-m", "merge", "-p", a, "-p", b, a+"^{tree}")
				if got, err = g.Relate(t.Context(), merge, c); err != nil {
					t.Fatal(err)
				}
				want := related(t, repo, same, c)
				if diff := inAnyOrder(want, got); diff != "" {
					t.Errorf("the merge of %s and %s, with %s: %s", a, b, c, diff)
				}
				if err := g.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A merge that is made here is younger than all that it is made of, as one made
// by hand would be: the order in which git takes several bases depends on it, and what
// becomes of these.
func TestGraph_order(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	s.SetDepths()
	repo := srv.Repo(t, "r")
	several := 0
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5))
		var commits []gitserver.Commit
		for i := range 60 {
			c := gitserver.Commit{Branch: fmt.Sprintf("b%d", i), Orphan: i == 0, Message: fmt.Sprint(seed, i), When: day(0).Add(time.Duration(r.IntN(3)) * time.Second)}
			for range min(i, 1+r.IntN(3)) {
				if parent := fmt.Sprintf(":%d", max(1, i-r.IntN(6))); !slices.Contains(c.Parents, parent) {
					c.Parents = append(c.Parents, parent)
				}
			}
			commits = append(commits, c)
		}
		ids := repo.Add(t, commits...)
		tree := repo.Git(t, "rev-parse", ids[0]+"^{tree}")
		g, err := s.Graph(t.Context(), tipsOf(repo.URL, ids[48:]...))
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			a, b, c := ids[48+r.IntN(12)], ids[48+r.IntN(12)], ids[48+r.IntN(12)]
			merge, err := g.Merge(t.Context(), a, b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.Relate(t.Context(), merge, c)
			if err != nil {
				t.Fatal(err)
			}
			raw := fmt.Sprintf("tree %s\nparent %s\nparent %s\nauthor A <a@x> 1800000000 +0000\ncommitter A <a@x> 1800000000 +0000\n\nx\n", tree, a, b)
			want := related(t, repo, repo.GitStdin(t, raw, "hash-object", "-t", "commit", "-w", "--stdin"), c)
			if len(want.Bases) > 1 {
				several++
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s and %s, with %s: %s", a, b, c, diff)
			}
		}
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	}
	if several < 5 {
		t.Errorf("only %d merges have several bases", several)
	}
}

// A server that gives out no commits by their ids is asked by refs, and further
// down if a commit is not near.
func TestGraph_byRef(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	srv.ForgetVersion2()
	repo := srv.Repo(t, "r")
	repo.Git(t, "config", "uploadpack.allowAnySHA1InWant", "false")
	trunk := linear(t, repo, "main", day(0), 150)
	side := linear(t, repo, "side", day(1), 1)
	repo.SetRef(t, "refs/heads/side", repo.Git(t, "commit-tree", "-p", trunk[30], "-m", "x", side[0]+"^{tree}"))
	theirs := repo.Head(t, "side")
	s := openStore(t, options(), t.TempDir())
	tips := []git.Tip{{URL: repo.URL, Want: git.Want{Commit: trunk[40], Ref: "main"}}, {URL: repo.URL, Want: git.Want{Commit: theirs, Ref: "side"}}}
	if diff := inAnyOrder(git.Relation{Bases: trunk[30:31]}, relate(t, s, tips[0], tips[1])); diff != "" {
		t.Error(diff)
	}
	gone := strings.Repeat("ab", 20)
	for name, tip := range map[string]git.Tip{
		gone:         {URL: repo.URL, Want: git.Want{Commit: gone, Ref: "main"}},
		trunk[40]:    {URL: repo.URL, Want: git.Want{Commit: trunk[40]}},
		"ref absent": {URL: repo.URL, Want: git.Want{Commit: trunk[40], Ref: "absent"}},
	} {
		_, graph := s.Graph(t.Context(), []git.Tip{tip})
		_, replay := s.Replay(t.Context(), []git.Tip{tip})
		for what, err := range map[string]error{"Graph": graph, "Replay": replay} {
			if err == nil || !strings.Contains(err.Error(), name) || name == gone && !errors.Is(err, git.ErrNoCommit) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	if got := below(t, s.Dir()+"/tmp"); got != nil {
		t.Errorf("left: %q", got)
	}
}

// A server that has not the whole history itself.
func TestGraph_shallowServer(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	whole, part := srv.Repo(t, "whole"), srv.Repo(t, "part")
	trunk := linear(t, whole, "main", day(0), 20)
	part.Git(t, "fetch", "--quiet", "--depth=5", "file://"+whole.Dir, "main:refs/heads/main")
	s := openStore(t, options(), t.TempDir())
	tips := tipsOf(part.URL, trunk[17], trunk[19])
	if diff := inAnyOrder(git.Relation{Bases: trunk[17:18], FastForward: true}, relate(t, s, tips[0], tips[1])); diff != "" {
		t.Error(diff)
	}
}

// Commits come over, and neither trees nor files.
func TestGraph_commitsOnly(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, first, second := large(t, srv)
	s := openStore(t, options(), t.TempDir())
	srv.Requests()
	relate(t, s, tipsOf(repo.URL, first)[0], tipsOf(repo.URL, second)[0])
	if n, _ := sent(srv); n > 3000 {
		t.Errorf("%d bytes came", n)
	}
}
