package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// aggregate is the tree that a destination's merges give.
type aggregate struct {
	tree    string
	bases   []string    // of each merge with those before it; "" for the first, and where there are several
	fetched int64       // bytes
	entries []git.Entry // of the tree; nil when it was known from an earlier build
}

// aggregate fetches what a destination's tree needs and computes the tree. If that
// is the tree of a commit, sink is given what it can be of it meanwhile; it may be nil.
func (b *builder) aggregate(ctx context.Context, d *lock.Destination, sink git.Sink) (*aggregate, error) {
	tips, start := tipsOf(d), time.Now()
	a, key := b.recall(tips)
	known := a != nil
	if a == nil {
		var err error
		if a, err = b.compute(ctx, d, tips, sink); err != nil {
			return nil, err
		}
		// What is remembered must be there: a later build asks no server.
		if a.entries, err = b.Store.List(ctx, a.tree); err != nil {
			return nil, err
		}
		if err := b.Store.Remember(key, strings.Join(append([]string{a.tree}, a.bases...), " ")); err != nil {
			return nil, err
		}
	}
	if d.Tree != "" && d.Tree != a.tree {
		return nil, fmt.Errorf("the merges give tree %s, but the lock has %s recorded\n  the lock was changed by hand: restore it, or remove the line of the tree and run lock-repos --record-trees", a.tree, d.Tree)
	}
	b.done("merge", d.Path, !known && len(tips) > 1, start, "%d refs", len(tips))
	return a, nil
}

// tipsOf are the commits that are merged, with their URLs.
func tipsOf(d *lock.Destination) []git.Tip {
	var tips []git.Tip
	for _, m := range d.Merges {
		tips = append(tips, git.Tip{URL: d.Remote(m.Remote).URL, Want: git.Want{Commit: m.Commit, Ref: m.Ref}})
	}
	return tips
}

// recall returns what was computed for the same commits before, if each of
// them came from the URL that it is asked of now.
func (b *builder) recall(tips []git.Tip) (a *aggregate, key string) {
	key = "aggregate 1"
	had := true
	for _, t := range tips {
		key += "\n" + t.URL + " " + t.Commit
		had = had && b.Store.Has(t.URL, t.Commit)
	}
	words := strings.Split(b.Store.Recall(key), " ")
	if !had || len(words) != 1+len(tips) || words[0] == "" {
		return nil, key
	}
	return &aggregate{tree: words[0], bases: words[1:]}, key
}

// compute fetches and merges. A lock that has the merge bases and the tree
// recorded saves looking up the history; if these prove wrong, it is looked up.
func (b *builder) compute(ctx context.Context, d *lock.Destination, tips []git.Tip, sink git.Sink) (*aggregate, error) {
	a := &aggregate{bases: make([]string, len(tips))}
	if len(tips) == 1 {
		if err := b.fetch(ctx, d, a, tips, sink); err != nil {
			return nil, err
		}
		tree, err := b.Store.TreeOf(ctx, tips[0].Commit)
		a.tree = tree
		return a, err
	}
	if relations := recorded(d); relations != nil {
		err := b.replay(ctx, d, a, tips, relations)
		if err == nil && a.tree == d.Tree {
			return a, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if errors.Is(err, git.ErrTransient) || errors.Is(err, git.ErrRefused) {
			return nil, err
		}
		a = &aggregate{bases: make([]string, len(tips)), fetched: a.fetched}
	}
	return a, b.lookUp(ctx, d, a, tips)
}

// recorded are the relations that a lock with a recorded tree gives; nil when it
// lacks one.
func recorded(d *lock.Destination) []git.Relation {
	if d.Tree == "" {
		return nil
	}
	relations := make([]git.Relation, len(d.Merges))
	ours := d.Merges[0].Commit // "" when it is a merge commit, which has no known id
	for i, m := range d.Merges[1:] {
		if m.MergeBase == "" {
			return nil
		}
		r := git.Relation{Bases: []string{m.MergeBase}, FastForward: m.MergeBase == ours, UpToDate: m.MergeBase == m.Commit}
		relations[i+1] = r
		switch {
		case r.UpToDate:
		case r.FastForward:
			ours = m.Commit
		default:
			ours = ""
		}
	}
	return relations
}

// lookUp finds out how the commits are related, and merges them.
func (b *builder) lookUp(ctx context.Context, d *lock.Destination, a *aggregate, tips []git.Tip) error {
	b.say("fetch", d.Path, "history")
	graph, err := b.Store.Graph(ctx, tips)
	if err != nil {
		return goneError(d, tips, err)
	}
	defer graph.Remove() //nolint:errcheck // what stays is swept away by the next run
	relations := make([]git.Relation, len(tips))
	ours, several := tips[0].Commit, false
	for i, t := range tips[1:] {
		r, err := graph.Relate(ctx, ours, t.Commit)
		if err != nil {
			return err
		}
		if len(r.Bases) == 0 {
			return fmt.Errorf("%s has no history in common with the merges before it; git refuses to merge unrelated histories", name(&d.Merges[i+1]))
		}
		relations[i+1], several = r, several || len(r.Bases) > 1
		switch {
		case r.UpToDate:
		case r.FastForward:
			ours = t.Commit
		default:
			if ours, err = graph.Merge(ctx, ours, t.Commit); err != nil {
				return err
			}
		}
	}
	if several {
		err = b.replayHistory(ctx, d, a, tips, relations)
	} else {
		err = b.replay(ctx, d, a, tips, relations)
	}
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
		b.blame(ctx, d, graph, tips, conflict)
	}
	return err
}

