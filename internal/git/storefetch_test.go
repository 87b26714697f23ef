package git_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// noise is text of n bytes that does not compress to less than half.
func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + r.IntN(95))
		if i%60 == 59 {
			b[i] = '\n'
		}
	}
	return string(b)
}

// sent adds up what a server sent since the last call.
func sent(srv *gitserver.Server) (bytes int64, requests int) {
	for _, r := range srv.Requests() {
		bytes, requests = bytes+r.Sent, requests+1
	}
	return bytes, requests
}

func TestStore_Fetch(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Files: map[string]string{"gone": noise(1, 50_000), "a": "1"}},
		gitserver.Commit{Branch: "main", Files: map[string]string{"gone": "", "a": "2", "d/e/f": "3", "run": "x"}, Modes: map[string]string{"run": gitserver.Executable}},
		gitserver.Commit{Branch: "main", Files: map[string]string{"a": "4"}})
	s := openStore(t, options(), t.TempDir())
	got, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: ids[1]}, {Commit: ids[1]}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got > 2000 || got < 200 {
		t.Errorf("%d bytes came: the parent's file is among them, or nothing is counted", got)
	}
	want := map[string]string{"a": "100644 2", "d/e/f": "100644 3", "gone": "100644 ", "run": "100755 x"}
	if diff := cmp.Diff(want, commitContents(t, s, ids[1])); diff != "" {
		t.Error(diff)
	}
	if !s.Has(repo.URL, ids[1]) || s.Has(repo.URL, ids[0]) || s.Has(srv.URL+"/other.git", ids[1]) {
		t.Error("the marks are wrong")
	}
	if _, err := s.TreeOf(t.Context(), ids[0]); err == nil {
		t.Error("the parent came along")
	}
	srv.Requests()
	if n := fetch(t, s, repo.URL, nil, ids[1]); n != 0 {
		t.Errorf("%d bytes came once more", n)
	}
	if requests := srv.Requests(); len(requests) > 0 {
		t.Errorf("it was asked for again: %+v", requests)
	}
	if got := runs(t, s.Dir()); len(got) != 1 || below(t, s.Dir()+"/tmp/"+got[0]) != nil {
		t.Errorf("left behind: %q", below(t, s.Dir()+"/tmp"))
	}
}

// What moved is sent, and no more; so is what a fork has and its origin does
// not.
func TestStore_Fetch_shared(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, fork := srv.Repo(t, "r"), srv.Repo(t, "fork")
	files := map[string]string{"changed": noise(99, 60_000)}
	for i := range 50 {
		files[fmt.Sprintf("d%d/f", i)] = noise(uint64(i), 10_000)
	}
	first := repo.Commit(t, "main", files)
	fork.Git(t, "fetch", "--quiet", repo.Dir, first+":refs/heads/main")
	forked := fork.Commit(t, "main", map[string]string{"d3/f": "changed\n", "changed": noise(99, 59_000)})
	moved := repo.Commit(t, "main", map[string]string{"d1/f": "moved\n", "new": "new\n"})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, first)
	whole, _ := sent(srv)
	if whole < 200_000 {
		t.Fatalf("the whole is %d bytes", whole)
	}
	for _, step := range []struct {
		name, url, id string
		bases         []string
		most          int64
	}{
		{"a later commit", repo.URL, moved, nil, 8000},
		{"of a fork", fork.URL, forked, []string{first}, 8000},
		{"the same commit at another URL", srv.URL + "/fork.git/", first, []string{first}, 3000},
		{"the same, where more is had", fork.URL, first, []string{first}, 12_000},
		{"the same, by a later one", srv.URL + "/r.git/", first, []string{moved}, 12_000},
	} {
		fetch(t, s, step.url, step.bases, step.id)
		n, requests := sent(srv)
		if n > step.most || requests == 0 {
			t.Errorf("%s: %d bytes in %d requests", step.name, n, requests)
		}
		repo := &gitserver.Repo{Dir: fork.Dir}
		if step.id == moved {
			repo.Dir = srv.Dir + "/r.git"
		}
		got := commitContents(t, s, step.id)
		if got["d2/f"] != "100644 "+files["d2/f"] || got["changed"] != "100644 "+repo.Git(t, "show", step.id+":changed")+"\n" && !strings.HasSuffix(got["changed"], repo.Git(t, "show", step.id+":changed")) {
			t.Errorf("%s: the tree is another", step.name)
		}
	}
	// The server of a fork does not have what its origin got later.
	if _, err := s.Fetch(t.Context(), fork.URL, []git.Want{{Commit: moved}}, []string{first, moved}, nil); !errors.Is(err, git.ErrNoCommit) || !strings.Contains(err.Error(), moved) {
		t.Errorf("got %v", err)
	}
}

// It is told how much has come, both when git counts objects and when bytes are
// counted.
func TestStore_Fetch_progress(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"f": noise(1, 3_000_000)}}, gitserver.Commit{Branch: "main", Files: map[string]string{"f": noise(2, 3_000_000)}})
	s := openStore(t, options(), t.TempDir())
	for i, want := range []string{" MB", "% ("} {
		said := 0
		_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: ids[i]}}, nil, func(line string) {
			if strings.Contains(line, want) {
				said++
			} else if line != "" {
				t.Errorf("it is told %q", line)
			}
		})
		if err != nil || said == 0 {
			t.Errorf("%q was said %d times; %v", want, said, err)
		}
	}
}

