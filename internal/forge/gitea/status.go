package gitea

import (
	"context"
	"fmt"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// maxStatus is how long the line of a status may be, in characters.
const maxStatus = 140

// Status says something of a commit that is in the repository.
func (f *Forge) Status(ctx context.Context, repo forge.Repo, s forge.Status) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	state := sdk.StatusSuccess
	if s.Conclusion == forge.Failed {
		state = sdk.StatusFailure
	}
	if title := []rune(s.Title); len(title) > maxStatus {
		s.Title = string(title[:maxStatus-1]) + "…"
	}
	_, resp, err := client.CreateStatus(repo.Owner, repo.Name.Name, s.Head, sdk.CreateStatusOption{State: state, Description: s.Title, Context: s.Name})
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, fmt.Sprintf("say of commit %.10s", s.Head), err)
	}
	return nil
}

// Statuses lists what is said of a commit, the newest of each name.
func (f *Forge) Statuses(ctx context.Context, repo forge.Repo, head string) ([]forge.Status, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, resp, err := client.GetCombinedStatus(repo.Owner, repo.Name.Name, head)
	if err := answer(resp, err); err != nil {
		return nil, f.failed(repo.Name, fmt.Sprintf("read what is said of commit %.10s", head), err)
	}
	var all []forge.Status
	for _, s := range got.Statuses {
		end := forge.Neutral
		switch s.State {
		case sdk.StatusSuccess:
			end = forge.Succeeded
		case sdk.StatusFailure, sdk.StatusError:
			end = forge.Failed
		}
		all = append(all, forge.Status{Name: s.Context, Head: head, Conclusion: end, Title: s.Description})
	}
	return all, nil
}
