package github

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// Dispatch starts the workflows of a repository that listen to
// repository_dispatch with this event's name (at most 100 characters). They
// find payload, an object with at most ten keys, as
// github.event.client_payload.
//
// An answer that was lost leaves open whether they were started.
func (f *Forge) Dispatch(ctx context.Context, repo forge.Repo, event string, payload map[string]any) error {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return failed(repo.Name, "dispatch "+event, err)
	}
	options := sdk.DispatchRequestOptions{EventType: event}
	if len(payload) > 0 {
		options.ClientPayload = new(json.RawMessage(text))
	}
	_, resp, err := client.Repositories.Dispatch(ctx, repo.Owner, repo.Name.Name, options)
	if err := answer(resp, err); err != nil {
		return failed(repo.Name, fmt.Sprintf("dispatch %q", event), err)
	}
	return nil
}
