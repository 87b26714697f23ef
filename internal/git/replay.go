package git

import (
	"bytes"
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
	commit, err := r.commit(ctx, result.Tree, ours, r.tips[number].Commit)
	if err != nil {
		return result, "", err
	}
	err = r.persist(ctx, func(ctx context.Context) error { return r.adopt(ctx, commit, ours, r.tips[number]) })
	return result, commit, err
}

// adopt copies what a merge is made of, and its parents are not, into the pool:
// what the merge has written, and what it has from commits long before.
func (r *Replay) adopt(ctx context.Context, commit, ours string, tip Tip) error {
	t, err := r.promisor(ctx, tip)
	if err != nil {
		return err
	}
	var ids bytes.Buffer
	list := r.command(ctx, t, "rev-list", "--objects", "--no-object-names", commit, "^"+ours, "^"+tip.Commit)
	list.Stdout = &ids
	if err := list.run(); err != nil {
		return fmt.Errorf("list what the merge has made: %w", err)
	}
	pack := r.command(ctx, t, "pack-objects", "-q", "--window=0", filepath.Join(r.s.dir, "objects", "pack", "pack"))
	pack.Stdin = &ids
	if _, err := pack.output(); err != nil {
		return fmt.Errorf("keep what the merge has made: %w", err)
	}
	return nil
}

func (r *Replay) mergeOnce(ctx context.Context, ours string, tip Tip, attributes map[string][]byte) (MergeResult, error) {
	t, err := r.promisor(ctx, tip)
	if err != nil {
		return MergeResult{}, err
	}
	result, err := r.s.merge(ctx, r.bare, t, ours, tip.Commit, attributes)
	if err != nil {
		err = fmt.Errorf("%s: %w", gitname.Redact(tip.URL), err)
	}
	return result, err
}

// promisor is a tip's remote, where git fetches what it finds missing: what
// bases have can be had there, since they are the tip's ancestors.
func (r *Replay) promisor(ctx context.Context, tip Tip) (target, error) {
	t, err := r.c.target(ctx, tip.URL)
	if err != nil {
		return t, err
	}
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},
		setting{"remote.upstream.promisor", "true"},
		setting{"remote.upstream.partialCloneFilter", "blob:none"},
	)
	t.env = append(slices.Clone(t.env), "GIT_NO_LAZY_FETCH=0")
	return t, r.clear()
}
