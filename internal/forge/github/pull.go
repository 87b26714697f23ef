package github

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// OpenPullRequests lists all open pull requests, the newest first. HeadSHA
// follows a push with a short delay; Branch does not.
func (f *Forge) OpenPullRequests(ctx context.Context, repo forge.Repo) ([]forge.PullRequest, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.PullRequest, *sdk.Response, error) {
		return client.PullRequests.List(ctx, repo.Owner, repo.Name.Name,
			&sdk.PullRequestListOptions{State: "open", Sort: "created", Direction: "desc", ListOptions: page})
	})
	if err != nil {
		return nil, failed(repo.Name, "list the open pull requests", err)
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
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	got, resp, err := client.PullRequests.Get(ctx, repo.Owner, repo.Name.Name, int(number))
	if err := answer(resp, err); err != nil {
		return forge.PullRequest{}, failed(repo.Name, fmt.Sprintf("read pull request %d", number), err)
	}
	return pullRequest(got), nil
}

// LastPullRequest returns the newest pull request, in any state, whose head
// is the branch in the repository itself: one call, and a further one when it
// finds none. Those from a fork of the same owner's are passed over, up to the
// newest 100 from such a branch.
//
// The first call asks by owner and branch. Of a repository that was given away
// GitHub's documentation does not say whether the old owner or the new one
// counts, so the second looks through the newest 100 of all.
func (f *Forge) LastPullRequest(ctx context.Context, repo forge.Repo, branch string) (forge.PullRequest, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	for _, head := range []string{repo.Owner + ":" + branch, ""} {
		got, resp, err := client.PullRequests.List(ctx, repo.Owner, repo.Name.Name, &sdk.PullRequestListOptions{
			State: "all", Head: head, Sort: "created", Direction: "desc", ListOptions: sdk.ListOptions{PerPage: pageSize},
		})
		if err := answer(resp, err); err != nil {
			return forge.PullRequest{}, failed(repo.Name, "find a pull request from "+branch, err)
		}
		for _, pr := range got {
			if pr := pullRequest(pr); pr.Head == branch && !pr.FromFork {
				return pr, nil
			}
		}
	}
	return forge.PullRequest{}, failed(repo.Name, "find a pull request from "+branch, forge.ErrNotFound)
}

// CreatePullRequest opens a pull request. forge.ErrConflict: there is one
// from this head onto this base already, or they do not differ.
// forge.ErrNotFound: a branch is missing.
//
// When the answer is lost the pull request is looked for, once. Labels are set
// by a second call. When that fails the pull request is there without them,
// which is logged and no error.
func (f *Forge) CreatePullRequest(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	doing := "open a pull request from " + pr.Head
	if err := makeLabels(ctx, client, repo, pr.Labels); err != nil {
		return forge.PullRequest{}, failed(repo.Name, doing, err)
	}
	got, resp, err := client.PullRequests.Create(ctx, repo.Owner, repo.Name.Name, &sdk.NewPullRequest{
		Title: &pr.Title, Head: &pr.Head, Base: &pr.Base, Body: &pr.Body,
	})
	if invalidField(err, "head", "base") {
		err = fmt.Errorf("%w: %s or %s is no branch here", forge.ErrNotFound, pr.Head, pr.Base)
		return forge.PullRequest{}, failed(repo.Name, doing, err)
	}
	var made forge.PullRequest
	if err := answer(resp, err); err == nil {
		made = pullRequest(got)
	} else if lost, found := f.lost(ctx, repo, pr, err); found {
		made = lost
	} else {
		return forge.PullRequest{}, failed(repo.Name, doing, err)
	}
	f.session.wrote(made.Author)
	if len(pr.Labels) > 0 {
		if err := addLabels(ctx, client, repo, made.Number, pr.Labels); err != nil {
			f.log.Warn("labels not set", "repo", repo.String(), "pr", made.Number, "err", err)
		}
	}
	return made, nil
}

