package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// How often, and how far apart, Gitea is asked again that has not looked yet
// whether a new pull request merges.
const (
	mostSchedules = 20
	scheduleGap   = 500 * time.Millisecond
)

// Automerge has Gitea merge a pull request once the statuses have passed that
// its base branch requires, in the repository's own style. Where that requires
// none, or Gitea refuses, the error is a *forge.AutomergeError: Gitea would merge
// at once. forge.ErrLeaseLost: its branch is not at head. A pull request that is
// to be merged so already stays so.
//
// Gitea binds it to no commit. Who lets others push to the branch has to cancel
// it when they do.
func (f *Forge) Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("have pull request %d merged once its checks have passed", number)
	style, err := f.mergeStyle(client, repo, number, head)
	if err != nil {
		return f.failed(repo.Name, doing, err)
	}
	for attempt := 1; ; attempt++ {
		again, why := f.schedule(ctx, repo, number, sdk.MergePullRequestOption{Style: style, HeadCommitId: head, MergeWhenChecksSucceed: true})
		switch {
		case why == nil:
			return nil
		case !again || attempt == mostSchedules:
			return f.failed(repo.Name, doing, why)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(scheduleGap):
		}
	}
}

// mergeStyle returns how the repository merges, if a pull request may be merged
// by Gitea itself.
func (f *Forge) mergeStyle(client *sdk.Client, repo forge.Repo, number int64, head string) (sdk.MergeStyle, error) {
	pr, resp, err := client.GetPullRequest(repo.Owner, repo.Name.Name, number)
	if err := answer(resp, err); err != nil {
		return "", err
	}
	at := pullRequest(pr)
	branch, resp, err := client.GetRepoBranch(repo.Owner, repo.Name.Name, at.Head)
	if err := answer(resp, err); err != nil {
		return "", err
	}
	if branch.Commit == nil || branch.Commit.ID != head {
		return "", fmt.Errorf("%w: %s is not at %.10s", forge.ErrLeaseLost, at.Head, head)
	}
	base, resp, err := client.GetRepoBranch(repo.Owner, repo.Name.Name, at.Base)
	if err := answer(resp, err); err != nil {
		return "", err
	}
	switch {
	case !base.EnableStatusCheck || len(base.StatusCheckContexts) == 0:
		return "", &forge.AutomergeError{Reason: "nothing is required to pass before a merge into " + at.Base + ", so Gitea would merge at once; in Settings, Branches, have the protection of " + at.Base + " require a status check by its name"}
	case !slices.ContainsFunc(base.StatusCheckContexts, func(c string) bool { return strings.Trim(c, "*?/ ") != "" }):
		return "", &forge.AutomergeError{Reason: "the protection of " + at.Base + " names no status check: whatever comes first, also what the bot itself reports, would have Gitea merge; in Settings, Branches, have it require one by its name"}
	case !base.UserCanMerge:
		return "", &forge.AutomergeError{Reason: "the bot's account may not merge into " + at.Base + "; the protection of that branch says who may (Settings, Branches)"}
	}
	got, resp, err := client.GetRepo(repo.Owner, repo.Name.Name)
	if err := answer(resp, err); err != nil {
		return "", err
	}
	if got.DefaultMergeStyle == "" {
		return sdk.MergeStyleMerge, nil
	}
	return got.DefaultMergeStyle, nil
}

// schedule asks once. It returns whether to ask again, and why it was refused.
// The SDK does not tell what Gitea says of a refusal.
func (f *Forge) schedule(ctx context.Context, repo forge.Repo, number int64, o sdk.MergePullRequestOption) (again bool, why error) {
	body, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	url := fmt.Sprintf("%s/api/v1/repos/%s/%s/pulls/%d/merge", f.url, repo.Owner, repo.Name.Name, number)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "token "+f.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.api.Do(req)
	if err != nil {
		return false, forgehttp.Error(resp, err)
	}
	defer resp.Body.Close()
	var said struct {
		Message string `json:"message"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&said) // without a message the status tells
	message := forgehttp.Excerpt(said.Message)
	switch {
	case resp.StatusCode < http.StatusMultipleChoices:
		return false, nil
	case resp.StatusCode == http.StatusConflict && strings.Contains(message, "already scheduled"):
		return false, nil
	case resp.StatusCode == http.StatusMethodNotAllowed && strings.Contains(message, "try again later"):
		return true, &forge.AutomergeError{Reason: "Gitea does not say that it can be merged; the next run asks again"}
	case resp.StatusCode == http.StatusMethodNotAllowed:
		return false, &forge.AutomergeError{Reason: "Gitea refuses it: " + message}
	}
	return false, forgehttp.Error(resp, errors.New(message))
}

// CancelAutomerge takes Automerge back. Where there is nothing to take back, or
// no such pull request, it is done.
func (f *Forge) CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	resp, err := client.CancelScheduledAutoMerge(repo.Owner, repo.Name.Name, number)
	err = answer(resp, err)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return f.failed(repo.Name, fmt.Sprintf("cancel the merge of pull request %d", number), err)
	}
	return nil
}

// ChangesRequested reports whether somebody's newest review of a pull request,
// of those that approve it or ask for changes, asks for them.
func (f *Forge) ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (bool, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return false, err
	}
	last := map[string]sdk.ReviewStateType{}
	err = walk(func(page sdk.ListOptions) ([]*sdk.PullReview, *sdk.Response, error) {
		return client.ListPullReviews(repo.Owner, repo.Name.Name, number, sdk.ListPullReviewsOptions{ListOptions: page})
	}, func(review *sdk.PullReview) error {
		if review.Reviewer != nil && !review.Dismissed && (review.State == sdk.ReviewStateApproved || review.State == sdk.ReviewStateRequestChanges) {
			last[review.Reviewer.UserName] = review.State
		}
		return nil
	})
	if err != nil {
		return false, f.failed(repo.Name, fmt.Sprintf("list the reviews of pull request %d", number), err)
	}
	for _, state := range last {
		if state == sdk.ReviewStateRequestChanges {
			return true, nil
		}
	}
	return false, nil
}
