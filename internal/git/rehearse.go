package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Rehearsal tries what merges give without fetching what is merged: it has
// commits and trees, and of files those that a merge has to look into. Close it
// after use; it is for one goroutine.
type Rehearsal struct {
	dir    string
	joined *Joined
	store  *Store // its pool is what is joined
	graph  *Graph
	trees  *treeRepo
	deep   *treeRepo // with whole histories, for several merge bases; nil until needed
	may    []Tip     // commits that need not be there
}

// Trial is what merging some commits one after the other gives.
type Trial struct {
	Tree  string   // of the result; "" after a clash
	Bases []string // of each with those before it; "" for the first, where there are several, and after a clash
	Clash *Clash   // nil: all of them apply
	// Empty has the numbers of those, from 1, that change nothing: what they
	// bring is in those before them.
	Empty []int
}

// Clash is where merges cease to apply.
type Clash struct {
	Number  int // of the merge that does not apply
	Against int // of the earlier one that it does not apply to by itself either; -1: it is several together
	// Unrelated says that the two have no history in common.
	Unrelated bool
	Files     []Conflict
}

// maxRehearsed is how long a pack of a rehearsal may be, in bytes. All commits
// and trees of odoo/odoo are more; no server need heed what is asked of it.
const maxRehearsed = 1 << 30

// Rehearse fetches what leads to tips, as far as it is not kept. What leads to
// the commits of may comes along, if their servers have them still. All URLs of
// what is tried later must be among these.
func (p *Partials) Rehearse(ctx context.Context, tips, may []Tip) (*Rehearsal, error) {
	for _, t := range slices.Concat(tips, may) {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(p.scratch, "rehearsal-")
	if err != nil {
		return nil, err
	}
	r := &Rehearsal{dir: dir, may: may}
	if err := r.open(ctx, p, tips); err != nil {
		return nil, errors.Join(err, r.Close()) //nolint:contextcheck // it clears away also what a run that was ended has left
	}
	return r, nil
}

func (r *Rehearsal) open(ctx context.Context, p *Partials, tips []Tip) (err error) {
	if r.store, err = p.c.OpenStore(filepath.Join(r.dir, "store")); err != nil {
		return err
	}
	r.store.most = maxRehearsed
	if r.joined, err = p.Join(ctx, urlsOf(slices.Concat(tips, r.may))); err != nil {
		return err
	}
	r.store.bare = r.joined.bare
	r.trees = newTreeRepo(r.store)
	r.trees.joined = r.joined
	r.graph = &Graph{quarantine: &quarantine{bare: r.joined.bare}, tips: tips, depths: append([]int{0}, p.depths...)}
	r.graph.fetch = r.fetch
	if err = r.graph.empty(ctx); err == nil {
		err = r.graph.deepen(ctx)
	}
	return err
}

// fetch brings in so many commits from each tip, with their trees; at depth 0
// nothing, so that what is kept is looked at first.
func (r *Rehearsal) fetch(ctx context.Context, depth int) error {
	if depth == 0 {
		return nil
	}
	for _, from := range r.joined.all {
		ids := func(tips []Tip) (ids []string) {
			for _, t := range tips {
				if t.URL == from.url {
					ids = append(ids, t.Commit)
				}
			}
			return ids
		}
		may := ids(r.may)
		if ends := append(ids(r.graph.tips), may...); len(ends) > 0 {
			if err := from.bring(ctx, ends, may, depth); err != nil {
				return err
			}
		}
	}
	return r.joined.again(ctx)
}

// lost is one of the commits that their servers said they do not have, if there is
// one.
func (j *Joined) lost(tips []Tip) string {
	for _, from := range j.all {
		from.fetching.Lock()
		i := slices.IndexFunc(tips, func(t Tip) bool { return t.URL == from.url && from.gone[t.Commit] })
		from.fetching.Unlock()
		if i >= 0 {
			return tips[i].Commit
		}
	}
	return ""
}

// bring is deepen, one at a time.
func (r *partial) bring(ctx context.Context, ends, mayLack []string, depth int) error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	return explain(r.url, r.deepen(ctx, ends, mayLack, depth))
}

// again has the repository see how far back the commits go now.
func (j *Joined) again(ctx context.Context) error {
	var cut []string
	for _, from := range j.all {
		kept, err := keptIDs(filepath.Join(from.home, "shallow"))
		if err != nil {
			return err
		}
		cut = append(cut, kept...)
	}
	if err := writeIDs(filepath.Join(j.dir, "shallow"), cut); err != nil {
		return err
	}
	return j.uncut(ctx)
}

