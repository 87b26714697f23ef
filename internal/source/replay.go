package source

import (
	"context"
	"errors"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// replay merges trees, each merge with its one base.
func (b *builder) replay(ctx context.Context, d *lock.Destination, a *aggregate, tips []git.Tip, relations []git.Relation) error {
	if err := b.fetchWithBases(ctx, d, a, tips, relations); err != nil {
		return err
	}
	tree, err := b.Store.TreeOf(ctx, tips[0].Commit)
	if err != nil {
		return err
	}
	for i, r := range relations[1:] {
		i++
		a.bases[i] = r.Bases[0]
		theirs, err := b.Store.TreeOf(ctx, tips[i].Commit)
		if err != nil {
			return err
		}
		switch {
		case r.UpToDate:
			continue
		case r.FastForward:
			tree = theirs
			continue
		}
		attributes, err := b.attributes(ctx, tree)
		if err != nil {
			return err
		}
		result, err := b.Store.MergeTrees(ctx, git.Three{Base: r.Bases[0], Ours: tree, Theirs: theirs}, attributes)
		if err != nil {
			return err
		}
		if len(result.Conflicts) > 0 {
			return b.conflict(ctx, d, i, tree, theirs, result.Conflicts)
		}
		tree = result.Tree
	}
	a.tree = tree
	return nil
}

// fetchWithBases fetches the commits that are merged and their merge bases.
// A base is an ancestor of the merge that has it, and nearly always one of the first:
// it is asked for there, so that a fork has something to build on.
func (b *builder) fetchWithBases(ctx context.Context, d *lock.Destination, a *aggregate, tips []git.Tip, relations []git.Relation) error {
	all := tips
	for i, r := range relations {
		for _, base := range r.Bases {
			all = append(all[:len(all):len(all)], git.Tip{URL: tips[0].URL, Want: git.Want{Commit: base, Ref: tips[i].Ref}})
		}
	}
	err := b.fetch(ctx, d, a, all, nil)
	if !errors.Is(err, git.ErrNoCommit) {
		return err
	}
	for i := len(tips); i < len(all); i++ {
		all[i].URL = ""
	}
	at := len(tips)
	for i, r := range relations {
		for range r.Bases {
			all[at].URL = tips[i].URL
			at++
		}
	}
	return b.fetch(ctx, d, a, all, nil)
}

// attributes are the .gitattributes files of a tree.
func (b *builder) attributes(ctx context.Context, tree string) (map[string][]byte, error) {
	entries, err := b.Store.List(ctx, tree)
	if err != nil {
		return nil, err
	}
	return b.Store.Attributes(ctx, entries)
}

// replayHistory merges commits with their whole history: git then merges the
// bases of a merge that has several.
func (b *builder) replayHistory(ctx context.Context, d *lock.Destination, a *aggregate, tips []git.Tip, relations []git.Relation) error {
	if err := b.fetch(ctx, d, a, tips, nil); err != nil {
		return err
	}
	b.say("fetch", d.Path, "history with trees")
	history, err := b.Store.Replay(ctx, tips)
	if err != nil {
		return err
	}
	defer history.Remove() //nolint:errcheck // what stays is swept away by the next run
	ours := tips[0].Commit
	tree, err := b.Store.TreeOf(ctx, ours)
	if err != nil {
		return err
	}
	for i, r := range relations[1:] {
		i++
		if len(r.Bases) == 1 {
			a.bases[i] = r.Bases[0]
		}
		if r.UpToDate {
			continue
		}
		theirs, err := b.Store.TreeOf(ctx, tips[i].Commit)
		if err != nil {
			return err
		}
		if r.FastForward {
			ours, tree = tips[i].Commit, theirs
			continue
		}
		attributes, err := b.attributes(ctx, tree)
		if err != nil {
			return err
		}
		result, commit, err := history.Merge(ctx, ours, i, attributes)
		if err != nil {
			return err
		}
		if len(result.Conflicts) > 0 {
			return b.conflict(ctx, d, i, tree, theirs, result.Conflicts)
		}
		ours, tree = commit, result.Tree
	}
	a.tree = tree
	return nil
}
