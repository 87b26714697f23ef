package forgetest

import (
	"errors"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// whole lets the whole second pass that forges keep times in.
func whole() { time.Sleep(1100 * time.Millisecond) }

// headSince waits until the forge has taken a push in.
func (b bench) headSince(t *testing.T, number int64, head string) time.Time {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		since, err := b.Forge.HeadSince(t.Context(), b.repo, number, head)
		if err == nil {
			return since
		}
		if !errors.Is(err, forge.ErrTransient) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// exerciseHeadSince: when a head was pushed, beside when comments were written,
// both by the forge's clock, and whatever the commits say.
func exerciseHeadSince(t *testing.T, b bench) {
	first := b.Human.Push(t, Commit{Branch: "since", Message: "1", Files: map[string]File{"f": {Content: "1"}}})[0]
	pr := b.create(t, forge.NewPullRequest{Head: "since", Base: "main", Title: "Since"})
	fork := b.Human.ForkPullRequest(t, "since")
	whole()
	early := b.comment(t, b.Human.Comment(t, pr.Number, "early")).Created
	if since := b.headSince(t, pr.Number, first); since.IsZero() || !since.Before(early) || early.Sub(since) > time.Minute {
		t.Errorf("the head was there since %s, a comment on it is of %s", since, early)
	}
	of, err := b.Forge.PullRequest(t.Context(), b.repo, fork)
	if err != nil {
		t.Fatal(err)
	}
	if since := b.headSince(t, fork, of.HeadSHA); since.IsZero() || !since.Before(early) {
		t.Errorf("the fork's head was there since %s, a comment is of %s", since, early)
	}
	whole()
	for name, c := range map[string]Commit{
		"a further commit": {Branch: "since", Message: "2", Files: map[string]File{"f": {Content: "2"}}},
		"a forced push":    {Branch: "since", Message: "3", Files: map[string]File{"f": {Content: "3"}}, Amend: true},
	} {
		since := b.headSince(t, pr.Number, b.Human.Push(t, c)[0]) // it may take the push in later than it was
		whole()
		late := b.comment(t, b.Human.Comment(t, pr.Number, "late")).Created
		if !since.After(early) || !since.Before(late) {
			t.Errorf("%s: the head was there since %s, between comments of %s and %s", name, since, early, late)
		}
	}
	_, err = b.Forge.HeadSince(t.Context(), b.repo, pr.Number, first)
	wantIs(t, "what was the head", err, forge.ErrTransient)
	_, err = b.Forge.HeadSince(t.Context(), b.repo, 4711, first)
	wantIs(t, "no pull request", err, forge.ErrNotFound)
}

// exerciseRenamed: who asks for a repository by a name that it had learns the
// present one, and gets nothing else under the old one.
func exerciseRenamed(t *testing.T, b bench) {
	to := b.Human.Rename(t, b.Repo.Name+"-renamed")
	_, err := b.Forge.Repo(t.Context(), b.Repo)
	var moved *forge.MovedError
	if !errors.As(err, &moved) || moved.To != to.String() || !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("error %v, want one that says %s", err, to)
	}
	repo, err := b.Forge.Repo(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "name", repo.Name, to)
}
