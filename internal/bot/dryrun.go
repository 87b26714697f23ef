package bot

import (
	"context"

	"github.com/nuobit/odyssey/internal/forge"
)

// DryRun returns a forge that reads as f does and writes nothing: what would
// be written is taken as done.
func DryRun(f Forge) Forge { return dryRun{f} }

type dryRun struct{ Forge }

func (dryRun) Push(context.Context, forge.Repo, forge.Change) (string, error) { return "", nil }

func (dryRun) DeleteBranch(context.Context, forge.Repo, string, string) error { return nil }

func (dryRun) CreatePullRequest(_ context.Context, _ forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error) {
	return forge.PullRequest{Title: pr.Title, Body: pr.Body, Head: pr.Head, Base: pr.Base, State: forge.Open}, nil
}

func (dryRun) EditPullRequest(_ context.Context, _ forge.Repo, number int64, edit forge.Edit) (forge.PullRequest, error) {
	return forge.PullRequest{Number: number, Title: edit.Title, Body: edit.Body, State: edit.State}, nil
}

func (dryRun) RequestReviews(context.Context, forge.Repo, int64, []string) error { return nil }

func (dryRun) AddComment(_ context.Context, _ forge.Repo, number int64, body string) (forge.Comment, error) {
	return forge.Comment{Number: number, Body: body}, nil
}

func (dryRun) EditComment(context.Context, forge.Repo, int64, string) error { return nil }

func (dryRun) React(context.Context, forge.Repo, int64, forge.Reaction) error { return nil }

func (dryRun) CreateIssue(_ context.Context, _ forge.Repo, issue forge.NewIssue) (forge.Issue, error) {
	return forge.Issue{Title: issue.Title, Body: issue.Body, State: forge.Open}, nil
}

func (dryRun) EditIssue(_ context.Context, _ forge.Repo, number int64, edit forge.Edit) (forge.Issue, error) {
	return forge.Issue{Number: number, Title: edit.Title, Body: edit.Body, State: edit.State}, nil
}
