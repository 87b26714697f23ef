package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// maxHaves is how many commits a server is told that the store has.
const maxHaves = 32

// quarantine is a repository for one fetch. What it has can be thrown away.
type quarantine struct {
	*bare
	haves  []string // commits of the pool that it has, too
	memory *packfile.Memory
	direct *direct        // nil: git has to ask
	pack   *packfile.Pack // what was received without git; nil otherwise
}

// scratchRepo makes a repository in the process's directory.
func (s *Store) scratchRepo(name string) (*quarantine, error) {
	dir, err := os.MkdirTemp(s.scratch, name)
	if err != nil {
		return nil, err
	}
	b, err := s.c.bare(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b.env, b.most = []string{allocLimit}, s.most
	return &quarantine{bare: b}, nil
}

// quarantine makes a repository that has commits of the pool without their
// parents, at most maxHaves, and stores elsewhere what it is given.
func (s *Store) quarantine(ctx context.Context, haves []string) (*quarantine, error) {
	haves, err := s.present(ctx, haves)
	if err != nil {
		return nil, err
	}
	q, err := s.scratchRepo("fetch-")
	if err != nil || len(haves) == 0 {
		return q, err // without the pool: what is sent must be complete by itself
	}
	q.haves = haves
	var refs, cut strings.Builder
	for _, id := range haves {
		fmt.Fprintf(&refs, "%s refs/have/%s\n", id, id)
		fmt.Fprintf(&cut, "%s\n", id)
	}
	err = errors.Join(
		s.lend(q),
		os.WriteFile(filepath.Join(q.dir, "packed-refs"), []byte(refs.String()), 0o644),
		os.WriteFile(filepath.Join(q.dir, "shallow"), []byte(cut.String()), 0o644),
	)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(q.dir))
	}
	return q, nil
}

// lend lets a repository read from the pool.
func (s *Store) lend(q *quarantine) error {
	pool := filepath.Join(s.dir, "objects") + "\n"
	return os.WriteFile(filepath.Join(q.dir, "objects", "info", "alternates"), []byte(pool), 0o644)
}

// present returns those of ids that the pool has, the first maxHaves, in the
// order of their names.
func (s *Store) present(ctx context.Context, ids []string) ([]string, error) {
	if err := checkIDs(ids...); err != nil {
		return nil, err
	}
	missing, err := s.missing(ctx, ids)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(missing, id) })
	ids = ids[:min(len(ids), maxHaves)]
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// missing returns those of ids that are no commits of the repository.
func (b *bare) missing(ctx context.Context, ids []string) (missing []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cmd := b.command(ctx, target{}, "cat-file", "--batch-check=%(objectname) %(objecttype)")
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	cmd.Stdout = &splitter{end: '\n', most: 200, yield: func(line string) {
		if id, kind, _ := strings.Cut(line, " "); kind != "commit" {
			missing = append(missing, id)
		}
	}}
	return missing, cmd.run()
}

// clear removes what a git that was killed has left: locks that the next would
// stop at, and half a pack.
func (q *quarantine) clear() error {
	for _, pattern := range []string{"*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*"} {
		left, err := filepath.Glob(filepath.Join(q.dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range left {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}
