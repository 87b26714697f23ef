package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// Replay is a repository with all commits that lead to some tips, for merges of
// histories with several merge bases: git merges those first. Remove it after
// use.
type Replay struct {
	*quarantine
	s    *Store
	tips []Tip
}

// Replay fetches all commits and trees that lead to tips. Of files, those that
// the store lacks are fetched when a merge asks for them.
func (s *Store) Replay(ctx context.Context, tips []Tip) (*Replay, error) {
	dir, err := os.MkdirTemp(s.scratch, "replay-")
	if err != nil {
		return nil, err
	}
	b, err := s.c.bare(dir)
	if err != nil {
		return nil, err
	}
	r := &Replay{&quarantine{b}, s, tips}
	for _, t := range tips {
		if err := r.fetchTip(ctx, t); err != nil {
			return nil, errors.Join(err, r.Remove())
		}
	}
	alternates := filepath.Join(dir, "objects", "info", "alternates")
	if err := os.WriteFile(alternates, []byte(filepath.Join(s.dir, "objects")+"\n"), 0o644); err != nil {
		return nil, errors.Join(err, r.Remove())
	}
	return r, nil
}

func (r *Replay) fetchTip(ctx context.Context, t Tip) error {
	err := r.fetch(ctx, t.URL, []string{t.Commit}, func(string) {}, "--filter=blob:none")
	if errors.Is(err, errUnadvertised) && t.Ref != "" {
		err = r.fetch(ctx, t.URL, []string{t.Ref}, func(string) {}, "--filter=blob:none")
	}
	return err
}

// Remove removes the repository.
func (r *Replay) Remove() error { return os.RemoveAll(r.dir) }

// Merge merges the tip with a number into the commit ours, and returns the
// result with the commit that it makes. attributes are as for MergeTrees.
func (r *Replay) Merge(ctx context.Context, ours string, number int, attributes map[string][]byte) (MergeResult, string, error) {
	tip := r.tips[number]
	t, err := r.c.target(ctx, tip.URL)
	if err != nil {
		return MergeResult{}, "", err
	}
	// What bases have can be had where the tip is: they are its ancestors.
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},
		setting{"remote.upstream.promisor", "true"},
		setting{"remote.upstream.partialCloneFilter", "blob:none"},
	)
	t.env = append(slices.Clone(t.env), "GIT_NO_LAZY_FETCH=0")
	result, err := r.s.merge(ctx, r.bare, t, ours, tip.Commit, attributes)
	if err != nil || len(result.Conflicts) > 0 {
		return result, "", err
	}
	if err := r.s.adoptLoose(r.quarantine); err != nil {
		return result, "", err
	}
	commit, err := r.commit(ctx, result.Tree, ours, tip.Commit)
	return result, commit, err
}

// adoptLoose moves the objects that a merge has made into the pool.
func (s *Store) adoptLoose(q *quarantine) error {
	files, err := filepath.Glob(filepath.Join(q.dir, "objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		to := filepath.Join(s.dir, "objects", filepath.Base(filepath.Dir(file)))
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := os.Rename(file, filepath.Join(to, filepath.Base(file))); err != nil {
			return err
		}
	}
	return nil
}
