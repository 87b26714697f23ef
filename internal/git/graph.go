package git

import (
	"context"
	"errors"
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
	tips  []Tip
	rung  int
	depth []int
}

// Graph fetches the commits that lead to tips. No tree and no file of them
// comes along.
func (s *Store) Graph(ctx context.Context, tips []Tip) (*Graph, error) {
	dir, err := os.MkdirTemp(s.scratch, "graph-")
	if err != nil {
		return nil, err
	}
	b, err := s.c.bare(dir)
	if err != nil {
		return nil, err
	}
	g := &Graph{quarantine: &quarantine{b}, tips: tips, depth: []int{100, 1500, 1 << 30}}
	if err := g.empty(ctx); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	if err := g.deepen(ctx); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Remove removes the repository.
func (g *Graph) Remove() error { return os.RemoveAll(g.dir) }

// empty writes the tree that stands for all trees.
func (g *Graph) empty(ctx context.Context) error {
	cmd := g.command(ctx, target{}, "hash-object", "-t", "tree", "-w", "--stdin")
	return cmd.run()
}

// deepen fetches to the next depth.
func (g *Graph) deepen(ctx context.Context) error {
	byURL := map[string][]string{}
	for _, t := range g.tips {
		byURL[t.URL] = append(byURL[t.URL], t.Commit)
	}
	for _, t := range g.tips {
		ids := byURL[t.URL]
		delete(byURL, t.URL)
		if ids == nil {
			continue
		}
		slices.Sort(ids)
		options := []string{"--filter=tree:0", "--depth=" + strconv.Itoa(g.depth[g.rung])}
		err := g.fetch(ctx, t.URL, slices.Compact(ids), func(string) {}, options...)
		if errors.Is(err, errUnadvertised) {
			err = g.fetch(ctx, t.URL, refsOf(g.tips, t.URL), func(string) {}, options...)
		}
		if err != nil {
			return err
		}
	}
	g.rung++
	return nil
}

func refsOf(tips []Tip, url string) []string {
	var refs []string
	for _, t := range tips {
		if t.URL == url && t.Ref != "" {
			refs = append(refs, t.Ref)
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// Relate looks up how two commits are related, fetching more history as long as
// that could change the answer.
func (g *Graph) Relate(ctx context.Context, ours, theirs string) (Relation, error) {
	for {
		r, exact, err := g.relate(ctx, ours, theirs)
		if err != nil || exact || g.rung == len(g.depth) {
			return r, err
		}
		if err := g.deepen(ctx); err != nil {
			return r, err
		}
	}
}

// relate answers from what was fetched. The answer is exact when no commit that
// was fetched without its parents lies outside of the bases' ancestors: what
// was not fetched are ancestors of the bases then, too.
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
	exact = true
	args := []string{"rev-list", ours, theirs}
	for _, base := range r.Bases {
		args = append(args, "^"+base)
	}
	err = g.each(ctx, '\n', func(id string) { exact = exact && !cut[id] }, args...)
	return r, exact, err
}

// Merge makes the commit that merging theirs into ours gives, for Relate. It
// has no tree to speak of.
func (g *Graph) Merge(ctx context.Context, ours, theirs string) (string, error) {
	return g.commit(ctx, emptyTree, ours, theirs)
}
