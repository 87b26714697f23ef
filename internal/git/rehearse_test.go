package git_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// rehearse fetches what leads to tips.
func rehearse(t testing.TB, o git.Options, tips []git.Tip) *git.Rehearsal {
	t.Helper()
	p, err := git.New(o).OpenPartials("")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Rehearse(t.Context(), tips, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), p.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// forked moves a commit with its history to a repository of its own, which lacks
// what else the other has.
func forked(t testing.TB, srv *gitserver.Server, repo *gitserver.Repo, name, id string) git.Tip {
	t.Helper()
	fork := srv.Repo(t, name)
	fork.Git(t, "fetch", "--quiet", repo.Dir, id+":refs/heads/main")
	return tipsOf(fork.URL, id)[0]
}

// compareRehearsal compares a rehearsal of merges, each of a server of its own,
// with what git merge makes of them.
func compareRehearsal(t testing.TB, srv *gitserver.Server, name string, repo *gitserver.Repo, ids ...string) git.Trial {
	t.Helper()
	var tips []git.Tip
	for i, id := range ids {
		tips = append(tips, forked(t, srv, repo, fmt.Sprintf("%s-%d", name, i), id))
	}
	want := realMerge(t, repo, ids[0], ids[1:]...)
	got, err := rehearse(t, options(), tips).Try(t.Context(), tips)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tree != want.Tree || (got.Clash != nil) != (want.Tree == "") {
		t.Fatalf("got %+v (%+v), git merge makes %+v", got, got.Clash, want)
	}
	for _, path := range want.Conflicts {
		if !slices.ContainsFunc(got.Clash.Files, func(c git.Conflict) bool { return c.Path == path }) {
			t.Errorf("got %+v, git merge has a conflict in %s", got.Clash.Files, path)
		}
	}
	return got
}

func TestRehearsal_likeGitMerge(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	base := files{"f": numbered(60, nil), "g": numbered(20, map[int]string{0: "g"}), "d/x": numbered(9, nil), "d/y": numbered(8, nil)}
	line := func(n int, text string) files { return base.with(files{"f": numbered(60, map[int]string{n: text})}) }
	for name, m := range map[string]sides{
		"elsewhere":       {base, line(3, "a"), base.with(files{"new": "1"})},
		"same file":       {base, line(3, "a"), line(50, "b")},
		"same line":       {base, line(3, "a"), line(3, "b")},
		"same change":     {base, line(3, "a"), line(3, "a")},
		"renamed here":    {base, base.with(files{"f": "-", "moved": numbered(60, map[int]string{9: "a"})}), line(50, "b")},
		"renamed there":   {base, line(50, "b"), base.with(files{"f": "-", "moved": numbered(60, map[int]string{9: "a"})})},
		"renamed by both": {base, base.with(files{"f": "-", "here": numbered(60, map[int]string{9: "a"})}), base.with(files{"f": "-", "there": numbered(60, map[int]string{50: "b"})})},
		"deleted here":    {base, base.with(files{"f": "-"}), line(50, "b")},
		"added by both":   {base, base.with(files{"new": "1\n"}), base.with(files{"new": "2\n"})},
		"directory moved": {base, base.with(files{"d/x": "-", "d/y": "-", "e/x": base["d/x"], "e/y": numbered(8, map[int]string{2: "y"})}), base.with(files{"d/z": "new\n"})},
		"a link":          {base, base.with(files{"f": "120000:g"}), line(50, "b")},
		"attributes":      {base.with(files{".gitattributes": "f merge=union\n"}), line(3, "a").with(files{".gitattributes": "f merge=union\n"}), line(3, "b").with(files{".gitattributes": "f merge=union\n"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name = strings.ReplaceAll(name, " ", "-")
			repo := srv.Repo(t, name)
			o := commitTree(t, repo, "base", m.base)
			compareRehearsal(t, srv, name, repo, commitTree(t, repo, "ours", m.ours, o), commitTree(t, repo, "theirs", m.theirs, o))
		})
	}
}

// Histories that chance has made, with and without criss-cross merges, three of
// them merged.
func TestRehearsal_random(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 9))
			repo := srv.Repo(t, fmt.Sprintf("r%d", seed))
			all := []files{{"f": numbered(30, nil), "g": numbered(20, map[int]string{0: "g"})}}
			ids := []string{commitTree(t, repo, "x", all[0])}
			for i := 1; i < 14; i++ {
				first, second := max(0, i-1-r.IntN(4)), max(0, i-1-r.IntN(4))
				parents := []string{ids[first]}
				if second != first {
					parents = append(parents, ids[second])
				}
				all = append(all, change(r, all[first]))
				ids = append(ids, commitTree(t, repo, "x", all[i], parents...))
			}
			for i := 10; i < 13; i++ {
				compareRehearsal(t, srv, fmt.Sprintf("r%d-%d", seed, i), repo, ids[i], ids[i+1])
			}
		})
	}
}

