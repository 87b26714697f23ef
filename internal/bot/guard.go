package bot

import (
	"context"
	"errors"

	"github.com/nuobit/odyssey/internal/forge"
)

// guarded is a forge that asks before every write whether it may still write,
// and tells after each that it was made.
type guarded struct {
	Forge
	fence func(ctx context.Context) error
	made  func(method string)
}

// guard wraps f. Either function may be nil.
func guard(f Forge, fence func(ctx context.Context) error, made func(method string)) guarded {
	if fence == nil {
		fence = func(context.Context) error { return nil }
	}
	if made == nil {
		made = func(string) {}
	}
	return guarded{f, fence, made}
}

// write makes a write between the two.
func (g guarded) write(ctx context.Context, method string, do func() error) error {
	if err := g.fence(ctx); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	g.made(method)
	return nil
}

// writing is write for a method that returns something.
func writing[T any](ctx context.Context, g guarded, method string, do func() (T, error)) (got T, err error) {
	err = g.write(ctx, method, func() (err error) {
		got, err = do()
		return err
	})
	return got, err
}

func (g guarded) Push(ctx context.Context, repo forge.Repo, change forge.Change) (string, error) {
	return writing(ctx, g, "Push", func() (string, error) { return g.Forge.Push(ctx, repo, change) })
}

func (g guarded) DeleteBranch(ctx context.Context, repo forge.Repo, name, lease string) error {
	return g.write(ctx, "DeleteBranch", func() error { return g.Forge.DeleteBranch(ctx, repo, name, lease) })
}

func (g guarded) CreatePullRequest(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error) {
	return writing(ctx, g, "CreatePullRequest", func() (forge.PullRequest, error) { return g.Forge.CreatePullRequest(ctx, repo, pr) })
}

func (g guarded) EditPullRequest(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.PullRequest, error) {
	return writing(ctx, g, "EditPullRequest", func() (forge.PullRequest, error) { return g.Forge.EditPullRequest(ctx, repo, number, edit) })
}

func (g guarded) RequestReviews(ctx context.Context, repo forge.Repo, number int64, reviewers []string) error {
	return g.write(ctx, "RequestReviews", func() error { return g.Forge.RequestReviews(ctx, repo, number, reviewers) })
}

func (g guarded) AddComment(ctx context.Context, repo forge.Repo, number int64, body string) (forge.Comment, error) {
	return writing(ctx, g, "AddComment", func() (forge.Comment, error) { return g.Forge.AddComment(ctx, repo, number, body) })
}

func (g guarded) EditComment(ctx context.Context, repo forge.Repo, id int64, body string) error {
	return g.write(ctx, "EditComment", func() error { return g.Forge.EditComment(ctx, repo, id, body) })
}

func (g guarded) React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	return g.write(ctx, "React", func() error { return g.Forge.React(ctx, repo, comment, r) })
}

func (g guarded) CreateIssue(ctx context.Context, repo forge.Repo, issue forge.NewIssue) (forge.Issue, error) {
	return writing(ctx, g, "CreateIssue", func() (forge.Issue, error) { return g.Forge.CreateIssue(ctx, repo, issue) })
}

func (g guarded) EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.Issue, error) {
	return writing(ctx, g, "EditIssue", func() (forge.Issue, error) { return g.Forge.EditIssue(ctx, repo, number, edit) })
}

// Status implements Stater, also of a forge that is none.
func (g guarded) Status(ctx context.Context, repo forge.Repo, s forge.Status) error {
	stater, is := g.Forge.(Stater)
	if !is {
		return errors.ErrUnsupported
	}
	return g.write(ctx, "Status", func() error { return stater.Status(ctx, repo, s) })
}

// Automerge implements Automerger, also of a forge that is none.
func (g guarded) Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error {
	forger, is := g.Forge.(Automerger)
	if !is {
		return errors.ErrUnsupported
	}
	return g.write(ctx, "Automerge", func() error { return forger.Automerge(ctx, repo, number, head) })
}

// CancelAutomerge implements Automerger, also of a forge that is none.
func (g guarded) CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error {
	forger, is := g.Forge.(Automerger)
	if !is {
		return errors.ErrUnsupported
	}
	return g.write(ctx, "CancelAutomerge", func() error { return forger.CancelAutomerge(ctx, repo, number) })
}

// ChangesRequested implements Automerger, also of a forge that is none.
func (g guarded) ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (bool, error) {
	forger, is := g.Forge.(Automerger)
	if !is {
		return false, errors.ErrUnsupported
	}
	return forger.ChangesRequested(ctx, repo, number)
}

// Check implements Checker, also of a forge that is none.
func (g guarded) Check(ctx context.Context, repo forge.Repo, c forge.Check) error {
	checker, is := g.Forge.(Checker)
	if !is {
		return errors.ErrUnsupported
	}
	return g.write(ctx, "Check", func() error { return checker.Check(ctx, repo, c) })
}
