package gitea

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// OpenPullRequests lists all open pull requests, the newest first. HeadSHA
// follows a push with a short delay; Branch does not.
func (f *Forge) OpenPullRequests(ctx context.Context, repo forge.Repo) ([]forge.PullRequest, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.PullRequest, *sdk.Response, error) {
		return client.ListRepoPullRequests(repo.Owner, repo.Name.Name,
			sdk.ListPullRequestsOptions{ListOptions: page, State: sdk.StateOpen})
	})
	if err != nil {
		return nil, f.failed(repo.Name, "list the open pull requests", err)
	}
	open := make([]forge.PullRequest, 0, len(got))
	for _, pr := range got {
		open = append(open, pullRequest(pr))
	}
	return open, nil
}

// PullRequest reads a pull request; of an issue's number the error is
// forge.ErrNotFound.
func (f *Forge) PullRequest(ctx context.Context, repo forge.Repo, number int64) (forge.PullRequest, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	got, resp, err := client.GetPullRequest(repo.Owner, repo.Name.Name, number)
	if err := answer(resp, err); err != nil {
		return forge.PullRequest{}, f.failed(repo.Name, fmt.Sprintf("read pull request %d", number), err)
	}
	return pullRequest(got), nil
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// LastPullRequest returns the newest pull request, in any state, whose head
// is the branch in the repository itself.
//
// Gitea cannot search by head. The newest 50 pull requests, one call, nearly
// always hold the one of a branch that is used again and again. If not, one
// more call asks for any pull request from the branch onto the default
// branch; only when there is one (Gitea returns the oldest) are further pages
// read. So one that is older than 50 others and leads to another branch than
// the default one is not found.
func (f *Forge) LastPullRequest(ctx context.Context, repo forge.Repo, branch string) (forge.PullRequest, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	var last forge.PullRequest
	err = walk(func(page sdk.ListOptions) ([]*sdk.PullRequest, *sdk.Response, error) {
		if page.Page == 2 {
			if _, resp, err := client.GetPullRequestByBaseHead(repo.Owner, repo.Name.Name, repo.DefaultBranch, branch); err != nil {
				return nil, resp, err
			}
		}
		return client.ListRepoPullRequests(repo.Owner, repo.Name.Name,
			sdk.ListPullRequestsOptions{ListOptions: page, State: sdk.StateAll})
	}, func(pr *sdk.PullRequest) error {
		last = pullRequest(pr)
		if last.Head == branch && !last.FromFork {
			return errStop
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop):
		return last, nil
	case err == nil:
		err = forge.ErrNotFound
	}
	return forge.PullRequest{}, f.failed(repo.Name, "find a pull request from "+branch, err)
}

// CreatePullRequest opens a pull request. forge.ErrConflict: there is one
// from this head onto this base already.
func (f *Forge) CreatePullRequest(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	labels, err := f.labels(client, repo, pr.Labels)
	if err != nil {
		return forge.PullRequest{}, err
	}
	got, resp, err := client.CreatePullRequest(repo.Owner, repo.Name.Name, sdk.CreatePullRequestOption{
		Head: pr.Head, Base: pr.Base, Title: pr.Title, Body: pr.Body, Labels: labels,
	})
	if err := answer(resp, err); err != nil {
		return forge.PullRequest{}, f.failed(repo.Name, "open a pull request from "+pr.Head, err)
	}
	return pullRequest(got), nil
}

// EditPullRequest changes what is set in the edit. forge.ErrConflict: a
// merged pull request, or one whose branch is gone, is to be opened again.
func (f *Forge) EditPullRequest(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.PullRequest, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	doing := fmt.Sprintf("edit pull request %d", number)
	options := sdk.EditPullRequestOption{Title: edit.Title}
	if edit.Body != "" {
		options.Body = &edit.Body
	}
	switch edit.State {
	case "":
	case forge.Open:
		if err := f.reopenable(ctx, client, repo, number); err != nil {
			return forge.PullRequest{}, f.failed(repo.Name, doing, err)
		}
		options.State = new(sdk.StateOpen)
	case forge.Closed:
		options.State = new(sdk.StateClosed)
	default:
		return forge.PullRequest{}, fmt.Errorf("%s: %q is no state to ask for", doing, edit.State)
	}
	got, resp, err := client.EditPullRequest(repo.Owner, repo.Name.Name, number, options)
	if err := answer(resp, err); err != nil {
		return forge.PullRequest{}, f.failed(repo.Name, doing, err)
	}
	return pullRequest(got), nil
}

// reopenable makes up for Gitea, whose API opens a pull request again
// although its branch is gone.
func (f *Forge) reopenable(ctx context.Context, client *sdk.Client, repo forge.Repo, number int64) error {
	got, resp, err := client.GetPullRequest(repo.Owner, repo.Name.Name, number)
	if err := answer(resp, err); err != nil {
		return err
	}
	pr := pullRequest(got)
	switch {
	case pr.State == forge.Merged:
		return fmt.Errorf("%w: it is merged", forge.ErrConflict)
	case pr.State == forge.Open, pr.FromFork:
		return nil
	}
	_, err = f.Branch(ctx, repo, pr.Head)
	if errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("%w: its branch %s is gone", forge.ErrConflict, pr.Head)
	}
	return err
}

// pushed is the content of a timeline's entry of a push (Gitea,
// models/issues/comment.go, PushActionContent).
type pushed struct {
	Commits []string `json:"commit_ids"` // the newest last; of a forced push the former and the new head
}

// HeadSince returns the second in which head became the head of a pull request,
// by the forge's clock: one API call for the pull request and one for each 50
// entries of its timeline. The times in commits can be anybody's, and are not
// looked at. forge.ErrTransient: the timeline does not lead to head, or not yet.
func (f *Forge) HeadSince(ctx context.Context, repo forge.Repo, number int64, head string) (time.Time, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return time.Time{}, err
	}
	doing := fmt.Sprintf("find out since when pull request %d has its head", number)
	got, resp, err := client.GetPullRequest(repo.Owner, repo.Name.Name, number)
	if err := answer(resp, err); err != nil {
		return time.Time{}, f.failed(repo.Name, doing, err)
	}
	at, since := pullRequest(got).HeadSHA, time.Time{}
	if got.Created != nil {
		since = got.Created.UTC()
	}
	err = walk(func(page sdk.ListOptions) ([]*sdk.TimelineComment, *sdk.Response, error) {
		return client.ListIssueTimeline(repo.Owner, repo.Name.Name, number, sdk.ListIssueCommentOptions{ListOptions: page})
	}, func(entry *sdk.TimelineComment) error {
		var push pushed
		if entry.Type == "pull_push" && json.Unmarshal([]byte(entry.Body), &push) == nil && len(push.Commits) > 0 {
			at, since = push.Commits[len(push.Commits)-1], entry.Created.UTC()
		}
		return nil
	})
	if err == nil && at != head {
		err = fmt.Errorf("%w: it knows of no push of %.10s", forge.ErrTransient, head)
	}
	if err != nil {
		return time.Time{}, f.failed(repo.Name, doing, err)
	}
	return since, nil
}

