package forgetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Everything calls every method of a driver, on what need not be there, and
// returns their errors by the methods' names.
func Everything(t *testing.T, f Forge, name forge.Name) map[string]error {
	t.Helper()
	ctx := t.Context()
	const sha = "0123456789012345678901234567890123456789"
	repo := forge.Repo{Name: name, DefaultBranch: "main"}
	errs := map[string]error{
		"DeleteBranch":   f.DeleteBranch(ctx, repo, "b", sha),
		"RequestReviews": f.RequestReviews(ctx, repo, 1, []string{"who"}),
		"EditComment":    f.EditComment(ctx, repo, 1, "hello"),
		"React":          f.React(ctx, repo, 1, forge.Seen),
		"Unreact":        f.Unreact(ctx, repo, 1, forge.Seen),
	}
	_, errs["Repo"] = f.Repo(ctx, name)
	_, errs["Snapshot"] = f.Snapshot(ctx, repo, []string{"f"})
	_, errs["File"] = f.File(ctx, repo, "main", "f")
	_, errs["Paths"] = f.Paths(ctx, repo, "main")
	_, errs["Branch"] = f.Branch(ctx, repo, "main")
	_, errs["Push"] = f.Push(ctx, repo, forge.Change{
		Base: "main", BaseHead: sha, Branch: "b", Files: map[string][]byte{"f": nil},
		By: forge.Identity{Name: "O", Email: "o@example.org"},
	})
	_, errs["OpenPullRequests"] = f.OpenPullRequests(ctx, repo)
	_, errs["LastPullRequest"] = f.LastPullRequest(ctx, repo, "b")
	_, errs["CreatePullRequest"] = f.CreatePullRequest(ctx, repo, forge.NewPullRequest{Head: "b", Base: "main", Title: "t", Labels: []string{"l"}})
	_, errs["EditPullRequest"] = f.EditPullRequest(ctx, repo, 1, forge.Edit{Title: "t"})
	_, errs["Comments"] = f.Comments(ctx, repo, 1)
	_, errs["AddComment"] = f.AddComment(ctx, repo, 1, "hello")
	_, errs["Comment"] = f.Comment(ctx, repo, 1)
	_, errs["CommentsSince"] = f.CommentsSince(ctx, repo, time.Time{})
	_, errs["Permission"] = f.Permission(ctx, repo, "who")
	_, errs["Reactions"] = f.Reactions(ctx, repo, 1)
	_, errs["HeadSince"] = f.HeadSince(ctx, repo, 1, sha)
	_, errs["PullRequest"] = f.PullRequest(ctx, repo, 1)
	_, errs["OwnIssues"] = f.OwnIssues(ctx, repo)
	_, errs["CreateIssue"] = f.CreateIssue(ctx, repo, forge.NewIssue{Title: "t", Labels: []string{"l"}})
	_, errs["EditIssue"] = f.EditIssue(ctx, repo, 1, forge.Edit{Title: "t"})
	_, errs["Repositories"] = f.Repositories(ctx, forge.RepositoryQuery{Owner: "o", Topic: "t"})
	return errs
}

// Reads are the methods that change nothing, by their names, each called on a
// fixture's repository, one of its pull requests, and a comment in it.
func Reads(ctx context.Context, x Fixture, repo forge.Repo, pr, comment int64) map[string]func() error {
	return map[string]func() error{
		"Repo":             func() error { _, err := x.Forge.Repo(ctx, x.Repo); return err },
		"File":             func() error { _, err := x.Forge.File(ctx, repo, "main", "README.md"); return err },
		"Paths":            func() error { _, err := x.Forge.Paths(ctx, repo, "main"); return err },
		"Branch":           func() error { _, err := x.Forge.Branch(ctx, repo, "main"); return err },
		"Snapshot":         func() error { _, err := x.Forge.Snapshot(ctx, repo, []string{"README.md"}); return err },
		"OpenPullRequests": func() error { _, err := x.Forge.OpenPullRequests(ctx, repo); return err },
		"LastPullRequest":  func() error { _, err := x.Forge.LastPullRequest(ctx, repo, "topic"); return err },
		"Comments":         func() error { _, err := x.Forge.Comments(ctx, repo, pr); return err },
		"Comment":          func() error { _, err := x.Forge.Comment(ctx, repo, comment); return err },
		"CommentsSince":    func() error { _, err := x.Forge.CommentsSince(ctx, repo, time.Time{}); return err },
		"Reactions":        func() error { _, err := x.Forge.Reactions(ctx, repo, comment); return err },
		"PullRequest":      func() error { _, err := x.Forge.PullRequest(ctx, repo, pr); return err },
		"OwnIssues":        func() error { _, err := x.Forge.OwnIssues(ctx, repo); return err },
		"Permission":       func() error { _, err := x.Forge.Permission(ctx, repo, x.Human.Login()); return err },
		"Repositories": func() error {
			_, err := x.Forge.Repositories(ctx, forge.RepositoryQuery{Owner: x.Repo.Owner, Topic: "none"})
			return err
		},
	}
}

// CommentsSince reads all comments since a time as a sweep does, page by page,
// each from the time of the last comment of the one before. It returns which
// it saw, and how many pages there were.
func CommentsSince(t *testing.T, f Forge, repo forge.Repo, since time.Time) (seen map[int64]bool, pages int) {
	t.Helper()
	seen = map[int64]bool{}
	for more := true; more; pages++ {
		page, err := f.CommentsSince(t.Context(), repo, since)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(page.Comments, func(a, b forge.Comment) int { return a.Updated.Compare(b.Updated) }) {
			t.Error("the comments are not the oldest first")
		}
		for _, c := range page.Comments {
			seen[c.ID] = true
		}
		if more = page.More; more {
			last := page.Comments[len(page.Comments)-1].Updated
			if !last.After(since) {
				t.Fatalf("no progress beyond %s", since)
			}
			since = last
		}
	}
	return seen, pages
}
