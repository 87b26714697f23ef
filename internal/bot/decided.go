package bot

import (
	"context"
	"encoding/json"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// decided is what the bot has decided about the newest commit that it has pushed to
// a branch. It is kept beside the forge: there, whoever may push can write what a
// text says, and what a commit says of who made it.
type decided struct {
	Head  string `json:"head"`  // commit
	No    bool   `json:"no"`    // somebody has to look at it
	Asked bool   `json:"asked"` // the forge was asked to merge it, and was not told otherwise since
}

// decidedBucket is where that is kept, by repository and branch. What is lost is not
// merged by the forge until the bot pushes again.
const decidedBucket = "automerge"

func (k *keeper) decidedKey(branch string) string {
	return digest([]byte(k.repo.WebURL + " " + branch))
}

// recall returns the zero value when nothing is known of a branch.
func (k *keeper) recall(ctx context.Context, branch string) (d decided) {
	if k.Memory == nil {
		return d
	}
	data, err := k.Memory.Get(ctx, decidedBucket, k.decidedKey(branch))
	if err != nil || json.Unmarshal(data, &d) != nil {
		return decided{}
	}
	return d
}

func (k *keeper) keep(ctx context.Context, branch string, d decided) error {
	if k.Memory == nil {
		return nil
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return k.Memory.Put(ctx, decidedBucket, k.decidedKey(branch), data)
}

// decide keeps what a text says of the commit that a branch is at, if this bot has
// pushed that commit, now or before.
func (k *keeper) decide(ctx context.Context, branch, head string, pushed bool, text refresh.Text) error {
	if head == "" || !pushed && k.recall(ctx, branch).Head != head {
		return nil
	}
	state, _ := k.planned(text)
	return k.keep(ctx, branch, decided{Head: head, No: state == automergeNo})
}

// armed reports whether the forge was asked to merge a pull request: as far as the
// bot knows, or as its text says.
func (k *keeper) armed(ctx context.Context, pr forge.PullRequest) bool {
	return saysArmed(pr.Body) || k.recall(ctx, pr.Head).Asked
}
