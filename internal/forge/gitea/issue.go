package gitea

import (
	"context"
	"fmt"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// OwnIssues lists the open issues of the token's account, the newest first.
func (f *Forge) OwnIssues(ctx context.Context, repo forge.Repo) ([]forge.Issue, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	account, err := f.account(client, repo.Name)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.Issue, *sdk.Response, error) {
		return client.ListRepoIssues(repo.Owner, repo.Name.Name, sdk.ListIssueOption{
			ListOptions: page, State: sdk.StateOpen, Type: sdk.IssueTypeIssue, CreatedBy: account,
		})
	})
	if err != nil {
		return nil, f.failed(repo.Name, "list the issues of "+account, err)
	}
	var own []forge.Issue
	for _, i := range got {
		if i := issue(i); i.Author == account && i.State == forge.Open {
			own = append(own, i)
		}
	}
	return own, nil
}

// CreateIssue opens an issue.
func (f *Forge) CreateIssue(ctx context.Context, repo forge.Repo, in forge.NewIssue) (forge.Issue, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.Issue{}, err
	}
	labels, err := f.labels(client, repo, in.Labels)
	if err != nil {
		return forge.Issue{}, err
	}
	got, resp, err := client.CreateIssue(repo.Owner, repo.Name.Name, sdk.CreateIssueOption{Title: in.Title, Body: in.Body, Labels: labels})
	if err := answer(resp, err); err != nil {
		return forge.Issue{}, f.failed(repo.Name, "open an issue", err)
	}
	return issue(got), nil
}

// EditIssue changes what is set in the edit. The same edit twice is like once.
func (f *Forge) EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.Issue, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.Issue{}, err
	}
	doing := fmt.Sprintf("edit issue %d", number)
	options := sdk.EditIssueOption{Title: edit.Title}
	if edit.Body != "" {
		options.Body = &edit.Body
	}
	switch edit.State {
	case "":
	case forge.Open:
		options.State = new(sdk.StateOpen)
	case forge.Closed:
		options.State = new(sdk.StateClosed)
	default:
		return forge.Issue{}, fmt.Errorf("%s: %q is no state to ask for", doing, edit.State)
	}
	got, resp, err := client.EditIssue(repo.Owner, repo.Name.Name, number, options)
	if err := answer(resp, err); err != nil {
		return forge.Issue{}, f.failed(repo.Name, doing, err)
	}
	return issue(got), nil
}

func issue(i *sdk.Issue) forge.Issue {
	got := forge.Issue{Number: i.Index, URL: i.HTMLURL, Title: i.Title, Body: i.Body, State: forge.Open}
	if i.State == sdk.StateClosed {
		got.State = forge.Closed
	}
	if i.Poster != nil {
		got.Author = i.Poster.UserName
	}
	return got
}

// labelColour of the labels made here: a light grey.
const labelColour = "#ededed"

// labels returns the ids of the repository's labels with these names, and
// makes those that it lacks.
func (f *Forge) labels(client *sdk.Client, repo forge.Repo, names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	have, err := all(func(page sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
		return client.ListRepoLabels(repo.Owner, repo.Name.Name, sdk.ListLabelsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, f.failed(repo.Name, "list the labels", err)
	}
	ids := map[string]int64{}
	for _, label := range have {
		ids[strings.ToLower(label.Name)] = label.ID
	}
	var wanted []int64
	for _, name := range names {
		id, ok := ids[strings.ToLower(name)]
		if !ok {
			label, resp, err := client.CreateLabel(repo.Owner, repo.Name.Name, sdk.CreateLabelOption{Name: name, Color: labelColour})
			if err := answer(resp, err); err != nil {
				return nil, f.failed(repo.Name, "make the label "+name, err)
			}
			id = label.ID
			ids[strings.ToLower(name)] = id
		}
		wanted = append(wanted, id)
	}
	return wanted, nil
}