// The one of three that a merge does not apply to is named, and what a merge
// brings that is there already.
func TestRehearsal_Try(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	start := files{"f": numbered(60, nil), "g": numbered(40, map[int]string{0: "g"}), "h": numbered(30, map[int]string{0: "h"})}
	of := func(path string, n int, text string) files {
		return start.with(files{path: strings.Replace(start[path], fmt.Sprintf("line %d\n", n), text+"\n", 1)})
	}
	if of("g", 5, "x")["g"] == start["g"] {
		t.Fatal("the files have no such line")
	}
	o := commitTree(t, repo, "base", start)
	first, second, third := commitTree(t, repo, "a", of("f", 5, "a"), o), commitTree(t, repo, "b", of("g", 5, "b"), o), commitTree(t, repo, "c", of("g", 5, "c"), o)
	var tips []git.Tip
	for i, id := range []string{first, second, third} {
		tips = append(tips, forked(t, srv, repo, fmt.Sprint("third", i), id))
	}
	got, err := rehearse(t, options(), tips).Try(t.Context(), tips)
	if err != nil || got.Clash == nil {
		t.Fatalf("three merges: %+v, %v", got, err)
	}
	if c := got.Clash; c.Number != 2 || c.Against != 1 || len(c.Files) != 1 || c.Files[0].Path != "g" {
		t.Errorf("three merges: %+v", c)
	}
	again := commitTree(t, repo, "d", of("f", 5, "a").with(files{"h": of("h", 9, "more")["h"]}), first)
	same := commitTree(t, repo, "e", of("f", 5, "a"), commitTree(t, repo, "e", of("f", 5, "b"), o))
	got = compareRehearsal(t, srv, "empty", repo, again, same, second, o)
	if !slices.Equal(got.Empty, []int{1, 3}) || got.Bases[1] != o || got.Bases[3] != o {
		t.Errorf("what is there already: %+v", got)
	}
	lone := commitTree(t, repo, "z", files{"f": "alone"})
	tips = tipsOf(repo.URL, first, second, lone)
	got, err = rehearse(t, options(), tips).Try(t.Context(), tips)
	if err != nil || got.Clash == nil || !got.Clash.Unrelated || got.Clash.Number != 2 {
		t.Errorf("no common history: %+v, %v", got, err)
	}
}

// Of files, only those come that both sides changed.
func TestRehearsal_fewFiles(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	r := rand.New(rand.NewPCG(1, 1))
	large := files{"f": numbered(60, nil)}
	for i := range 40 {
		content := make([]byte, 20_000)
		for j := range content {
			content[j] = byte(r.UintN(256))
		}
		large[fmt.Sprintf("large/%d", i)] = string(content)
	}
	line := func(n int) files {
		return large.with(files{"f": numbered(60, map[int]string{n: "x"}), fmt.Sprint(n): large["large/1"][:999]})
	}
	o := commitTree(t, repo, "base", large)
	ours, theirs := commitTree(t, repo, "a", line(3), o), commitTree(t, repo, "b", line(50), o)
	srv.Requests()
	tips := tipsOf(repo.URL, ours, theirs)
	got, err := rehearse(t, options(), tips).Try(t.Context(), tips)
	if err != nil || got.Tree != realMerge(t, repo, ours, theirs).Tree {
		t.Fatalf("%+v, %v", got, err)
	}
	sent := int64(0)
	for _, request := range srv.Requests() {
		sent += request.Sent
	}
	if sent > 40_000 {
		t.Errorf("%d bytes were sent, of files with %d", sent, 40*20_000)
	}
}

