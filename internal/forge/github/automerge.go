package github

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

const (
	enableAutomerge  = "mutation($input: EnablePullRequestAutoMergeInput!) { enablePullRequestAutoMerge(input: $input) { clientMutationId } }"
	disableAutomerge = "mutation($input: DisablePullRequestAutoMergeInput!) { disablePullRequestAutoMerge(input: $input) { clientMutationId } }"
)

// Automerge has GitHub merge a pull request once what its base branch requires
// has passed, if its head is head, in the first way that the repository allows:
// merge, squash, rebase. Where nothing is required, or nothing that is required is
// still to come, or GitHub refuses, the error is a *forge.AutomergeError: nothing is
// merged then. forge.ErrLeaseLost: its head is another one. A pull request that
// is to be merged so already stays so.
//
// GitHub looks at the head when it is asked, and not later. Who lets others push
// to the branch has to cancel it when they do.
func (f *Forge) Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error {
	doing := fmt.Sprintf("have pull request %d merged once its checks have passed", number)
	ctx, client, pr, err := f.pull(ctx, repo, number)
	if err != nil {
		return failed(repo.Name, doing, err)
	}
	switch at, err := f.Branch(ctx, repo, pr.GetHead().GetRef()); {
	case err != nil:
		return err
	case at.Head != head:
		return failed(repo.Name, doing, fmt.Errorf("%w: its branch is not at %.10s", forge.ErrLeaseLost, head))
	case pr.AutoMerge != nil:
		return nil
	}
	method, err := mergeMethod(ctx, client, repo)
	if err == nil {
		err = f.mutate(ctx, client, repo, enableAutomerge, map[string]any{"pullRequestId": pr.GetNodeID(), "expectedHeadOid": head, "mergeMethod": method})
	}
	if err != nil {
		return failed(repo.Name, doing, refusedMerge(err, repo))
	}
	return nil
}

func (f *Forge) mutate(ctx context.Context, client *sdk.Client, repo forge.Repo, query string, input any) error {
	return refs{f.session, client, repo}.mutate(ctx, query, input)
}

func (f *Forge) pull(ctx context.Context, repo forge.Repo, number int64) (context.Context, *sdk.Client, *sdk.PullRequest, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return ctx, nil, nil, err
	}
	pr, resp, err := client.PullRequests.Get(ctx, repo.Owner, repo.Name.Name, int(number))
	return ctx, client, pr, answer(resp, err)
}

// mergeMethod is one that the repository allows, as GraphQL calls it.
func mergeMethod(ctx context.Context, client *sdk.Client, repo forge.Repo) (string, error) {
	got, resp, err := client.Repositories.Get(ctx, repo.Owner, repo.Name.Name)
	if err := answer(resp, err); err != nil {
		return "", err
	}
	switch {
	case got.AllowMergeCommit == nil, got.GetAllowMergeCommit(): // or it is not shown
		return "MERGE", nil
	case got.GetAllowSquashMerge():
		return "SQUASH", nil
	}
	return "REBASE", nil
}

// GitHub's words for why it does not merge by itself (not documented; those that
// its command line tool knows, too).
var (
	notAllowed = regexp.MustCompile(`(?i)auto[ -]?merge is not allowed|not allowed for this repository`)
	nothingDue = regexp.MustCompile(`(?i)is in (clean|unstable) status`)
	behindHead = regexp.MustCompile(`(?i)head (sha|oid|branch was modified)|expected head`)
)

// refusedMerge says what to do about a refusal. What it is not about comes back
// as it is.
func refusedMerge(err error, repo forge.Repo) error {
	said := err.Error()
	switch {
	case !errors.Is(err, forge.ErrConflict) && !errors.Is(err, forge.ErrUnauthorized):
		return err
	case notAllowed.MatchString(said):
		return &forge.AutomergeError{Reason: "auto-merge is not allowed in this repository; its owner allows it in Settings, General, Pull Requests, Allow auto-merge"}
	case nothingDue.MatchString(said):
		return &forge.AutomergeError{Reason: "nothing is left that has to pass before a merge into " + repo.DefaultBranch + ", so GitHub has nothing to wait for; where checks are to decide, have a branch protection rule or ruleset require them, else merge it by hand"}
	case behindHead.MatchString(said):
		return fmt.Errorf("%w: %s", forge.ErrLeaseLost, said)
	case errors.Is(err, forge.ErrUnauthorized):
		return &forge.AutomergeError{Reason: "GitHub does not let the bot's account: " + said}
	}
	return &forge.AutomergeError{Reason: "GitHub refuses it: " + said}
}

// CancelAutomerge takes Automerge back. Where there is nothing to take back, or
// no such pull request, it is done.
func (f *Forge) CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error {
	doing := fmt.Sprintf("cancel the merge of pull request %d", number)
	ctx, client, pr, err := f.pull(ctx, repo, number)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return nil
	case err != nil:
		return failed(repo.Name, doing, err)
	case pr.AutoMerge == nil:
		return nil
	}
	if err := f.mutate(ctx, client, repo, disableAutomerge, map[string]any{"pullRequestId": pr.GetNodeID()}); err != nil {
		return failed(repo.Name, doing, err)
	}
	return nil
}

// ChangesRequested reports whether somebody's newest review of a pull request,
// of those that approve it, ask for changes or were dismissed, asks for them.
func (f *Forge) ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (bool, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return false, err
	}
	reviews, err := all(func(page sdk.ListOptions) ([]*sdk.PullRequestReview, *sdk.Response, error) {
		return client.PullRequests.ListReviews(ctx, repo.Owner, repo.Name.Name, int(number), &page)
	})
	if err != nil {
		return false, failed(repo.Name, fmt.Sprintf("list the reviews of pull request %d", number), err)
	}
	asks := map[string]bool{}
	for _, review := range reviews { // the oldest first
		switch strings.ToUpper(review.GetState()) {
		case "CHANGES_REQUESTED":
			asks[review.GetUser().GetLogin()] = true
		case "APPROVED", "DISMISSED":
			delete(asks, review.GetUser().GetLogin())
		}
	}
	return len(asks) > 0, nil
}
