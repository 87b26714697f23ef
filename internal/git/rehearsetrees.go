package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// treeRepo has commits with their trees, and of files what merges asked for.
type treeRepo struct {
	s       *Store // its pool is the repository
	q       *quarantine
	options []string          // how far back commits are fetched
	had     map[string]bool   // commits that have come with their trees
	origin  map[string]string // files that are from elsewhere than the first merge: URLs by ids
	joined  *Joined           // what it is, where that is kept; nil: it fetches by itself
}

// newTreeRepo takes a store over that has nothing in its pool.
func newTreeRepo(s *Store, options ...string) *treeRepo {
	// The pool's objects lie where the repository has them: what is fetched goes
	// there as it comes.
	s.env, s.bare.most = []string{allocLimit}, s.most
	return &treeRepo{s: s, q: &quarantine{bare: s.bare}, options: options, had: map[string]bool{}, origin: map[string]string{}}
}

// bring fetches commits with their trees, each URL once.
func (w *treeRepo) bring(ctx context.Context, tips []Tip) error {
	if w.joined != nil {
		return w.joined.ensure(ctx, tips)
	}
	for i, t := range tips {
		if slices.ContainsFunc(tips[:i], func(o Tip) bool { return o.URL == t.URL }) {
			continue
		}
		var what []string
		for _, o := range tips[i:] {
			if spec := o.Commit + ":refs/tips/" + o.Commit; o.URL == t.URL && !w.had[o.Commit] && !slices.Contains(what, spec) {
				what = append(what, spec)
			}
		}
		if len(what) == 0 {
			continue
		}
		// A ref keeps each, so that the next server is told what need not be sent
		// again.
		if err := w.q.fetch(ctx, t.URL, what, func(string) {}, slices.Concat([]string{"--filter=blob:none", "--force"}, w.options)...); err != nil {
			return err
		}
		for _, spec := range what {
			id, _, _ := strings.Cut(spec, ":")
			w.had[id] = true
		}
	}
	return nil
}

// ensure fetches those commits that are not there, with their trees.
func (j *Joined) ensure(ctx context.Context, tips []Tip) error {
	came := false
	for _, from := range j.all {
		var ids []string
		for _, t := range tips {
			if t.URL == from.url {
				ids = append(ids, t.Commit)
			}
		}
		missing, err := j.missing(ctx, ids)
		if err != nil || len(missing) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		if err := from.bring(ctx, missing, nil, 1); err != nil {
			return err
		}
		came = true
	}
	if !came {
		return nil
	}
	return j.again(ctx)
}

// replay merges what bring has brought.
func (w *treeRepo) replay(ctx context.Context, tips []Tip, relations []Relation) (Trial, error) {
	trial, ours := Trial{Bases: make([]string, len(tips))}, tips[0].Commit
	tree, err := w.treeOf(ctx, ours)
	if err != nil {
		return trial, err
	}
	for i, r := range relations[1:] {
		i++
		if len(r.Bases) == 1 {
			trial.Bases[i] = r.Bases[0]
		}
		if r.UpToDate {
			trial.Empty = append(trial.Empty, i)
			continue
		}
		theirs, err := w.treeOf(ctx, tips[i].Commit)
		if err != nil {
			return trial, err
		}
		if r.FastForward {
			ours, tree = tips[i].Commit, theirs
			continue
		}
		result, commit, err := w.merge(ctx, merging{ours: ours, tree: tree, theirs: tips[i], bases: r.Bases, urls: urlsOf(tips[:i+1])})
		if err != nil {
			return trial, err
		}
		if len(result.Conflicts) > 0 {
			trial.Clash = &Clash{Number: i, Files: result.Conflicts}
			return trial, nil
		}
		if result.Tree == tree {
			trial.Empty = append(trial.Empty, i)
		}
		ours, tree = commit, result.Tree
	}
	trial.Tree = tree
	return trial, nil
}

// urlsOf lists the URLs of tips, that of the last first, each once.
func urlsOf(tips []Tip) (urls []string) {
	for _, t := range slices.Backward(tips) {
		if !slices.Contains(urls, t.URL) {
			urls = append(urls, t.URL)
		}
	}
	return urls
}

