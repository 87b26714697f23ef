package forgetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func exerciseCreate(t *testing.T, b bench) {
	sha := b.push(t, b.change(t, "odyssey/merges", "x"))
	wanted := forge.NewPullRequest{Head: "odyssey/merges", Base: "main", Title: "Títle `x`", Body: "Body\r\n\n- <b>é</b>\n"}
	got := b.create(t, wanted)
	want := forge.PullRequest{
		Number: got.Number, Author: b.Login, URL: got.URL, Title: wanted.Title, Body: wanted.Body, State: forge.Open,
		Head: wanted.Head, HeadSHA: sha, Base: "main",
	}
	wantEqual(t, "pull request", got, want)
	if got.Number < 1 || !strings.HasPrefix(got.URL, b.repo.WebURL) {
		t.Errorf("number %d at %q", got.Number, got.URL)
	}
	_, err := b.Forge.CreatePullRequest(t.Context(), b.repo, wanted)
	wantIs(t, "a second one", err, forge.ErrConflict)
	wanted.Head = "absent"
	_, err = b.Forge.CreatePullRequest(t.Context(), b.repo, wanted)
	wantIs(t, "without a branch", err, forge.ErrNotFound)

	open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "open pull requests", open, []forge.PullRequest{want})
}

func exerciseLabels(t *testing.T, b bench) {
	for _, branch := range []string{"one", "two"} {
		b.push(t, b.change(t, branch, branch))
	}
	first := b.create(t, forge.NewPullRequest{Head: "one", Base: "main", Title: "1", Labels: []string{"odyssey", "Ünï label"}})
	second := b.create(t, forge.NewPullRequest{Head: "two", Base: "main", Title: "2", Labels: []string{"odyssey", "more"}})
	wantEqual(t, "labels", b.Human.Inspect(t, first.Number).Labels, []string{"odyssey", "Ünï label"})
	wantEqual(t, "labels", b.Human.Inspect(t, second.Number).Labels, []string{"more", "odyssey"})
}

// exerciseBodies: what is written is read back the same, byte by byte.
func exerciseBodies(t *testing.T, b bench) {
	body := strings.Repeat("Zeile: ünï → 漢字 🧭 <!-- odyssey:{\"a\":1} --> | `x` |\n", 1000)[:60_000]
	body = strings.ToValidUTF8(body, "")
	b.push(t, b.change(t, "long", "x"))
	pr := b.create(t, forge.NewPullRequest{Head: "long", Base: "main", Title: "漢字 🧭 " + strings.Repeat("t", 200), Body: body})
	if pr.Body != body {
		t.Error("the new pull request's body is not what was written")
	}
	body = "second\n" + body
	if got := b.edit(t, pr.Number, forge.Edit{Body: body}); got.Body != body || got.Title != pr.Title {
		t.Error("the edited pull request is not what was written")
	}
	open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	if len(open) != 1 || open[0].Body != body {
		t.Error("the listed pull request's body is not what was written")
	}
}

func exerciseEdit(t *testing.T, b bench) {
	want := b.open(t, "edited")
	want.Body = "new body"
	wantEqual(t, "body", b.edit(t, want.Number, forge.Edit{Body: want.Body}), want)
	want.Title = "new title"
	wantEqual(t, "title", b.edit(t, want.Number, forge.Edit{Title: want.Title}), want)
	wantEqual(t, "open stays open", b.edit(t, want.Number, forge.Edit{State: forge.Open}), want)
	want.State, want.Title = forge.Closed, "closed"
	wantEqual(t, "title and state", b.edit(t, want.Number, forge.Edit{Title: "closed", State: forge.Closed}), want)
	wantEqual(t, "closed stays closed", b.edit(t, want.Number, forge.Edit{State: forge.Closed}), want)
	open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
	if err != nil || len(open) != 0 {
		t.Errorf("open pull requests: %v, %v; want none", open, err)
	}
	if _, err := b.Forge.EditPullRequest(t.Context(), b.repo, want.Number, forge.Edit{State: forge.Merged}); err == nil {
		t.Error("a pull request is merged by an edit")
	}
}

func exerciseReopen(t *testing.T, b bench) {
	pr := b.open(t, "again")
	b.edit(t, pr.Number, forge.Edit{State: forge.Closed})
	wantEqual(t, "reopened", b.edit(t, pr.Number, forge.Edit{State: forge.Open}), pr)

	refused := func(what string, number int64, state forge.State) {
		t.Helper()
		_, err := b.Forge.EditPullRequest(t.Context(), b.repo, number, forge.Edit{State: forge.Open})
		wantIs(t, what, err, forge.ErrConflict)
		last, err := b.Forge.LastPullRequest(t.Context(), b.repo, "again")
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, what+": state", last.State, state)
	}
	b.Human.Merge(t, pr.Number)
	refused("merged", pr.Number, forge.Merged)

	b.Human.Push(t, Commit{Branch: "again", Message: "more", Files: map[string]File{"more": {Content: "m"}}})
	second := b.create(t, forge.NewPullRequest{Head: "again", Base: "main", Title: "second"})
	b.edit(t, second.Number, forge.Edit{State: forge.Closed})
	b.Human.DeleteBranch(t, "again")
	refused("its branch is gone", second.Number, forge.Closed)
}