// fetch brings the commits of tips into the store, URL by URL in the order of
// the merges, so that a fork need not send what its origin has sent. sink is for a
// commit that is fetched alone.
func (b *builder) fetch(ctx context.Context, d *lock.Destination, a *aggregate, tips []git.Tip, sink git.Sink) error {
	var had []string
	began, before := time.Now(), a.fetched
	for start, t := range tips {
		if slices.ContainsFunc(tips[:start], func(o git.Tip) bool { return o.URL == t.URL }) {
			continue
		}
		var wants []git.Want
		for _, o := range tips[start:] {
			if o.URL == t.URL {
				wants = append(wants, o.Want)
			}
		}
		n, err := b.fetchURL(ctx, d, t.URL, wants, had, sink)
		if err != nil {
			return goneError(d, tips, err)
		}
		a.fetched += n
		for _, w := range wants {
			had = append(had, w.Commit)
		}
	}
	b.done("fetch", d.Path, a.fetched > before, began, "%s", Size(a.fetched-before))
	return nil
}

func (b *builder) fetchURL(ctx context.Context, d *lock.Destination, url string, wants []git.Want, had []string, sink git.Sink) (int64, error) {
	mutex, _ := b.urls.LoadOrStore(url, &sync.Mutex{})
	mutex.(*sync.Mutex).Lock()         //nolint:errcheck,forcetypeassert // nothing else is stored
	defer mutex.(*sync.Mutex).Unlock() //nolint:errcheck,forcetypeassert // nothing else is stored
	progress := func(detail string) {
		if detail != "" {
			b.say("fetch", d.Path, "%s", detail)
		}
	}
	if sink != nil && len(wants) == 1 {
		return b.Store.FetchInto(ctx, url, wants[0], sink, progress)
	}
	return b.Store.Fetch(ctx, url, wants, had, progress)
}

// goneError adds to a commit that a server does not have any more what to do
// about it.
func goneError(d *lock.Destination, tips []git.Tip, err error) error {
	if !errors.Is(err, git.ErrNoCommit) {
		return err
	}
	for i, t := range tips {
		if strings.Contains(err.Error(), t.Commit) {
			m := &d.Merges[i]
			ref := m.Ref
			if ref == "" {
				ref = "REF"
			}
			return fmt.Errorf("%w\n  %s was rewritten or removed; lock what it is now: lock-repos --refresh-merge %s %s %s", err, name(m), d.Path, m.Remote, ref)
		}
	}
	return err
}

// name is a merge as people know it.
func name(m *lock.Merge) string {
	ref := m.Ref
	if ref == "" || ref == m.Commit {
		return fmt.Sprintf("%s %s", m.Remote, short(m.Commit))
	}
	return fmt.Sprintf("%s %s at %s", m.Remote, ref, short(m.Commit))
}

func short(id string) string { return id[:min(7, len(id))] }
