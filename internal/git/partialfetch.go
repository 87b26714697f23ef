package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Histories is Client.Histories out of what is kept. What that lacks is fetched,
// with the trees of the commits.
func (p *Partials) Histories(ctx context.Context, url string, ranges []Range) ([]History, error) {
	var ends []string
	for _, r := range ranges {
		if !gitname.IsObjectID(r.Old) || !gitname.IsObjectID(r.New) {
			return nil, fmt.Errorf("%q..%q is no range of commits", r.Old, r.New)
		}
		ends = append(ends, r.Old, r.New)
	}
	r, done, err := p.of(url)
	if err != nil {
		return nil, err
	}
	defer done()
	r.fetching.Lock()
	defer r.fetching.Unlock()
	if missing, err := r.lacks(ctx, ends); err != nil {
		return nil, err
	} else if len(missing) == 0 {
		if histories, complete, err := r.read(ctx, ranges); err != nil || complete {
			return histories, err
		}
	}
	if err := r.anew(); err != nil {
		return nil, err
	}
	for i, depth := range p.depths {
		if err := r.deepen(ctx, ends, oldsOf(ranges), depth); err != nil {
			return nil, err
		}
		histories, complete, err := r.read(ctx, ranges)
		if err != nil || complete || i == len(p.depths)-1 {
			return histories, err
		}
	}
	return nil, errors.New("no depth to fetch")
}

func oldsOf(ranges []Range) (olds []string) {
	for _, r := range ranges {
		olds = append(olds, r.Old)
	}
	return olds
}

// Ensure fetches those of commits that are not there yet, with their trees and
// without their parents.
func (p *Partials) Ensure(ctx context.Context, url string, commits []string) error {
	if err := checkIDs(commits...); err != nil {
		return err
	}
	r, done, err := p.of(url)
	if err != nil {
		return err
	}
	defer done()
	r.fetching.Lock()
	defer r.fetching.Unlock()
	missing, err := r.missing(ctx, commits)
	if err != nil || len(missing) == 0 {
		return err
	}
	return r.deepen(ctx, missing, nil, 1)
}

// Deepen fetches so many commits down from each of commits, those included that
// are there already.
func (p *Partials) Deepen(ctx context.Context, url string, commits []string, depth int) error {
	if err := checkIDs(commits...); err != nil {
		return err
	}
	r, done, err := p.of(url)
	if err != nil {
		return err
	}
	defer done()
	r.fetching.Lock()
	defer r.fetching.Unlock()
	return r.deepen(ctx, commits, nil, depth)
}

// lacks returns those of commits that are not there, but for those that the
// server does not have either.
func (r *partial) lacks(ctx context.Context, commits []string) ([]string, error) {
	missing, err := r.missing(ctx, commits)
	return slices.DeleteFunc(missing, func(id string) bool { return r.gone[id] }), err
}

// missing returns those of commits that are not there. Git is asked only where
// there is something that it alone can read.
func (r *partial) missing(ctx context.Context, commits []string) ([]string, error) {
	if missing, err := unpacked(filepath.Join(r.home, "objects"), commits); err == nil {
		return missing, nil
	}
	return r.view.missing(ctx, commits)
}

// deepen fetches so many commits from each of ends. Those of mayLack that the
// server does not have any more are noted and left out.
func (r *partial) deepen(ctx context.Context, ends, mayLack []string, depth int) error {
	ends = slices.Compact(slices.Sorted(slices.Values(ends)))
	for {
		ends = slices.DeleteFunc(ends, func(id string) bool { return r.gone[id] })
		tips, err := keptIDs(filepath.Join(r.home, "tips"))
		if err != nil {
			return err
		}
		if err = r.fetch(ctx, lacked{ends, tips, depth}); err == nil {
			return r.remember(ends)
		}
		failed := (*Error)(nil)
		if !errors.As(err, &failed) {
			return err
		}
		lost := notOurRef.FindStringSubmatch(failed.Stderr)
		if lost == nil || !slices.Contains(mayLack, lost[1]) || r.gone[lost[1]] {
			return err
		}
		r.gone[lost[1]] = true
	}
}

// read computes histories. Another process may have fetched while it looked:
// then it looks again.
func (r *partial) read(ctx context.Context, ranges []Range) ([]History, bool, error) {
	if err := r.catchUp(ctx); err != nil {
		return nil, false, err
	}
	f := &fetcher{bare: r.view, url: r.url, gone: r.gone}
	histories, complete, err := f.read(ctx, ranges)
	if err == nil || ctx.Err() != nil {
		return histories, complete, err
	}
	if err := r.catchUp(ctx); err != nil {
		return nil, false, err
	}
	return f.read(ctx, ranges)
}

