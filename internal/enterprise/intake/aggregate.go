package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/lock"
)

// aggregate merges a destination's commits, and lends the tree to the clone of
// Community.
func (in *Intake) aggregate(ctx context.Context, d *lock.Destination) (tree string, err error) {
	store, err := in.Git.OpenStore(in.path("store"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }() //nolint:contextcheck // it tidies up, whatever became of the rest
	if tree, err = in.Aggregate(ctx, store, d); err != nil {
		return "", err
	}
	pool := filepath.Join(store.Dir(), "objects") + "\n"
	alternates := filepath.Join(in.path("community.git"), "objects", "info", "alternates")
	return tree, os.WriteFile(alternates, []byte(pool), 0o600)
}
