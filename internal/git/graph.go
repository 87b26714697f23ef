package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Tip is a commit and where it comes from.
type Tip struct {
	URL string
	Want
}

// Relation says how two commits are to be merged.
type Relation struct {
	// Bases are the merge bases; several after a criss-cross merge.
	Bases []string
	// FastForward says that theirs contains ours; UpToDate, that ours contains theirs.
	FastForward, UpToDate bool
}

// Graph is a repository of commits without trees, in which the ways between
// them are looked up. Remove it after use.
type Graph struct {
	*quarantine
	tips   []Tip
	depths []int
	rung   int // the number of depths that were fetched
	// fetch brings in so many commits from each tip.
	fetch func(ctx context.Context, depth int) error
}

// Graph fetches the commits that lead to tips. No tree and no file of them
// comes along.
func (s *Store) Graph(ctx context.Context, tips []Tip) (*Graph, error) {
	for _, t := range tips {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	q, err := s.scratchRepo("graph-")
	if err != nil {
		return nil, err
	}
	g := &Graph{quarantine: q, tips: tips, depths: s.depths}
	g.fetch = func(ctx context.Context, depth int) error {
		return fetchTips(ctx, g.quarantine, g.tips, "--filter=tree:0", "--depth="+strconv.Itoa(depth))
	}
	if err = g.empty(ctx); err == nil {
		err = g.deepen(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Remove removes the repository.
func (g *Graph) Remove() error { return os.RemoveAll(g.dir) }

// empty writes the tree that stands for all trees.
func (g *Graph) empty(ctx context.Context) error {
	return g.command(ctx, target{}, "hash-object", "-t", "tree", "-w", "--stdin").run()
}

// deepen fetches to the next depth, or further if a tip is not in that.
func (g *Graph) deepen(ctx context.Context) error {
	for {
		if err := g.fetch(ctx, g.depths[g.rung]); err != nil {
			return err
		}
		g.rung++
		err := g.present(ctx, g.tips)
		if err == nil || !errors.Is(err, ErrNoCommit) || g.rung == len(g.depths) {
			return err
		}
	}
}

// fetchTips fetches tips, one URL after the other.
func fetchTips(ctx context.Context, q *quarantine, tips []Tip, options ...string) error {
	byURL := map[string][]Want{}
	for _, t := range tips {
		byURL[t.URL] = append(byURL[t.URL], t.Want)
	}
	for _, t := range tips {
		wants := byURL[t.URL]
		delete(byURL, t.URL)
		if wants == nil {
			continue
		}
		ids := idsOf(wants)
		slices.Sort(ids)
		err := q.fetch(ctx, t.URL, slices.Compact(ids), func(string) {}, options...)
		if errors.Is(err, errUnadvertised) {
			var refs []string
			if refs, err = fallback(t.URL, wants); err == nil {
				err = q.fetch(ctx, t.URL, refs, func(string) {}, options...)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// present makes sure that tips that were fetched by refs have come.
func (q *quarantine) present(ctx context.Context, tips []Tip) error {
	var ids []string
	for _, t := range tips {
		ids = append(ids, t.Commit)
	}
	missing, err := q.missing(ctx, ids)
	if err != nil || len(missing) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", ErrNoCommit, strings.Join(missing, ", "))
}

// Relate looks up how two commits are related, fetching more history as long as
// that could change the answer. What the servers do not have at all does not count.
func (g *Graph) Relate(ctx context.Context, ours, theirs string) (Relation, error) {
	if err := checkIDs(ours, theirs); err != nil {
		return Relation{}, err
	}
	for {
		r, exact, err := g.relate(ctx, ours, theirs)
		if err != nil || exact || g.rung == len(g.depths) {
			return r, err
		}
		if err := g.deepen(ctx); err != nil {
			return r, err
		}
	}
}

// relate answers from what was fetched, and says whether more could change the
// answer.
//
// Where no commit that was fetched without its parents lies outside of the
// bases' ancestors, all ways from either end down to these are known, and nothing
// but the bases can be one. Of several, one may still be the ancestor of another, by a
// way that was not fetched: that way begins at a commit without its parents which is an
// ancestor of the one, and not of the other.
func (g *Graph) relate(ctx context.Context, ours, theirs string) (r Relation, exact bool, err error) {
	out, err := g.git(ctx, target{}, "merge-base", "--all", ours, theirs)
	if failed := (*Error)(nil); err != nil && (!errors.As(err, &failed) || failed.ExitCode != 1) {
		return r, false, err
	}
	r.Bases = strings.Fields(string(out))
	r.FastForward = slices.Equal(r.Bases, []string{ours})
	r.UpToDate = slices.Equal(r.Bases, []string{theirs})
	cut, err := g.shallow()
	if err != nil || len(cut) == 0 {
		return r, err == nil, err
	}
	exact, err = g.known(ctx, cut, []string{ours, theirs}, r.Bases)
	for i := 0; len(r.Bases) > 1 && i < len(r.Bases) && exact && err == nil; i++ {
		exact, err = g.known(ctx, cut, r.Bases, r.Bases[i:i+1])
	}
	return r, exact, err
}

// known reports whether each ancestor of from that is none of to was fetched with
// its parents.
func (g *Graph) known(ctx context.Context, cut map[string]bool, from, to []string) (bool, error) {
	known, args := true, append([]string{"rev-list"}, from...)
	for _, id := range to {
		args = append(args, "^"+id)
	}
	err := g.each(ctx, '\n', func(id string) { known = known && !cut[id] }, args...)
	return known, err
}

// Merge makes the commit that merging theirs into ours gives, for Relate. It
// has no tree to speak of.
func (g *Graph) Merge(ctx context.Context, ours, theirs string) (string, error) {
	if err := checkIDs(ours, theirs); err != nil {
		return "", err
	}
	return g.commit(ctx, emptyTree, ours, theirs)
}