// Close removes what is not kept.
func (r *Rehearsal) Close() (err error) {
	if r.store != nil {
		err = r.store.Close()
	}
	if r.deep != nil {
		err = errors.Join(err, r.deep.s.Close())
	}
	if r.joined != nil {
		err = errors.Join(err, r.joined.Remove())
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// Add fetches what leads to more tips.
func (r *Rehearsal) Add(ctx context.Context, tips []Tip) error {
	had := len(r.graph.tips)
	for _, t := range tips {
		if err := t.check(); err != nil {
			return err
		}
		if !slices.Contains(r.graph.tips, t) {
			r.graph.tips = append(r.graph.tips, t)
		}
	}
	err := r.graph.present(ctx, r.graph.tips)
	if !errors.Is(err, ErrNoCommit) {
		return err
	}
	if lost := r.joined.lost(tips); lost != "" {
		r.graph.tips = r.graph.tips[:had]
		return fmt.Errorf("%w: the server does not have %s", ErrNoCommit, lost)
	}
	r.graph.rung = max(r.graph.rung-1, 1)
	if err = r.graph.deepen(ctx); err != nil {
		r.graph.tips = r.graph.tips[:had]
	}
	return err
}

// Relate looks up how two commits are related that the tips lead to.
func (r *Rehearsal) Relate(ctx context.Context, ours, theirs string) (Relation, error) {
	return r.graph.Relate(ctx, ours, theirs)
}

// Line lists the commits on the first-parent way down from newest, which comes
// first, to what is in locked's history: each is a state that the ref had, or
// could have had. rewritten says that locked is not in newest's history.
func (r *Rehearsal) Line(ctx context.Context, locked, newest string) (line []string, rewritten bool, err error) {
	relation, err := r.Relate(ctx, locked, newest)
	if err != nil {
		return nil, false, err
	}
	out, err := r.graph.line(ctx, "rev-list", "--first-parent", newest, "^"+locked)
	return strings.Fields(out), !relation.FastForward && locked != newest, err
}

// Abbreviated returns the commit of the tips' histories that begins with
// prefix, as far as these are fetched.
func (r *Rehearsal) Abbreviated(ctx context.Context, prefix string) (string, error) {
	id, err := r.graph.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", prefix+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%w: none of what was fetched begins with %s, or more than one", ErrNoCommit, prefix)
	}
	return id, nil
}

// List returns the files of a commit that was tried, or of the tree of a Trial.
func (r *Rehearsal) List(ctx context.Context, commit string) ([]Entry, error) {
	return r.trees.s.List(ctx, commit)
}

// Try merges commits into the first, one after the other, as a build would.
// Their histories must lead from the tips.
func (r *Rehearsal) Try(ctx context.Context, tips []Tip) (Trial, error) {
	relations, several, err := r.relations(ctx, tips)
	if err != nil {
		return Trial{}, err
	}
	if unrelated := slices.IndexFunc(relations[1:], func(r Relation) bool { return len(r.Bases) == 0 }); unrelated >= 0 {
		return Trial{Bases: make([]string, len(tips)), Clash: &Clash{Number: unrelated + 1, Against: 0, Unrelated: true}}, nil
	}
	repo := r.trees
	if several {
		if repo, err = r.deepTrees(); err != nil {
			return Trial{}, err
		}
	}
	if err := repo.bring(ctx, withBases(tips, relations)); err != nil {
		return Trial{}, err
	}
	trial, err := repo.replay(ctx, tips, relations)
	if err == nil && trial.Clash != nil {
		r.blame(ctx, repo, tips, trial.Clash)
	}
	return trial, err
}

// relations looks up how each commit is related to what those before it give.
// Without one base, nothing is looked up beyond.
func (r *Rehearsal) relations(ctx context.Context, tips []Tip) (all []Relation, several bool, err error) {
	all, ours := make([]Relation, len(tips)), tips[0].Commit
	for i, t := range tips[1:] {
		found, err := r.graph.Relate(ctx, ours, t.Commit)
		if err != nil {
			return nil, false, err
		}
		all[i+1], several = found, several || len(found.Bases) > 1
		switch {
		case len(found.Bases) == 0:
			for j := i + 2; j < len(all); j++ {
				all[j].Bases = []string{""}
			}
			return all, false, nil
		case found.UpToDate:
		case found.FastForward:
			ours = t.Commit
		default:
			if ours, err = r.graph.Merge(ctx, ours, t.Commit); err != nil {
				return nil, false, err
			}
		}
	}
	return all, several, nil
}

// withBases adds the merge bases. A base is in the history of the merge that
// has it.
func withBases(tips []Tip, relations []Relation) []Tip {
	all := slices.Clone(tips)
	for i, r := range relations {
		for _, base := range r.Bases {
			all = append(all, Tip{URL: tips[i].URL, Want: Want{Commit: base, Ref: tips[i].Ref}})
		}
	}
	return all
}

// deepTrees is where merges with several bases are made.
func (r *Rehearsal) deepTrees() (*treeRepo, error) {
	if r.deep != nil {
		return r.deep, nil
	}
	dir, err := os.MkdirTemp(r.dir, "deep-")
	if err != nil {
		return nil, err
	}
	s, err := r.store.c.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	s.most = maxRehearsed
	r.deep = newTreeRepo(s)
	return r.deep, nil
}

// blame finds the earlier merge that one conflicts with also by itself. It is
// for the text alone: what fails leaves it unknown.
func (r *Rehearsal) blame(ctx context.Context, repo *treeRepo, tips []Tip, clash *Clash) {
	if clash.Number == 1 {
		return // there is but one before
	}
	clash.Against = -1
	for j := range tips[:clash.Number] {
		pair := []Tip{tips[j], tips[clash.Number]}
		relations, several, err := r.relations(ctx, pair)
		if err != nil || several || len(relations[1].Bases) != 1 || repo.bring(ctx, withBases(pair, relations)) != nil {
			continue
		}
		trial, err := repo.replay(ctx, pair, relations)
		if err == nil && trial.Clash != nil && slices.ContainsFunc(trial.Clash.Files, func(c Conflict) bool { return c.Path == clash.Files[0].Path }) {
			clash.Against = j
			return
		}
	}
}
