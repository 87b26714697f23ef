package git_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// day is a commit's date, in days after 2024-01-01.
func day(n int) time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

// linear makes n commits on a branch, a minute apart from start on. Each changes
// a file, so that what is fetched beside commits would show.
func linear(t testing.TB, repo *gitserver.Repo, branch string, start time.Time, n int) []string {
	t.Helper()
	var commits []gitserver.Commit
	for i := range n {
		commits = append(commits, gitserver.Commit{
			Branch: branch, Message: fmt.Sprintf("%s %d", branch, i), When: start.Add(time.Duration(i) * time.Minute),
			Files: map[string]string{fmt.Sprintf("%s/file", branch): fmt.Sprintf("%d %s", i, strings.Repeat("content ", 20))},
		})
	}
	return repo.Add(t, commits...)
}

func histories(t testing.TB, url string, ranges ...git.Range) []git.History {
	t.Helper()
	got, err := git.New(options()).Histories(t.Context(), url, ranges)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(ranges) {
		t.Fatalf("%d histories of %d ranges", len(got), len(ranges))
	}
	return got
}

// counts are a history without its commits.
func counts(h git.History) git.History {
	h.Commits = nil
	return h
}

// fetches counts the fetches that the server saw: posts that ask for a pack.
func fetches(srv *gitserver.Server) (n int) {
	for _, r := range srv.Requests() {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func TestHistories(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	base := linear(t, repo, "17.0", day(0), 10)
	ids := repo.Add(t,
		gitserver.Commit{Branch: "17.0", Author: "Ann", When: day(1), Message: "[FIX] stock: é\nsame subject\n\nbody"},
		gitserver.Commit{Branch: "17.0", Author: "Bo Üx", When: day(2), Message: "no line end"},
		gitserver.Commit{Branch: "17.0", Author: "Ann", When: day(3)},
		gitserver.Commit{Branch: "rewritten", Parents: []string{base[7]}, When: day(4), Message: "instead"},
	)
	for _, test := range []struct {
		name     string
		old, new string
		want     git.History
	}{
		{"linear", base[9], ids[2], git.History{Ahead: 3, Authors: 2, Commits: []git.Commit{
			{ID: ids[2], Author: "Ann", When: day(3), Subject: "change"},
			{ID: ids[1], Author: "Bo Üx", When: day(2), Subject: "no line end"},
			{ID: ids[0], Author: "Ann", When: day(1), Subject: "[FIX] stock: é same subject"},
		}}},
		{"nothing", ids[1], ids[1], git.History{}},
		{"rewritten", base[9], ids[3], git.History{Ahead: 1, Behind: 2, Authors: 1, Commits: []git.Commit{{ID: ids[3], Author: "Ann", When: day(4), Subject: "instead"}}}},
		{"set back", ids[2], base[9], git.History{Behind: 3}},
		{"from the first commit", base[0], ids[0], git.History{Ahead: 10, Authors: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := histories(t, repo.URL, git.Range{Old: test.old, New: test.new})[0]
			if diff := cmp.Diff(counts(test.want), counts(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.want.Commits, got.Commits, cmpopts.EquateEmpty()); test.want.Ahead < 10 && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Branches that forked from the trunk before the old commit and were merged
// after it: what they share with the trunk is no news, though the trunk is
// longer than the first fetch.
func TestHistories_merges(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	for _, trunk := range []int{30, 64, 65, 300} {
		for _, fork := range []int{0, 3, trunk / 2} {
			repo := srv.Repo(t, fmt.Sprintf("r%d-%d", trunk, fork))
			ids := linear(t, repo, "trunk", day(0), trunk)
			old := ids[trunk-1]
			side := repo.Add(t,
				gitserver.Commit{Branch: "side", Parents: []string{ids[fork]}, When: day(0).Add(time.Duration(fork+1) * time.Minute)},
				gitserver.Commit{Branch: "side", When: day(0).Add(time.Duration(fork+2) * time.Minute)},
				gitserver.Commit{Branch: "trunk", Parents: []string{old, ":2"}, When: day(5)},
				gitserver.Commit{Branch: "trunk", When: day(6)},
			)
			got := counts(histories(t, repo.URL, git.Range{Old: old, New: side[3]})[0])
			if want := (git.History{Ahead: 4, Authors: 1}); got.Ahead != want.Ahead || got.Behind != 0 || got.AtLeast || got.Authors != 1 {
				t.Errorf("trunk of %d, forked at %d: got %+v, want %+v", trunk, fork, got, want)
			}
		}
	}
}

// The same where both ends know the fork by a shorter way than the trunk.
func TestHistories_shortcut(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	trunk := linear(t, repo, "trunk", day(0), 200)
	ids := repo.Add(t,
		gitserver.Commit{Branch: "trunk", Parents: []string{trunk[199], trunk[2]}, When: day(2)}, // knows trunk[2] by a shortcut
		gitserver.Commit{Branch: "side", Parents: []string{trunk[50]}, When: day(1)},
		gitserver.Commit{Branch: "trunk", Parents: []string{":1", ":2"}, When: day(3)},
	)
	got := counts(histories(t, repo.URL, git.Range{Old: ids[0], New: ids[2]})[0])
	if diff := cmp.Diff(git.History{Ahead: 2, Authors: 1}, got); diff != "" {
		t.Error(diff)
	}
}

// 700 commits are more than the first two rungs of the ladder hold.
func TestHistories_ladder(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 760)
	srv.Requests()
	for _, test := range []struct{ ahead, fetches int }{{20, 1}, {100, 2}, {700, 3}} {
		got := histories(t, repo.URL, git.Range{Old: ids[759-test.ahead], New: ids[759]})[0]
		if diff := cmp.Diff(git.History{Ahead: test.ahead, Authors: 1}, counts(got)); diff != "" {
			t.Errorf("%d commits: %s", test.ahead, diff)
		}
		if len(got.Commits) != min(test.ahead, git.MaxCommits) || got.Commits[0].ID != ids[759] || got.Commits[1].ID != ids[758] {
			t.Errorf("%d commits: %d are named", test.ahead, len(got.Commits))
		}
		// Each fetch asks for a list of refs, or for none, and then for a pack.
		if n := fetches(srv); n != test.fetches {
			t.Errorf("%d commits: %d posts, want %d", test.ahead, n, test.fetches)
		}
	}
}

func TestHistories_atLeast(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 5000)
	got := histories(t, repo.URL, git.Range{Old: ids[100], New: ids[4999]}, git.Range{Old: ids[4990], New: ids[4999]})
	if !got[0].AtLeast || got[0].Ahead < 4096 || got[0].Ahead > 4899 || len(got[0].Commits) != git.MaxCommits {
		t.Errorf("got %+v", counts(got[0]))
	}
	if diff := cmp.Diff(git.History{Ahead: 9, Authors: 1}, counts(got[1])); diff != "" {
		t.Errorf("the short range beside the long one: %s", diff)
	}
}

func TestHistories_many(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	trunk := linear(t, repo, "17.0", day(0), 100)
	var ranges []git.Range
	for i := range 10 {
		branch := fmt.Sprintf("b%d", i)
		repo.SetRef(t, "refs/heads/"+branch, trunk[40+i])
		ids := linear(t, repo, branch, day(i+1), i+1)
		ranges = append(ranges, git.Range{Old: trunk[40+i], New: ids[i]})
	}
	srv.Requests()
	for i, got := range histories(t, repo.URL, ranges...) {
		if diff := cmp.Diff(git.History{Ahead: i + 1, Authors: 1}, counts(got)); diff != "" {
			t.Errorf("range %d: %s", i, diff)
		}
	}
	if n := fetches(srv); n != 1 {
		t.Errorf("%d fetches for %d ranges", n, len(ranges))
	}
}

// The server has forgotten the old commit: its branch was rewritten and the
// repository cleaned up.
func TestHistories_oldGone(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 5)
	gone := []string{strings.Repeat("0a", 20), strings.Repeat("0b", 20)}
	got := histories(t, repo.URL, git.Range{Old: gone[0], New: ids[4]}, git.Range{Old: ids[3], New: ids[4]}, git.Range{Old: gone[1], New: ids[2]}, git.Range{Old: gone[0], New: ids[1]})
	for i, at := range map[int]int{0: 4, 2: 2, 3: 1} {
		want := git.History{OldGone: true, Commits: []git.Commit{{ID: ids[at], Author: "Ann", When: day(0).Add(time.Duration(at) * time.Minute), Subject: fmt.Sprintf("main %d", at)}}}
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Errorf("range %d: %s", i, diff)
		}
	}
	if diff := cmp.Diff(git.History{Ahead: 1, Authors: 1}, counts(got[1])); diff != "" {
		t.Errorf("the range that is there: %s", diff)
	}
	_, err := git.New(options()).Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: gone[0]}})
	if err == nil || !strings.Contains(err.Error(), "not our ref "+gone[0]) {
		t.Errorf("a new commit that is not there: %v", err)
	}
}

// Commits come over, and neither trees nor files.
func TestHistories_commitsOnly(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	small, large := srv.Repo(t, "small"), srv.Repo(t, "large")
	received := func(repo *gitserver.Repo, size int) (sum int64) {
		t.Helper()
		var commits []gitserver.Commit
		for i := range 20 {
			files := map[string]string{}
			for j := range size {
				files[fmt.Sprintf("d%d/%d", j, i)] = fmt.Sprintf("%d %d %s", i, j, strings.Repeat("x", j))
			}
			commits = append(commits, gitserver.Commit{Branch: "main", Files: files})
		}
		ids := repo.Add(t, commits...)
		srv.Requests()
		if got := histories(t, repo.URL, git.Range{Old: ids[5], New: ids[19]})[0]; got.Ahead != 14 {
			t.Errorf("got %+v", counts(got))
		}
		for _, r := range srv.Requests() {
			sum += r.Sent
		}
		return sum
	}
	a, b := received(small, 1), received(large, 200)
	if b-a > 500 || b > 10_000 {
		t.Errorf("%d bytes for small trees, %d for large ones", a, b)
	}
}
