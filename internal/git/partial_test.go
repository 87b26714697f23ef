package git_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

func partials(t testing.TB, dir string) *git.Partials {
	t.Helper()
	p, err := git.New(options()).OpenPartials(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// span is Histories of one range.
func span(t testing.TB, p *git.Partials, url, from, to string) git.History {
	t.Helper()
	got, err := p.Histories(t.Context(), url, []git.Range{{Old: from, New: to}})
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

// choosing chooses files by their ids, whatever there is.
func choosing(ids ...string) func([][]git.Entry) []string {
	return func([][]git.Entry) []string { return ids }
}

// listed are the files of a commit.
func listed(t testing.TB, p *git.Partials, url, commit string) []git.Entry {
	t.Helper()
	listings, _, err := p.Look(t.Context(), url, []string{commit}, 1, choosing())
	if err != nil {
		t.Fatal(err)
	}
	return listings[0]
}

// What is kept must never make a history another than the one without a cache:
// whatever was asked before, in whatever order.
func TestPartials_sameHistories(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "trunk", day(0), 700)
	side := repo.Add(t,
		gitserver.Commit{Branch: "side", Parents: []string{ids[20]}, When: day(0).Add(21 * time.Minute), Files: map[string]string{"s": "1"}},
		gitserver.Commit{Branch: "trunk", Parents: []string{ids[699], ":1"}, When: day(5)},
		gitserver.Commit{Branch: "trunk", When: day(6), Files: map[string]string{"n": "1"}},
		gitserver.Commit{Branch: "rewritten", Parents: []string{ids[690]}, When: day(7), Files: map[string]string{"r": "1"}},
		gitserver.Commit{Branch: "alone", Orphan: true, When: day(8), Files: map[string]string{"a": "1"}},
	)
	asked := [][2]string{
		{ids[698], ids[699]},
		{ids[699], side[2]},
		{ids[600], side[2]},
		{side[2], side[3]},
		{ids[0], ids[699]},
		{side[3], ids[650]},
		{ids[30], ids[40]},
		{ids[699], side[4]},
		{ids[10], side[2]},
		{ids[698], ids[699]},
	}
	dir := t.TempDir()
	for range 2 { // once from an empty cache, once from a full one
		p, err := git.New(options()).OpenPartials(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range asked {
			want := histories(t, repo.URL, git.Range{Old: a[0], New: a[1]})[0]
			got := span(t, p, repo.URL, a[0], a[1])
			if want.AtLeast {
				t.Fatalf("%.7s..%.7s cannot be told exactly", a[0], a[1])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%.7s..%.7s (-without, +with a cache)\n%s", a[0], a[1], diff)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Histories(t.Context(), repo.URL, nil); err == nil {
			t.Error("a closed one still answers")
		}
		left, err := filepath.Glob(filepath.Join(dir, "tmp", "*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("left in tmp: %q, %v", left, err)
		}
	}
}

// One fetch for a remote that moved, of what is new; none for one that did not.
func TestPartials_fetches(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("addons/m%03d/__manifest__.py", i)] = fmt.Sprintf("{'name': 'm%d'}", i)
		files[fmt.Sprintf("addons/m%03d/models/big.py", i)] = strings.Repeat(fmt.Sprint(i), 5000)
	}
	ids := repo.Add(t,
		gitserver.Commit{Branch: "17.0", Files: files, When: day(0)},
		gitserver.Commit{Branch: "17.0", Files: map[string]string{"addons/m007/__manifest__.py": "{'name': 'seven'}"}, When: day(1)},
	)
	dir := t.TempDir()
	sent := func(p *git.Partials, from, to string) (n int, bytes int64) {
		srv.Requests()
		if got := span(t, p, repo.URL, from, to); got.Ahead != 1 {
			t.Errorf("got %+v", got)
		}
		for _, r := range srv.Requests() {
			n, bytes = n+1, bytes+r.Sent
		}
		return n, bytes
	}
	p := partials(t, dir)
	_, cold := sent(p, ids[0], ids[1])
	if n, _ := sent(p, ids[0], ids[1]); n != 0 {
		t.Errorf("%d requests for what is there", n)
	}
	more := repo.Add(t, gitserver.Commit{Branch: "17.0", Files: map[string]string{"addons/m008/x.py": "1"}, When: day(2)})
	n, warm := sent(partials(t, dir), ids[1], more[0])
	if n != 1 || warm*5 > cold {
		t.Errorf("%d requests with %d bytes for one commit, after %d bytes at first; want 1 and a fifth at most", n, warm, cold)
	}
	if cold > 100_000 {
		t.Errorf("%d bytes for trees alone", cold)
	}
}

func TestPartials_reads(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	hex := strings.Repeat("ab", 20)
	ids := repo.Add(t,
		gitserver.Commit{Branch: "17.0", Message: "base", Files: map[string]string{"a/__manifest__.py": "{}", "b/x": "1"}, When: day(0)},
		gitserver.Commit{Branch: "17.0", Message: "one", Files: map[string]string{"a/x y": "1", "b/x": "2"}, When: day(1)},
		gitserver.Commit{Branch: "17.0", Message: "two\x01:100644", Files: map[string]string{":colon": "1", hex: "1"}, When: day(2)},
		gitserver.Commit{Branch: "side", Parents: []string{":1"}, Message: "side", Files: map[string]string{"s/x": "1"}, When: day(2)},
		gitserver.Commit{Branch: "17.0", Parents: []string{":3", ":4"}, Message: "merged", When: day(3)},
	)
	p := partials(t, "")
	span(t, p, repo.URL, ids[0], ids[4])
	touches, err := p.Touches(t.Context(), repo.URL, git.Range{Old: ids[0], New: ids[4]})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, touch := range touches {
		got[touch.Subject] = touch.Paths
	}
	want := map[string][]string{"one": {"a/x y", "b/x"}, "two\x01:100644": {":colon", hex}, "side": {"s/x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	entries := listed(t, p, repo.URL, ids[1])
	var paths, blobs []string
	for _, e := range entries {
		paths, blobs = append(paths, e.Path), append(blobs, e.ID)
	}
	if want := []string{"a/__manifest__.py", "a/x y", "b/x"}; !slices.Equal(paths, want) {
		t.Errorf("entries %q, want %q", paths, want)
	}
	srv.Requests()
	for range 2 {
		_, files, err := p.Look(t.Context(), repo.URL, ids[1:2], 1, choosing(blobs...))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string][]byte{blobs[1]: []byte("1"), blobs[2]: []byte("2")}; !cmp.Equal(want, files) {
			t.Error(cmp.Diff(want, files))
		}
	}
	if n := fetches(srv); n != 1 {
		t.Errorf("%d fetches for three files, twice; want one", n)
	}
	for _, bad := range []string{"--output=/tmp/x", "HEAD", ""} {
		_, _, entries := p.Look(t.Context(), repo.URL, []string{bad}, 1, choosing())
		_, _, files := p.Look(t.Context(), repo.URL, ids[1:2], 1, choosing(bad))
		_, touches := p.Touches(t.Context(), repo.URL, git.Range{Old: bad, New: ids[0]})
		if entries == nil || files == nil || touches == nil || p.Ensure(t.Context(), repo.URL, []string{bad}) == nil {
			t.Errorf("%q was taken for an object id", bad)
		}
	}
}

// Commits of one URL are none of another's, unless both are joined.
func TestPartials_apart(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	one, two := srv.Repo(t, "one"), srv.Repo(t, "two")
	a := one.Commit(t, "17.0", map[string]string{"a": "1"})
	b := two.Commit(t, "17.0", map[string]string{"b": "1"})
	p := partials(t, t.TempDir())
	if err := errors.Join(p.Ensure(t.Context(), one.URL, []string{a}), p.Ensure(t.Context(), two.URL, []string{b})); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Look(t.Context(), two.URL, []string{a}, 1, choosing()); err == nil {
		t.Error("what one URL gave is read as the other's")
	}
	j, err := p.Join(t.Context(), []string{one.URL, two.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{a, b} {
		if entries, err := j.Entries(t.Context(), id); err != nil || len(entries) != 1 {
			t.Errorf("%s in what is joined: %v, %v", id, entries, err)
		}
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Join(t.Context(), nil); err == nil {
		t.Error("nothing was joined")
	}
}

// What has become many pieces is fetched anew, and not while it is read.
func TestPartials_anew(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "17.0", day(0), 12)
	dir := t.TempDir()
	p := partials(t, dir)
	p.KeepPacks(3)
	packs := func() int {
		all, err := filepath.Glob(filepath.Join(dir, "partials", "*", "objects", "pack", "*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for i := range 5 {
		if err := p.Ensure(t.Context(), repo.URL, []string{ids[i]}); err != nil {
			t.Fatal(err)
		}
	}
	j, err := p.Join(t.Context(), []string{repo.URL})
	if err != nil {
		t.Fatal(err)
	}
	span(t, p, repo.URL, ids[5], ids[6])
	if n := packs(); n < 5 {
		t.Errorf("%d packs are left while they are read", n)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := span(t, p, repo.URL, ids[7], ids[9]); got.Ahead != 2 || packs() > 2 {
		t.Errorf("%d commits, %d packs; want 2, and one pack", got.Ahead, packs())
	}
	if got := span(t, p, repo.URL, ids[5], ids[6]); got.Ahead != 1 {
		t.Errorf("got %+v of what was thrown away", got)
	}
}

// A server without the locked commit: said, and not asked for again.
func TestPartials_gone(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "17.0", map[string]string{"a": "1"})
	lost := strings.Repeat("12", 20)
	p := partials(t, "")
	for range 2 {
		if got := span(t, p, repo.URL, lost, id); !got.OldGone || len(got.Commits) != 1 {
			t.Errorf("got %+v", got)
		}
	}
	if _, err := p.Histories(t.Context(), repo.URL, []git.Range{{Old: id, New: lost}}); err == nil {
		t.Error("a new commit that is nowhere has a history")
	}
}

// A cache that names programs, or that others made, runs nothing.
func TestFault_G3_PartialsRunNothing(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "17.0", day(0), 3)
	dir := t.TempDir()
	span(t, partials(t, dir), repo.URL, ids[0], ids[1])
	homes, err := filepath.Glob(filepath.Join(dir, "partials", "*"))
	if err != nil || len(homes) != 1 {
		t.Fatal(homes, err)
	}
	canary := filepath.Join(dir, "canary")
	config := fmt.Sprintf("[core]\n\tfsmonitor = touch %[1]s\n\talternateRefsCommand = touch %[1]s\n\tsshCommand = touch %[1]s\n[remote \"upstream\"]\n\turl = ext::touch %[1]s\n\tuploadpack = touch %[1]s\n", canary)
	for _, name := range []string{"config", "objects/config"} {
		if err := os.WriteFile(filepath.Join(homes[0], name), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := partials(t, dir)
	if got := span(t, p, repo.URL, ids[1], ids[2]); got.Ahead != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("a program was run")
	}
	if err := os.WriteFile(filepath.Join(homes[0], "shallow"), []byte("--upload-pack=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := partials(t, dir).Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[1]}}); err == nil || !strings.Contains(err.Error(), "remove the cache") {
		t.Errorf("a damaged cache: %v", err)
	}
}

// Several at once, as a plan of many destinations asks.
func TestPartials_concurrent(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	one, two := srv.Repo(t, "one"), srv.Repo(t, "two")
	a, b := linear(t, one, "17.0", day(0), 20), linear(t, two, "17.0", day(0), 20)
	dir := t.TempDir()
	all := []*git.Partials{partials(t, dir), partials(t, dir)}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			url, ids := one.URL, a
			if i%2 == 1 {
				url, ids = two.URL, b
			}
			got, err := all[i/8].Histories(t.Context(), url, []git.Range{{Old: ids[i], New: ids[i+3]}})
			if err != nil || got[0].Ahead != 3 {
				t.Errorf("%d: %+v, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

// What another process fetched is known at once, with where its history is cut.
func TestPartials_another(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "17.0", day(0), 300)
	dir := t.TempDir()
	mine, other := partials(t, dir), partials(t, dir)
	span(t, mine, repo.URL, ids[10], ids[12])
	span(t, other, repo.URL, ids[280], ids[290]) // cut off 64 commits below
	if got := span(t, mine, repo.URL, ids[285], ids[289]); got.Ahead != 4 {
		t.Errorf("got %+v", got)
	}
	span(t, other, repo.URL, ids[100], ids[290]) // deeper
	if got := span(t, mine, repo.URL, ids[200], ids[290]); got.Ahead != 90 || got.AtLeast {
		t.Errorf("got %+v", got)
	}
}

// Where the policy keeps to public addresses, no partial asks others.
func TestFault_G4_PartialsAskNobodyElse(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "17.0", map[string]string{"a": "1"})
	p, err := bot(t).OpenPartials("")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, histories := p.Histories(t.Context(), repo.URL, []git.Range{{Old: id, New: id}})
	_, join := p.Join(t.Context(), []string{repo.URL})
	if histories == nil || join == nil || p.Ensure(t.Context(), repo.URL, []string{id}) == nil {
		t.Error("a loopback address was asked")
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
