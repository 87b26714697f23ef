package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/nuobit/odyssey/internal/gitname"
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
	for _, t := range tips {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	q, err := s.scratchRepo("replay-")
	if err != nil {
		return nil, err
	}
	r := &Replay{q, s, tips}
	for i := 0; i < len(tips) && err == nil; i++ {
		err = r.fetchTip(ctx, i)
	}
	if err == nil {
		err = r.present(ctx, tips)
	}
	if err == nil {
		err = s.lend(q)
	}
	if err != nil {
		return nil, errors.Join(err, r.Remove())
	}
	return r, nil
}

// fetchTip fetches what leads to a tip. A ref keeps it, so that the next server is
// told what need not be sent again.
func (r *Replay) fetchTip(ctx context.Context, number int) error {
	t, ref := r.tips[number], ":refs/tips/"+strconv.Itoa(number)
	err := r.fetch(ctx, t.URL, []string{t.Commit + ref}, func(string) {}, "--filter=blob:none")
	if !errors.Is(err, errUnadvertised) {
		return err
	}
	refs, err := fallback(t.URL, []Want{t.Want})
	if err != nil {
		return err
	}
	return r.fetch(ctx, t.URL, []string{refs[0] + ref}, func(string) {}, "--filter=blob:none")
}

// Remove removes the repository.
func (r *Replay) Remove() error { return os.RemoveAll(r.dir) }

// Merge merges the tip with a number into the commit ours, and returns the
// result with the commit that it makes. attributes are as for MergeTrees.
func (r *Replay) Merge(ctx context.Context, ours string, number int, attributes map[string][]byte) (MergeResult, string, error) {
	if err := checkIDs(ours); err != nil {
		return MergeResult{}, "", err
	}
	var result MergeResult
	err := r.persist(ctx, func(ctx context.Context) (err error) {
		result, err = r.mergeOnce(ctx, ours, r.tips[number], attributes)
		return err
	})
	if err != nil || len(result.Conflicts) > 0 {
		return result, "", err
	}
	if err := r.s.adoptLoose(r.quarantine); err != nil {
		return result, "", err
	}
	commit, err := r.commit(ctx, result.Tree, ours, r.tips[number].Commit)
	return result, commit, err
}

func (r *Replay) mergeOnce(ctx context.Context, ours string, tip Tip, attributes map[string][]byte) (MergeResult, error) {
	t, err := r.c.target(ctx, tip.URL)
	if err != nil {
		return MergeResult{}, err
	}
	if err := r.clear(); err != nil {
		return MergeResult{}, err
	}
	// What bases have can be had where the tip is: they are its ancestors.
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},
		setting{"remote.upstream.promisor", "true"},
		setting{"remote.upstream.partialCloneFilter", "blob:none"},
	)
	t.env = append(slices.Clone(t.env), "GIT_NO_LAZY_FETCH=0")
	result, err := r.s.merge(ctx, r.bare, t, ours, tip.Commit, attributes)
	if err != nil {
		err = fmt.Errorf("%s: %w", gitname.Redact(tip.URL), err)
	}
	return result, err
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
