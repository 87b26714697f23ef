package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
)

// aggregate merges a destination's commits, and lends the tree to the clone of
// Community.
func (in *Intake) aggregate(ctx context.Context, d *lock.Destination) (tree string, err error) {
	store, err := in.Git.OpenStore(in.path("store"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	one := *d
	one.Merges = append([]lock.Merge{}, d.Merges...)
	file := &lock.File{Destinations: []lock.Destination{one}}
	if err := source.Trees(ctx, file, source.Options{Store: store, Jobs: 1}); err != nil {
		return "", err
	}
	pool := filepath.Join(store.Dir(), "objects") + "\n"
	alternates := filepath.Join(in.path("community.git"), "objects", "info", "alternates")
	return file.Destinations[0].Tree, os.WriteFile(alternates, []byte(pool), 0o600)
}