// However many commits there are, a server is told of few.
func TestStore_Fetch_manyHaves(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 120)
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, ids[:100]...)
	srv.Requests()
	fetch(t, s, repo.URL, ids[:100], ids[110])
	var asked int64
	for _, r := range srv.Requests() {
		asked += r.Received
	}
	if most := int64(git.MaxHaves * 50); asked > most { // they are compressed
		t.Errorf("%d bytes were said, at most %d are expected", asked, most)
	}
}

// Bases that the store does not have are left out.
func TestStore_Fetch_unknownBase(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	s := openStore(t, options(), t.TempDir())
	srv.Requests()
	fetch(t, s, repo.URL, []string{strings.Repeat("ab", 20)}, id)
	if n := fetches(srv); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
	if diff := cmp.Diff(map[string]string{"a": "100644 1"}, commitContents(t, s, id)); diff != "" {
		t.Error(diff)
	}
}

// A server that gives out only what its refs point at is asked for the refs.
func TestStore_Fetch_byRef(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	srv.ForgetVersion2()
	repo := srv.Repo(t, "r")
	repo.Git(t, "config", "uploadpack.allowAnySHA1InWant", "false")
	ids := linear(t, repo, "main", day(0), 1100)
	repo.Tag(t, "v1", ids[600])
	deep := linear(t, repo, "side", day(1), 3)
	posted := func(srv *gitserver.Server) (n int) {
		for _, r := range srv.Requests() {
			if r.Method == http.MethodPost && r.Sent > 500 {
				n++
			}
		}
		return n
	}
	for _, test := range []struct {
		name  string
		wants []git.Want
		posts int
	}{
		{"a tip", []git.Want{{Commit: ids[1099]}}, 1},
		{"near", []git.Want{{Commit: ids[1080], Ref: "main"}}, 1},
		{"farther", []git.Want{{Commit: ids[300], Ref: "refs/heads/main"}}, 2},
		{"far", []git.Want{{Commit: ids[3], Ref: "main"}}, 3},
		{"several", []git.Want{{Commit: ids[590], Ref: "v1"}, {Commit: ids[1090], Ref: "main"}, {Commit: deep[0], Ref: "side"}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			srv.ForgetVersion2()
			if err := os.Symlink(repo.Dir, filepath.Join(srv.Dir, "r.git")); err != nil {
				t.Fatal(err)
			}
			url := srv.URL + "/r.git"
			s := openStore(t, options(), t.TempDir())
			if _, err := s.Fetch(t.Context(), url, test.wants, nil, nil); err != nil {
				t.Fatal(err)
			}
			if packs := posted(srv); packs != test.posts {
				t.Errorf("%d packs were asked for, want %d", packs, test.posts)
			}
			for _, w := range test.wants {
				if !s.Has(url, w.Commit) || len(commitContents(t, s, w.Commit)) == 0 {
					t.Errorf("%s is not there", w.Commit)
				}
			}
		})
	}
	gone := strings.Repeat("ab", 20)
	for _, test := range []struct {
		name string
		want git.Want
		says []string
	}{
		{"no ref", git.Want{Commit: ids[3]}, []string{ids[3], "no branch or tag is known"}},
		{"a ref that is the commit", git.Want{Commit: ids[3], Ref: ids[3]}, []string{ids[3], "no branch or tag is known"}},
		{"gone", git.Want{Commit: gone, Ref: "main"}, []string{gone, "is not in main any more"}},
		{"no such ref", git.Want{Commit: gone, Ref: "nope"}, []string{gone, "nope"}},
	} {
		s := openStore(t, options(), t.TempDir())
		_, err := s.Fetch(t.Context(), repo.URL, []git.Want{test.want}, nil, nil)
		if err == nil || slices.ContainsFunc(test.says, func(s string) bool { return !strings.Contains(err.Error(), s) }) || s.Has(repo.URL, test.want.Commit) {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.want.Commit == gone && !errors.Is(err, git.ErrNoCommit) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// By refs, too, a commit that the pool has from elsewhere must come.
func TestStore_Fetch_byRefElsewhere(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	srv.ForgetVersion2()
	private, public := srv.Repo(t, "private"), srv.Repo(t, "public")
	public.Git(t, "config", "uploadpack.allowAnySHA1InWant", "false")
	secret := private.Commit(t, "main", map[string]string{"secret": "1"})
	public.Commit(t, "main", map[string]string{"a": "1"})
	had := public.Commit(t, "main", map[string]string{"a": "2"})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, private.URL, nil, secret)
	fetch(t, s, public.URL, nil, had)
	_, err := s.Fetch(t.Context(), public.URL, []git.Want{{Commit: secret, Ref: "main"}}, nil, nil)
	if !errors.Is(err, git.ErrNoCommit) || s.Has(public.URL, secret) {
		t.Errorf("got %v", err)
	}
}

func TestStore_Fetch_noCommit(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	gone := strings.Repeat("ab", 20)
	for name, wanted := range map[string]string{
		"no such commit": gone, "is a tag": repo.AnnotatedTag(t, "v1", id), "is a tree": repo.Git(t, "rev-parse", id+"^{tree}"), "is a blob": repo.Git(t, "rev-parse", id+":a"),
	} {
		s := openStore(t, options(), t.TempDir())
		_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: id, Ref: "main"}, {Commit: wanted, Ref: "main"}}, nil, nil)
		if !errors.Is(err, git.ErrNoCommit) || !strings.Contains(err.Error(), wanted) || !strings.Contains(err.Error(), name) || s.Has(repo.URL, wanted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
