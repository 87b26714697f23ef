package forgetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func exercisePullRequest(t *testing.T, b bench) {
	read := func(number int64) forge.PullRequest {
		t.Helper()
		got, err := b.Forge.PullRequest(t.Context(), b.repo, number)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	pr := b.open(t, "single")
	wantEqual(t, "open", read(pr.Number), pr)
	if fork := read(b.Human.ForkPullRequest(t, "single")); !fork.FromFork || fork.Head != "single" {
		t.Errorf("%+v, want one from a fork", fork)
	}
	b.Human.Merge(t, pr.Number)
	wantEqual(t, "state", read(pr.Number).State, forge.Merged)
	_, err := b.Forge.PullRequest(t.Context(), b.repo, b.Human.OpenIssue(t, "No pull request", "x"))
	wantIs(t, "an issue", err, forge.ErrNotFound)
}

// exerciseChanged: a push shows in the repository soon.
func exerciseChanged(t *testing.T, b bench) {
	if age := time.Since(b.repo.Changed).Abs(); age > 10*time.Minute {
		t.Errorf("changed at %s", b.repo.Changed)
	}
	time.Sleep(1100 * time.Millisecond)
	b.Human.Push(t, Commit{Branch: "side", Message: "m", Files: map[string]File{"f": {Content: "c"}}})
	deadline := time.Now().Add(20 * time.Second)
	for {
		repo, err := b.Forge.Repo(t.Context(), b.Repo)
		if err != nil {
			t.Fatal(err)
		}
		if repo.Changed.After(b.repo.Changed) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("changed at %s as before the push", repo.Changed)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func exercisePermission(t *testing.T, b bench) {
	may := func(login string) forge.Permission {
		t.Helper()
		got, err := b.Forge.Permission(t.Context(), b.repo, login)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	stranger := b.Human.Stranger()
	if got := may(stranger); got > forge.MayRead {
		t.Errorf("a stranger has permission %d", got)
	}
	if got := may(b.Human.Login()); got < forge.MayWrite {
		t.Errorf("the owner has permission %d", got)
	}
	wantEqual(t, "the account itself", may(b.Login), forge.MayWrite)
	for _, login := range []string{"nobody-of-this-name", "", "..", "a/b", "../../../users/" + b.Human.Login(), strings.Repeat("x", 300)} {
		wantEqual(t, "permission of "+login, may(login), forge.MayNothing)
	}
	b.Human.SetPermission(t, stranger, forge.MayRead)
	if got := may(stranger); got > forge.MayRead {
		t.Errorf("a reader has permission %d", got)
	}
	for range 2 { // what was true a moment ago does not count
		b.Human.SetPermission(t, stranger, forge.MayWrite)
		wantEqual(t, "a writer", may(stranger), forge.MayWrite)
		b.Human.SetPermission(t, stranger, forge.MayNothing)
		if got := may(stranger); got > forge.MayRead {
			t.Errorf("who was a writer has permission %d", got)
		}
	}
}

func exerciseIssues(t *testing.T, b bench) {
	own := func(want ...forge.Issue) {
		t.Helper()
		got, err := b.Forge.OwnIssues(t.Context(), b.repo)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "own issues", got, want)
	}
	edit := func(number int64, edit forge.Edit) forge.Issue {
		t.Helper()
		got, err := b.Forge.EditIssue(t.Context(), b.repo, number, edit)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	own()
	theirs := b.Human.OpenIssue(t, "Odyssey", "not the bot's")
	b.open(t, "no-issue")
	own()

	in := forge.NewIssue{Title: "Odyssey: hölds", Body: "<!-- odyssey:{} -->\r\n\n- `./odoo` <b>é</b> 🧭\n", Labels: []string{"odyssey", "Ünï"}}
	made, err := b.Forge.CreateIssue(t.Context(), b.repo, in)
	if err != nil {
		t.Fatal(err)
	}
	want := forge.Issue{Number: made.Number, Author: b.Login, URL: made.URL, Title: in.Title, Body: in.Body, State: forge.Open}
	wantEqual(t, "new issue", made, want)
	if made.Number <= theirs || !strings.HasPrefix(made.URL, b.repo.WebURL) {
		t.Errorf("number %d at %q", made.Number, made.URL)
	}
	wantEqual(t, "labels", b.Human.Inspect(t, made.Number).Labels, []string{"odyssey", "Ünï"})
	own(want)

	want.Body = "new body"
	wantEqual(t, "body", edit(made.Number, forge.Edit{Body: "new body"}), want)
	want.Title = "new title"
	wantEqual(t, "title", edit(made.Number, forge.Edit{Title: "new title"}), want)
	own(want)
	for range 2 {
		want.State = forge.Closed
		wantEqual(t, "closed", edit(made.Number, forge.Edit{State: forge.Closed}), want)
	}
	own()
	b.Human.EditIssue(t, made.Number, forge.Edit{State: forge.Open})
	want.State = forge.Open
	own(want)
	if _, err := b.Forge.EditIssue(t.Context(), b.repo, made.Number, forge.Edit{State: forge.Merged}); err == nil {
		t.Error("an issue is merged by an edit")
	}

	var all []string
	for _, i := range b.Human.Issues(t) {
		all = append(all, i.Author+" "+i.Title)
	}
	wantEqual(t, "everybody's issues", all, []string{b.Human.Login() + " Odyssey", b.Login + " new title"})
}

// exerciseManyIssues has more issues than a small page.
func exerciseManyIssues(t *testing.T, b bench) {
	var want []int64
	for range 7 {
		made, err := b.Forge.CreateIssue(t.Context(), b.repo, forge.NewIssue{Title: "same"})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, made.Number)
		b.Human.OpenIssue(t, "same", "not the bot's")
	}
	listed, err := b.Forge.OwnIssues(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, i := range slices.Backward(listed) {
		got = append(got, i.Number)
	}
	wantEqual(t, "many issues", got, want)
}

func exerciseRepositories(t *testing.T, b bench) {
	list := func(q forge.RepositoryQuery) []forge.Repo {
		t.Helper()
		found, err := b.Forge.Repositories(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			found[i].Changed = b.repo.Changed // moves when somebody pushes
		}
		return found
	}
	topic := "topic-of-" + strings.ToLower(b.Repo.Name)
	b.Human.SetTopics(t, topic, "odoo")
	b.Human.EmptyRepo(t)
	want := []forge.Repo{b.repo}
	wantEqual(t, "with a topic", list(forge.RepositoryQuery{Topic: topic}), want)
	wantEqual(t, "of an owner, with a topic", list(forge.RepositoryQuery{Owner: b.Repo.Owner, Topic: topic}), want)
	wantEqual(t, "with a topic nobody has", len(list(forge.RepositoryQuery{Topic: topic[:len(topic)-1] + "-none"})), 0)
	wantEqual(t, "of another owner, with a topic", len(list(forge.RepositoryQuery{Owner: b.Repo.Owner, Topic: "no-" + topic})), 0)

	var seen []forge.Name
	for _, repo := range list(forge.RepositoryQuery{Owner: b.Repo.Owner}) {
		if repo.Owner != b.Repo.Owner || slices.Contains(seen, repo.Name) {
			t.Errorf("%s is listed a second time, or of another owner", repo.Name)
		}
		seen = append(seen, repo.Name)
	}
	if len(seen) < 2 || !slices.Contains(seen, b.Repo) {
		t.Errorf("%s has %v, not %s", b.Repo.Owner, seen, b.Repo)
	}
	_, err := b.Forge.Repositories(t.Context(), forge.RepositoryQuery{Owner: "nobody-of-this-name"})
	wantIs(t, "of nobody", err, forge.ErrNotFound)
	if _, err := b.Forge.Repositories(t.Context(), forge.RepositoryQuery{}); err == nil {
		t.Error("a query for all the world is answered")
	}
}

// exerciseSilence talks about what does not exist.
func exerciseSilence(t *testing.T, b bench) {
	ctx := t.Context()
	nothing := b.repo
	nothing.Name = forge.Name{Owner: b.Repo.Owner, Name: "no-such-repository"}
	const number = 471100
	for _, repo := range []forge.Repo{b.repo, nothing} {
		for what, call := range map[string]func() error{
			"pull request": func() error { _, err := b.Forge.PullRequest(ctx, repo, number); return err },
			"comment":      func() error { _, err := b.Forge.Comment(ctx, repo, number); return err },
			"comments":     func() error { _, err := b.Forge.Comments(ctx, repo, number); return err },
			"new comment":  func() error { _, err := b.Forge.AddComment(ctx, repo, number, "x"); return err },
			"edit comment": func() error { return b.Forge.EditComment(ctx, repo, number, "x") },
			"react":        func() error { return b.Forge.React(ctx, repo, number, forge.Seen) },
			"unreact":      func() error { return b.Forge.Unreact(ctx, repo, number, forge.Seen) },
			"reactions":    func() error { _, err := b.Forge.Reactions(ctx, repo, number); return err },
			"edit issue":   func() error { _, err := b.Forge.EditIssue(ctx, repo, number, forge.Edit{Title: "t"}); return err },
		} {
			wantIs(t, what+" in "+repo.String(), call(), forge.ErrNotFound)
		}
	}
	_, err := b.Forge.CommentsSince(ctx, nothing, time.Time{})
	wantIs(t, "comments since", err, forge.ErrNotFound)
	_, err = b.Forge.OwnIssues(ctx, nothing)
	wantIs(t, "own issues", err, forge.ErrNotFound)
	_, err = b.Forge.CreateIssue(ctx, nothing, forge.NewIssue{Title: "t"})
	wantIs(t, "new issue", err, forge.ErrNotFound)
}