func (w *treeRepo) treeOf(ctx context.Context, commit string) (string, error) {
	return w.q.line(ctx, "rev-parse", "--verify", "--end-of-options", commit+"^{tree}")
}

// merging is one merge that is to be made.
type merging struct {
	ours, tree string // what was merged so far, and its tree
	theirs     Tip
	bases      []string
	urls       []string // where files may be had: of theirs first
}

// merge makes one merge, and the commit of it.
func (w *treeRepo) merge(ctx context.Context, m merging) (MergeResult, string, error) {
	ours, theirs := m.ours, m.theirs.Commit
	if len(m.bases) == 1 {
		// Trees alone are known: they are made commits of, on the one base.
		base, err := w.q.commit(ctx, m.bases[0])
		if err != nil {
			return MergeResult{}, "", err
		}
		if ours, err = w.q.commit(ctx, m.tree, base); err != nil {
			return MergeResult{}, "", err
		}
		if theirs, err = w.q.commit(ctx, m.theirs.Commit, base); err != nil {
			return MergeResult{}, "", err
		}
		if err := w.bringFiles(ctx, m); err != nil {
			return MergeResult{}, "", err
		}
	}
	attributes, err := w.attributes(ctx, m)
	if err != nil {
		return MergeResult{}, "", err
	}
	result, err := w.tryMerge(ctx, m, ours, theirs, attributes)
	if err != nil || len(result.Conflicts) > 0 {
		return result, "", err
	}
	commit, err := w.q.commit(ctx, result.Tree, m.ours, m.theirs.Commit)
	return result, commit, err
}

// tryMerge has git make a merge and fetch what it lacks.
func (w *treeRepo) tryMerge(ctx context.Context, m merging, ours, theirs string, attributes map[string][]byte) (result MergeResult, err error) {
	err = w.asking(ctx, m.urls, func(ctx context.Context, t target) (err error) {
		result, err = w.s.merge(ctx, w.q.bare, t, ours, theirs, attributes)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", m.theirs.Commit, err)
	}
	return result, err
}

// asking runs git with one server after another to fetch from what it lacks: it
// asks one at a time, for much at once, and a server that lacks anything of that
// gives nothing. What came stays, so all are asked again for as long as something
// comes.
func (w *treeRepo) asking(ctx context.Context, urls []string, run func(ctx context.Context, t target) error) (err error) {
	for came := true; came; {
		came = false
		for _, url := range urls {
			before := w.q.packed()
			t, failed := w.promisor(ctx, url)
			if failed != nil {
				return failed
			}
			if err = run(ctx, t); err == nil || ctx.Err() != nil || errors.Is(err, errTooMuch) {
				return err
			}
			came = came || w.q.packed() > before
		}
	}
	return err
}

// promisor is a server that git asks for what it finds missing.
func (w *treeRepo) promisor(ctx context.Context, url string) (target, error) {
	t, err := w.s.c.target(ctx, url)
	if err != nil {
		return t, err
	}
	t.settings = append(slices.Clone(t.settings),
		setting{"remote.upstream.url", t.String()},
		setting{"remote.upstream.promisor", "true"},
		setting{"remote.upstream.partialCloneFilter", "blob:none"},
	)
	t.env = append(slices.Clone(t.env), "GIT_NO_LAZY_FETCH=0")
	return t, w.q.clear()
}

// attributes are the .gitattributes files of what was merged so far.
func (w *treeRepo) attributes(ctx context.Context, m merging) (map[string][]byte, error) {
	entries, err := w.s.List(ctx, m.tree)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Path != ".gitattributes" && !strings.HasSuffix(e.Path, "/.gitattributes") })
	wanted := map[string][]string{}
	for _, e := range entries {
		url := w.from(e.ID, m)
		wanted[url] = append(wanted[url], e.ID)
	}
	if err := w.fetchFiles(ctx, wanted); err != nil {
		return nil, err
	}
	return w.s.Attributes(ctx, entries)
}

// from is the server that has a file of what was merged so far.
func (w *treeRepo) from(id string, m merging) string {
	if url := w.origin[id]; url != "" {
		return url
	}
	return m.urls[len(m.urls)-1]
}