func exerciseLast(t *testing.T, b bench) {
	last := func() forge.PullRequest {
		t.Helper()
		got, err := b.Forge.LastPullRequest(t.Context(), b.repo, "used")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	_, err := b.Forge.LastPullRequest(t.Context(), b.repo, "used")
	wantIs(t, "none yet", err, forge.ErrNotFound)

	first := b.open(t, "used")
	wantEqual(t, "open", last(), first)
	b.edit(t, first.Number, forge.Edit{State: forge.Closed})
	second := b.create(t, forge.NewPullRequest{Head: "used", Base: "main", Title: "second"})
	b.open(t, "used2")
	wantEqual(t, "newest of two", last(), second)

	b.Human.Merge(t, second.Number)
	second.State = forge.Merged
	wantEqual(t, "merged", last(), second)
	b.Human.DeleteBranch(t, "used")
	got := last()
	got.HeadSHA = second.HeadSHA
	wantEqual(t, "merged, branch deleted", got, second)
	_, err = b.Forge.LastPullRequest(t.Context(), b.repo, "use")
	wantIs(t, "the beginning of a name", err, forge.ErrNotFound)
}

func exerciseForks(t *testing.T, b bench) {
	fork := b.Human.ForkPullRequest(t, "odyssey/merges")
	open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	if len(open) != 1 || open[0].Number != fork || !open[0].FromFork || open[0].Head != "odyssey/merges" {
		t.Errorf("open pull requests %+v, want number %d from a fork", open, fork)
	}
	_, err = b.Forge.LastPullRequest(t.Context(), b.repo, "odyssey/merges")
	wantIs(t, "the branch of the fork", err, forge.ErrNotFound)

	own := b.open(t, "odyssey/merges")
	got, err := b.Forge.LastPullRequest(t.Context(), b.repo, "odyssey/merges")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "the branch of the repository", got, own)
}

func exerciseReviews(t *testing.T, b bench) {
	pr := b.open(t, "review")
	err := b.Forge.RequestReviews(t.Context(), b.repo, pr.Number, []string{"no-such-user", b.Human.Login()})
	if err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("error %v, want one that names no-such-user", err)
	}
	wantEqual(t, "reviewers", b.Human.Inspect(t, pr.Number).Reviewers, []string{b.Human.Login()})
	if err := b.Forge.RequestReviews(t.Context(), b.repo, pr.Number, nil); err != nil {
		t.Error(err)
	}
}

// exerciseMany has more pull requests than a page holds.
func exerciseMany(t *testing.T, b bench) {
	many := cmp.Or(b.Many, 55)
	var commits []Commit
	for i := range many {
		commits = append(commits, Commit{
			Branch: fmt.Sprintf("many/%d", i), Message: "m", Files: map[string]File{"n": {Content: fmt.Sprint(i)}},
		})
	}
	b.Human.Push(t, commits...)
	var want []int64
	for _, c := range commits {
		pr := b.create(t, forge.NewPullRequest{Head: c.Branch, Base: "main", Title: c.Branch})
		want = append(want, pr.Number)
	}
	open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, pr := range open {
		got = append(got, pr.Number)
	}
	slices.Sort(got)
	wantEqual(t, "open pull requests", got, want)

	for _, i := range []int{0, many - 1} {
		last, err := b.Forge.LastPullRequest(t.Context(), b.repo, commits[i].Branch)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, commits[i].Branch, last.Number, want[i])
	}
	_, err = b.Forge.LastPullRequest(t.Context(), b.repo, "many/absent")
	wantIs(t, "no pull request among many", err, forge.ErrNotFound)
}

// exerciseFollow: a pull request shows what was pushed to its branch, at once
// or soon.
func exerciseFollow(t *testing.T, b bench) {
	pr := b.open(t, "follow")
	c := b.change(t, "follow", "changed")
	c.Lease = pr.HeadSHA
	sha := b.push(t, c)
	wantEqual(t, "edited", b.edit(t, pr.Number, forge.Edit{Title: "t"}).HeadSHA, sha)

	deadline := time.Now().Add(20 * time.Second)
	for {
		open, err := b.Forge.OpenPullRequests(t.Context(), b.repo)
		if err != nil || len(open) != 1 {
			t.Fatalf("open pull requests: %v, %v", open, err)
		}
		if open[0].HeadSHA == sha {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the list shows %s, want %s", open[0].HeadSHA, sha)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
