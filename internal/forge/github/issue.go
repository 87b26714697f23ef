package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// OwnIssues lists the open issues of the account, the newest first. An App's
// are looked for among everybody's: which name GitHub's filter wants of it is
// not said in its documentation.
func (f *Forge) OwnIssues(ctx context.Context, repo forge.Repo) ([]forge.Issue, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	account, err := f.session.login(ctx)
	if err != nil {
		return nil, failed(repo.Name, "ask for the bot's own account", err)
	}
	creator := account
	if f.session.isApp() {
		creator = ""
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.Issue, *sdk.Response, error) {
		return client.Issues.ListByRepo(ctx, repo.Owner, repo.Name.Name, &sdk.IssueListByRepoOptions{
			State: "open", Creator: creator, Sort: "created", Direction: "desc", ListOptions: page,
		})
	})
	if err != nil {
		return nil, failed(repo.Name, "list the issues of "+account, err)
	}
	var own []forge.Issue
	for _, i := range got {
		if i.IsPullRequest() {
			continue
		}
		if i := issue(i); i.Author == account && i.State == forge.Open {
			own = append(own, i)
		}
	}
	return own, nil
}

// CreateIssue opens an issue.
func (f *Forge) CreateIssue(ctx context.Context, repo forge.Repo, in forge.NewIssue) (forge.Issue, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Issue{}, err
	}
	if err := makeLabels(ctx, client, repo, in.Labels); err != nil {
		return forge.Issue{}, failed(repo.Name, "open an issue", err)
	}
	request := &sdk.IssueRequest{Title: &in.Title, Body: &in.Body}
	if len(in.Labels) > 0 {
		request.Labels = &in.Labels
	}
	got, resp, err := client.Issues.Create(ctx, repo.Owner, repo.Name.Name, request)
	if err := answer(resp, err); err != nil {
		return forge.Issue{}, failed(repo.Name, "open an issue", err)
	}
	f.session.wrote(got.GetUser().GetLogin())
	return issue(got), nil
}

// EditIssue changes what is set in the edit. The same edit twice is like once.
func (f *Forge) EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.Issue, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Issue{}, err
	}
	doing := fmt.Sprintf("edit issue %d", number)
	request := &sdk.IssueRequest{Title: given(edit.Title), Body: given(edit.Body)}
	if request.State, err = stateOf(edit); err != nil {
		return forge.Issue{}, failed(repo.Name, doing, err)
	}
	got, resp, err := client.Issues.Edit(ctx, repo.Owner, repo.Name.Name, int(number), request)
	if err := answer(resp, err); err != nil {
		return forge.Issue{}, failed(repo.Name, doing, err)
	}
	return issue(got), nil
}

func issue(i *sdk.Issue) forge.Issue {
	got := forge.Issue{
		Number: int64(i.GetNumber()), Author: i.GetUser().GetLogin(), URL: i.GetHTMLURL(),
		Title: i.GetTitle(), Body: i.GetBody(), State: forge.Open,
	}
	if i.GetState() == "closed" {
		got.State = forge.Closed
	}
	return got
}

// labelColour of the labels made here: a light grey.
const labelColour = "ededed"

// makeLabels makes those of the labels that the repository lacks.
func makeLabels(ctx context.Context, client *sdk.Client, repo forge.Repo, names []string) error {
	if len(names) == 0 {
		return nil
	}
	have, err := all(func(page sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
		return client.Issues.ListLabels(ctx, repo.Owner, repo.Name.Name, &page)
	})
	if err != nil {
		return fmt.Errorf("list the labels: %w", err)
	}
	known := map[string]bool{}
	for _, label := range have {
		known[strings.ToLower(label.GetName())] = true
	}
	for _, name := range names {
		if known[strings.ToLower(name)] {
			continue
		}
		known[strings.ToLower(name)] = true
		_, resp, err := client.Issues.CreateLabel(ctx, repo.Owner, repo.Name.Name, &sdk.Label{Name: &name, Color: new(labelColour)})
		if err := answer(resp, err); err != nil && !alreadyThere(err, resp) {
			return fmt.Errorf("make the label %s: %w", name, err)
		}
	}
	return nil
}

// addLabels adds labels to a pull request or an issue. The SDK's own method
// sends a plain list, which GitHub's description does not allow any more.
func addLabels(ctx context.Context, client *sdk.Client, repo forge.Repo, number int64, names []string) error {
	path := fmt.Sprintf("repos/%s/issues/%d/labels", repo.Name, number)
	req, err := client.NewRequest(http.MethodPost, path, map[string]any{"labels": names})
	if err != nil {
		return err
	}
	resp, err := client.Do(ctx, req, nil)
	return answer(resp, err)
}

// alreadyThere reports whether somebody else was first.
func alreadyThere(err error, resp *sdk.Response) bool {
	return resp != nil && errors.Is(err, forge.ErrConflict) && strings.Contains(err.Error(), "already_exists")
}