// lost finds a pull request that was opened although the call failed: what the
// account has open from and onto these branches with this text. GitHub allows
// one, and refuses a second one otherwise than by an answer that is lost.
func (f *Forge) lost(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest, failure error) (forge.PullRequest, bool) {
	limited := (*forge.RateLimitError)(nil)
	if !errors.Is(failure, forge.ErrTransient) || errors.As(failure, &limited) {
		return forge.PullRequest{}, false
	}
	account, err := f.session.login(ctx)
	if err != nil {
		return forge.PullRequest{}, false
	}
	last, err := f.LastPullRequest(ctx, repo, pr.Head)
	is := err == nil && last.State == forge.Open && last.Base == pr.Base && last.Author == account && last.Title == pr.Title && last.Body == pr.Body
	return last, is
}

// EditPullRequest changes what is set in the edit. forge.ErrConflict: a
// merged pull request, or one whose branch is gone or was made anew, is to be
// opened again.
func (f *Forge) EditPullRequest(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.PullRequest, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.PullRequest{}, err
	}
	doing := fmt.Sprintf("edit pull request %d", number)
	change := &sdk.PullRequest{Title: given(edit.Title), Body: given(edit.Body)}
	if change.State, err = stateOf(edit); err != nil {
		return forge.PullRequest{}, failed(repo.Name, doing, err)
	}
	got, resp, err := client.PullRequests.Edit(ctx, repo.Owner, repo.Name.Name, int(number), change)
	if err := answer(resp, err); err != nil {
		return forge.PullRequest{}, failed(repo.Name, doing, err)
	}
	return pullRequest(got), nil
}

// given returns nil for what is to stay as it is.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func stateOf(edit forge.Edit) (*string, error) {
	switch edit.State {
	case "":
		return nil, nil //nolint:nilnil // the state is to stay as it is
	case forge.Open, forge.Closed:
		return new(string(edit.State)), nil
	}
	return nil, fmt.Errorf("%q is no state to ask for", edit.State)
}

// RequestReviews asks users (login names) to review a pull request. GitHub
// asks nobody when one of them cannot be asked, and then they are asked one by
// one. Who cannot be asked is in the error.
func (f *Forge) RequestReviews(ctx context.Context, repo forge.Repo, number int64, reviewers []string) error {
	if len(reviewers) == 0 {
		return nil
	}
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	ask := func(who ...string) error {
		_, resp, err := client.PullRequests.RequestReviewers(ctx, repo.Owner, repo.Name.Name, int(number),
			sdk.ReviewersRequest{Reviewers: who})
		return answer(resp, err)
	}
	if len(reviewers) > 1 {
		err := ask(reviewers...)
		if err == nil {
			return nil
		}
		if !errors.Is(err, forge.ErrConflict) {
			return failed(repo.Name, fmt.Sprintf("ask %q for a review", reviewers), err)
		}
	}
	var failures []error
	for _, reviewer := range reviewers {
		if err := ask(reviewer); err != nil {
			failures = append(failures, failed(repo.Name, "ask "+reviewer+" for a review", err))
		}
	}
	return errors.Join(failures...)
}

func pullRequest(pr *sdk.PullRequest) forge.PullRequest {
	got := forge.PullRequest{
		Number: int64(pr.GetNumber()), Author: pr.GetUser().GetLogin(), URL: pr.GetHTMLURL(), Title: pr.GetTitle(), Body: pr.GetBody(),
		State: forge.Open, Head: pr.GetHead().GetRef(), HeadSHA: pr.GetHead().GetSHA(), Base: pr.GetBase().GetRef(),
	}
	switch {
	case pr.GetMerged(), pr.MergedAt != nil: // lists have the second alone
		got.State = forge.Merged
	case pr.GetState() == "closed":
		got.State = forge.Closed
	}
	// A fork that was deleted is no repository any more.
	got.FromFork = pr.GetHead().GetRepo().GetID() != pr.GetBase().GetRepo().GetID()
	return got
}