func TestRehearsal_Line(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t, chain("main", 300)...)
	side := repo.Add(t, gitserver.Commit{Branch: "side", Parents: []string{ids[100]}, Files: map[string]string{"s": "1"}})[0]
	merged := repo.Add(t, gitserver.Commit{Branch: "main", Parents: []string{ids[299], side}, Files: map[string]string{"m": "1"}})[0]
	r := rehearse(t, options(), tipsOf(repo.URL, merged))
	if err := r.Add(t.Context(), tipsOf(repo.URL, ids[50], side)); err != nil {
		t.Fatal(err)
	}
	line, rewritten, err := r.Line(t.Context(), ids[50], merged)
	if err != nil || rewritten || len(line) != 250 || line[0] != merged || line[249] != ids[51] {
		t.Errorf("%d commits, %v, %v", len(line), rewritten, err)
	}
	if line, rewritten, err = r.Line(t.Context(), side, ids[299]); err != nil || !rewritten || len(line) != 199 {
		t.Errorf("of another line: %d commits, %v, %v", len(line), rewritten, err)
	}
	if id, err := r.Abbreviated(t.Context(), merged[:9]); err != nil || id != merged {
		t.Errorf("abbreviated: %s, %v", id, err)
	}
	for _, wrong := range []string{"0123456", "-x", "main", ""} {
		if id, err := r.Abbreviated(t.Context(), wrong); !errors.Is(err, git.ErrNoCommit) {
			t.Errorf("%q: %s, %v", wrong, id, err)
		}
	}
	if err := r.Add(t.Context(), tipsOf(repo.URL, strings.Repeat("1", 40))); !errors.Is(err, git.ErrNoCommit) {
		t.Errorf("a commit that is gone: %v", err)
	}
	if _, err := r.Relate(t.Context(), ids[50], merged); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// chain is n commits on a branch, one after the other.
func chain(branch string, n int) (commits []gitserver.Commit) {
	for i := range n {
		commits = append(commits, gitserver.Commit{Branch: branch, Files: map[string]string{"f": fmt.Sprint(i)}})
	}
	return commits
}

// What was applied elsewhere as other commits is found, on a server that lacks
// these.
func TestRehearsal_Cherry(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	start := files{"f": numbered(60, nil), "g": numbered(40, map[int]string{0: "g"})}
	line := func(n int, text string) files { return start.with(files{"f": numbered(60, map[int]string{n: text})}) }
	o := commitTree(t, repo, "base", start)
	one := commitTree(t, repo, "fork", line(5, "one"), o)
	both := start.with(files{"f": numbered(60, map[int]string{5: "one", 9: "two"})})
	two := commitTree(t, repo, "fork", both, one)
	main := commitTree(t, repo, "main", start.with(files{"g": "other\n"}), o)
	main = commitTree(t, repo, "main", line(5, "one").with(files{"g": "other\n"}), main)
	main = commitTree(t, repo, "main", both.with(files{"g": "other\n"}), main)
	changed := commitTree(t, repo, "main", line(5, "since").with(files{"g": "other\n"}), main)
	for name, test := range map[string]struct {
		ours, theirs string
		own, applied int
	}{
		"all":         {main, two, 2, 2},
		"changed":     {changed, two, 2, 2},
		"one of two":  {commitTree(t, repo, "m", line(5, "one").with(files{"g": "other\n"}), commitTree(t, repo, "m", start.with(files{"g": "other\n"}), o)), two, 2, 1},
		"none":        {commitTree(t, repo, "n", line(30, "x"), o), two, 2, 0},
		"nothing own": {two, one, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(name, " ", "-")
			tips := []git.Tip{forked(t, srv, repo, "ours-"+name, test.ours), forked(t, srv, repo, "theirs-"+name, test.theirs)}
			r := rehearse(t, options(), tips)
			own, applied, err := r.Cherry(t.Context(), tips[0], tips[1])
			if err != nil || own != test.own || applied != test.applied {
				t.Errorf("got %d of %d, %v, want %d of %d", applied, own, err, test.applied, test.own)
			}
		})
	}
}
