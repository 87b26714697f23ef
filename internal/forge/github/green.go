package github

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// Combined returns what was reported on a commit of a repository that everybody
// can see, or that as can: one call for the check runs, and one for the statuses
// unless a check run has failed. as is the repository on whose behalf is asked,
// since an App is seldom installed where upstreams are.
func (f *Forge) Combined(ctx context.Context, as, name forge.Name, commit string) (forge.Combined, error) {
	ctx, client, err := f.at(ctx, as)
	if err != nil {
		return forge.Unreported, err
	}
	if err := validName(name); err != nil {
		return forge.Unreported, err
	}
	doing := fmt.Sprintf("read what was reported on %.10s", commit)
	if !commitID.MatchString(commit) {
		return forge.Unreported, failed(name, doing, fmt.Errorf("%q is no commit", commit))
	}
	runs, err := all(func(page sdk.ListOptions) ([]*sdk.CheckRun, *sdk.Response, error) {
		got, resp, err := client.Checks.ListCheckRunsForRef(ctx, name.Owner, name.Name, commit, &sdk.ListCheckRunsOptions{Filter: new("latest"), ListOptions: page})
		if got == nil {
			return nil, resp, err
		}
		return got.CheckRuns, resp, err
	})
	if err != nil {
		return unreported(name, doing, err)
	}
	came := forge.Unreported
	for _, run := range runs {
		came = came.Join(concluded(run))
	}
	if came == forge.Red {
		return came, nil
	}
	got, resp, err := client.Repositories.GetCombinedStatus(ctx, name.Owner, name.Name, commit, &sdk.ListOptions{PerPage: 1})
	if err := answer(resp, err); err != nil {
		return unreported(name, doing, err)
	}
	if got.GetTotalCount() == 0 { // of which GitHub says "pending"
		return came, nil
	}
	switch got.GetState() {
	case "success":
		return came.Join(forge.Green), nil
	case "pending":
		return came.Join(forge.Pending), nil
	}
	return forge.Red, nil
}

// unreported is the answer where GitHub does not show the commit, or says that
// there is none (422).
func unreported(name forge.Name, doing string, err error) (forge.Combined, error) {
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrConflict) {
		return forge.Unreported, nil
	}
	return forge.Unreported, failed(name, doing, err)
}

// concluded is what a check run comes to.
func concluded(run *sdk.CheckRun) forge.Combined {
	if run.GetStatus() != "completed" {
		return forge.Pending
	}
	switch run.GetConclusion() {
	case "success", "neutral", "skipped":
		return forge.Green
	}
	return forge.Red
}