// fetch brings in what is lacked, and keeps it.
func (r *partial) fetch(ctx context.Context, l lacked) error {
	if len(l.ids) == 0 {
		return nil
	}
	_, err := retry(ctx, r.c.patient(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, r.fetchOnce(ctx, l)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", gitname.Redact(r.url), err)
	}
	return nil
}

func (r *partial) fetchOnce(ctx context.Context, l lacked) error {
	t, err := r.c.target(ctx, r.url)
	if err != nil {
		return err
	}
	b, err := r.seeing("fetch-", nil)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := r.fetchDirect(ctx, t, b, l); !errors.Is(err, errIndirect) {
		if err != nil {
			return err
		}
		return r.adopt(ctx, b)
	}
	if err := r.fetchByGit(ctx, t, b, l); err != nil {
		return err
	}
	return r.adopt(ctx, b)
}

// fetchByGit is fetchDirect by git's own transport.
func (r *partial) fetchByGit(ctx context.Context, t target, b *bare, l lacked) error {
	t.settings = append(
		t.settings,
		setting{"remote.upstream.url", t.String()}, // by a name: a path is none to a fetch with a filter
		setting{"fetch.unpackLimit", "1"},          // a pack is kept as a whole
		setting{"fetch.writeCommitGraph", "false"},
		setting{"core.alternateRefsCommand", "true"}, // there are none
	)
	if len(l.tips) == 0 {
		t.settings = append(t.settings, setting{"fetch.negotiationAlgorithm", "noop"})
	}
	args := append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--stdin"}, l.options()...)
	f := &fetcher{bare: b, url: r.url}
	cmd := f.limitedCommand(ctx, t, append(args, "--", "upstream")...)
	cmd.Stdin = strings.NewReader(strings.Join(l.ids, "\n") + "\n")
	return b.counted(cmd.run)
}

// adopt keeps what a fetch has got. Where a process is killed in between, more
// commits may be noted as without their parents than are, never fewer.
func (r *partial) adopt(ctx context.Context, b *bare) error {
	kept := filepath.Join(r.home, "shallow")
	before, err := keptIDs(kept)
	if err != nil {
		return err
	}
	after, err := keptIDs(filepath.Join(b.dir, "shallow"))
	if err != nil {
		return err
	}
	same := slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(after)))
	if same { // as after most fetches of what is new
		err := movePacks(filepath.Join(b.dir, "objects", "pack"), filepath.Join(r.home, "objects", "pack"))
		return errors.Join(err, r.catchUp(ctx))
	}
	if err := writeIDs(kept, slices.Concat(before, after)); err != nil {
		return err
	}
	if err := movePacks(filepath.Join(b.dir, "objects", "pack"), filepath.Join(r.home, "objects", "pack")); err != nil {
		return err
	}
	if err := writeIDs(filepath.Join(r.view.dir, "shallow"), slices.Concat(before, after)); err != nil {
		return err
	}
	if err := r.view.uncut(ctx); err != nil {
		return err
	}
	now, err := keptIDs(filepath.Join(r.view.dir, "shallow"))
	if err != nil {
		return err
	}
	return writeIDs(kept, now)
}

// catchUp has the view know what other processes have fetched meanwhile: a commit
// that is there and counts as whole must be.
func (r *partial) catchUp(ctx context.Context) error {
	kept, err := keptIDs(filepath.Join(r.home, "shallow"))
	if err != nil {
		return err
	}
	path := filepath.Join(r.view.dir, "shallow")
	seen, err := keptIDs(path)
	if err != nil || slices.Equal(slices.Sorted(slices.Values(kept)), slices.Sorted(slices.Values(seen))) {
		return err
	}
	if err := writeIDs(path, slices.Concat(kept, seen)); err != nil {
		return err
	}
	return r.view.uncut(ctx)
}

// movePacks moves packs. An index comes last: a pack without one is no pack yet.
func movePacks(from, to string) error {
	for _, kind := range []string{".pack", ".promisor", ".rev", ".idx"} {
		files, err := filepath.Glob(filepath.Join(from, "pack-*"+kind))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := os.Rename(file, filepath.Join(to, filepath.Base(file))); err != nil {
				return err
			}
		}
	}
	return nil
}

// uncut takes out of the commits that count as without their parents those that
// are not there, and those whose parents all are.
func (b *bare) uncut(ctx context.Context) error {
	path := filepath.Join(b.dir, "shallow")
	cut, err := keptIDs(path)
	if err != nil || len(cut) == 0 {
		return err
	}
	parents := map[string][]string{}
	id, inHead := "", false
	cmd := b.command(ctx, target{}, "cat-file", "--batch")
	cmd.Stdin = strings.NewReader(strings.Join(cut, "\n") + "\n")
	cmd.Stdout = &splitter{end: '\n', most: maxRecord, yield: func(line string) {
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[1] == "commit" && slices.Contains(cut, words[0]) && parents[words[0]] == nil:
			id, inHead = words[0], true
			parents[id] = []string{}
		case line == "":
			inHead = false
		case inHead && len(words) == 2 && words[0] == "parent":
			parents[id] = append(parents[id], words[1])
		}
	}}
	if err := cmd.run(); err != nil {
		return err
	}
	var all []string
	for _, ids := range parents {
		all = append(all, ids...)
	}
	missing, err := b.missing(ctx, all)
	if err != nil {
		return err
	}
	lacking := map[string]bool{}
	for _, id := range missing {
		lacking[id] = true
	}
	return writeIDs(path, slices.DeleteFunc(cut, func(id string) bool {
		return !slices.ContainsFunc(parents[id], func(parent string) bool { return lacking[parent] })
	}))
}

// maxTips is how many commits are remembered for servers to go by.
const maxTips = 16

// remember notes commits that were fetched as tips.
func (r *partial) remember(ids []string) error {
	all, err := keptIDs(filepath.Join(r.home, "tips"))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(id string) bool { return slices.Contains(ids, id) })
	all = append(all, ids[:min(len(ids), maxTips)]...)
	return writeIDs(filepath.Join(r.home, "tips"), all[max(0, len(all)-maxTips):])
}

// keptIDs reads a file of object ids, one a line; none when there is no file.
func keptIDs(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(data))
	if err := checkIDs(ids...); err != nil {
		return nil, fmt.Errorf("%s: %w; remove the cache", path, err)
	}
	return ids, nil
}

// writeIDs writes such a file by rename, each id once.
func writeIDs(path string, ids []string) error {
	var b strings.Builder
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			b.WriteString(id + "\n")
		}
		seen[id] = true
	}
	if b.Len() == 0 {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "ids-")
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(f.Name()))
	}
	return nil
}
