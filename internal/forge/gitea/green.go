package gitea

import (
	"context"
	"errors"
	"fmt"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// stateSkipped is one that the SDK lacks.
const stateSkipped sdk.StatusState = "skipped"

// Combined returns what was reported on a commit of a repository that the
// account can see: one call. Forgejo and Gitea keep what their workflows come to
// as statuses, too.
func (f *Forge) Combined(ctx context.Context, _, name forge.Name, commit string) (forge.Combined, error) {
	client, err := f.client(ctx, name)
	if err != nil {
		return forge.Unreported, err
	}
	got, resp, err := client.GetCombinedStatus(name.Owner, name.Name, commit)
	err = answer(resp, err)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return forge.Unreported, nil
	case err != nil:
		return forge.Unreported, f.failed(name, fmt.Sprintf("read what was reported on %.10s", commit), err)
	}
	all := forge.Unreported
	for _, s := range got.Statuses {
		switch s.State {
		case sdk.StatusSuccess, stateSkipped:
			all = all.Join(forge.Green)
		case sdk.StatusPending:
			all = all.Join(forge.Pending)
		default: // a warning is no success
			all = all.Join(forge.Red)
		}
	}
	if got.TotalCount > len(got.Statuses) && all == forge.Green {
		all = combined(got.State)
	}
	return all, nil
}

// combined is what Gitea itself makes of all statuses, when there are more than
// it lists.
func combined(state sdk.StatusState) forge.Combined {
	switch state {
	case sdk.StatusSuccess, stateSkipped:
		return forge.Green
	case sdk.StatusPending:
		return forge.Pending
	}
	return forge.Red
}
