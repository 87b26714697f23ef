package gitea

import (
	"context"
	"fmt"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// Comments lists a pull request's comments, the oldest first: one API call,
// for Gitea gives them all at once.
func (f *Forge) Comments(ctx context.Context, repo forge.Repo, number int64) ([]forge.Comment, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, resp, err := client.ListIssueComments(repo.Owner, repo.Name.Name, number, sdk.ListIssueCommentOptions{})
	if err := answer(resp, err); err != nil {
		return nil, f.failed(repo.Name, fmt.Sprintf("list the comments on %d", number), err)
	}
	comments := make([]forge.Comment, 0, len(got))
	for _, c := range got {
		comment := forge.Comment{ID: c.ID, Body: c.Body}
		if c.Poster != nil {
			comment.Author = c.Poster.UserName
		}
		comments = append(comments, comment)
	}
	return comments, nil
}

// AddComment comments on a pull request.
func (f *Forge) AddComment(ctx context.Context, repo forge.Repo, number int64, body string) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	_, resp, err := client.CreateIssueComment(repo.Owner, repo.Name.Name, number, sdk.CreateIssueCommentOption{Body: body})
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, fmt.Sprintf("comment on %d", number), err)
	}
	return nil
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
