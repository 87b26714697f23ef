package github

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// maxSummary of a check run's summary in bytes; GitHub takes 65535 characters.
const maxSummary = 60_000

// Check shows a check run beside a commit: one call to look whether the App
// has one of that name there, and one to make or change it, if it does not say
// the same already. GitHub lets only Apps have any: with a plain token the
// error is errors.ErrUnsupported.
func (f *Forge) Check(ctx context.Context, repo forge.Repo, c forge.Check) error {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("check %.10s", c.Head)
	if !f.session.isApp() {
		return failed(repo.Name, doing, fmt.Errorf("%w: only an App can", errors.ErrUnsupported))
	}
	if !commitID.MatchString(c.Head) {
		return failed(repo.Name, doing, fmt.Errorf("%q is no commit", c.Head))
	}
	if len(c.Summary) > maxSummary {
		c.Summary = cut(c.Summary, maxSummary)
	}
	have, err := f.checkRun(ctx, client, repo, c)
	if err == nil && have == nil {
		_, resp, create := client.Checks.CreateCheckRun(ctx, repo.Owner, repo.Name.Name, sdk.CreateCheckRunOptions{
			Name: c.Name, HeadSHA: c.Head, Status: new("completed"), Conclusion: new(string(c.Conclusion)), Output: output(c),
		})
		err = answer(resp, create)
	}
	if err == nil && have != nil && !says(have, c) {
		_, resp, update := client.Checks.UpdateCheckRun(ctx, repo.Owner, repo.Name.Name, have.GetID(), sdk.UpdateCheckRunOptions{
			Name: c.Name, Status: new("completed"), Conclusion: new(string(c.Conclusion)), Output: output(c),
		})
		err = answer(resp, update)
	}
	if err != nil {
		return failed(repo.Name, doing, err)
	}
	return nil
}

// checkRun returns the App's own of that name beside the commit, nil if it has
// none.
func (f *Forge) checkRun(ctx context.Context, client *sdk.Client, repo forge.Repo, c forge.Check) (*sdk.CheckRun, error) {
	account, err := f.session.login(ctx)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.CheckRun, *sdk.Response, error) {
		got, resp, err := client.Checks.ListCheckRunsForRef(ctx, repo.Owner, repo.Name.Name, c.Head,
			&sdk.ListCheckRunsOptions{CheckName: &c.Name, Filter: new("latest"), ListOptions: page})
		if got == nil {
			return nil, resp, err
		}
		return got.CheckRuns, resp, err
	})
	if err != nil {
		return nil, err
	}
	for _, run := range got {
		if run.GetApp().GetSlug()+"[bot]" == account && run.GetName() == c.Name {
			return run, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none, as the comment says
}

func output(c forge.Check) *sdk.CheckRunOutput {
	return &sdk.CheckRunOutput{Title: &c.Title, Summary: &c.Summary}
}

func says(run *sdk.CheckRun, c forge.Check) bool {
	return run.GetStatus() == "completed" && run.GetConclusion() == string(c.Conclusion) &&
		run.GetOutput().GetTitle() == c.Title && run.GetOutput().GetSummary() == c.Summary
}

// cut shortens text to at most n bytes, between two characters.
func cut(text string, n int) string {
	last := 0
	for i := range text {
		if i > n {
			break
		}
		last = i
	}
	return text[:last]
}