// RequestReviews asks users (login names) to review a pull request. Who
// cannot be asked is in the error; the others are asked nevertheless.
func (f *Forge) RequestReviews(ctx context.Context, repo forge.Repo, number int64, reviewers []string) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	var failures []error
	for _, reviewer := range reviewers {
		resp, err := client.CreateReviewRequests(repo.Owner, repo.Name.Name, number,
			sdk.PullReviewRequestOptions{Reviewers: []string{reviewer}})
		if err := answer(resp, err); err != nil {
			failures = append(failures, f.failed(repo.Name, "ask "+reviewer+" for a review", err))
		}
	}
	return errors.Join(failures...)
}

func pullRequest(pr *sdk.PullRequest) forge.PullRequest {
	got := forge.PullRequest{
		Number: pr.Index, URL: pr.HTMLURL, Title: pr.Title, Body: pr.Body,
		State: forge.Open, FromFork: true,
	}
	if pr.Poster != nil {
		got.Author = pr.Poster.UserName
	}
	switch {
	case pr.HasMerged:
		got.State = forge.Merged
	case pr.State == sdk.StateClosed:
		got.State = forge.Closed
	}
	if pr.Base != nil {
		got.Base = pr.Base.Ref
	}
	if pr.Head != nil {
		// Ref is refs/pull/N/head once the branch is gone; Name stays, and
		// is empty of a pull request that was pushed without a branch.
		got.Head, got.HeadSHA = pr.Head.Name, pr.Head.Sha
		got.FromFork = pr.Head.Name == "" || pr.Base == nil || pr.Head.RepoID != pr.Base.RepoID
	}
	return got
}
