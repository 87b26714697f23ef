package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// ErrNoCommit: the server does not have a commit any more, or gives it to
// nobody.
var ErrNoCommit = errors.New("no such commit")

// Want is a commit to fetch.
type Want struct {
	Commit string
	// Ref is where it was once found. Servers that give out no commits by
	// their ids are asked for this.
	Ref string
}

// maxHaves is how many commits a server is told that the store has.
const maxHaves = 32

// Fetch brings commits with their whole trees, and without their parents, into
// the store: those that the store lacks for the URL. bases are commits of the store, from
// other URLs too, that the server is told of so that it need not send what they
// share; it learns their ids. progress is called with what git says of its
// progress. Fetch returns how many bytes were received.
func (s *Store) Fetch(ctx context.Context, url string, wants []Want, bases []string, progress func(string)) (int64, error) {
	wants = slices.DeleteFunc(slices.Clone(wants), func(w Want) bool { return s.Has(url, w.Commit) })
	if len(wants) == 0 {
		return 0, nil
	}
	var ids []string
	for _, w := range wants {
		if !gitname.IsObjectID(w.Commit) {
			return 0, fmt.Errorf("%q is no commit", w.Commit)
		}
		ids = append(ids, w.Commit)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	q, err := s.quarantine(slices.Concat(bases, s.newest(url, maxHaves)))
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(q.dir)
	if err := q.fetch(ctx, url, ids, progress, "--depth=1"); err != nil {
		if !errors.Is(err, errUnadvertised) {
			return 0, err
		}
		if err := q.byRef(ctx, url, wants, progress); err != nil {
			return 0, err
		}
	}
	for _, id := range ids {
		if _, err := q.git(ctx, target{}, "cat-file", "-e", id+"^{commit}"); err != nil {
			return 0, fmt.Errorf("%s: %w: %s is not a commit there", gitname.Redact(url), ErrNoCommit, id)
		}
	}
	received, err := s.adopt(q)
	if err != nil {
		return 0, err
	}
	return received, s.note(url, ids)
}

// quarantine is a repository for one fetch. What it has can be thrown away.
type quarantine struct{ *bare }

// quarantine makes a repository that has commits of the pool without their
// parents, and stores elsewhere what it is given.
func (s *Store) quarantine(haves []string) (*quarantine, error) {
	dir, err := os.MkdirTemp(s.scratch, "fetch-")
	if err != nil {
		return nil, err
	}
	b, err := s.c.bare(dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(haves)
	haves = slices.Compact(haves)
	var refs, cut strings.Builder
	for _, id := range haves {
		fmt.Fprintf(&refs, "%s refs/have/%s\n", id, id)
		fmt.Fprintf(&cut, "%s\n", id)
	}
	files := map[string]string{"objects/info/alternates": filepath.Join(s.dir, "objects") + "\n"}
	if len(haves) > 0 {
		files["packed-refs"], files["shallow"] = refs.String(), cut.String()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return &quarantine{b}, nil
}

// errUnadvertised: the server gives out only what its refs point at.
var errUnadvertised = errors.New("the server gives no commits by their ids")

var unadvertised = regexp.MustCompile(`(?i)does not allow request for unadvertised object|unadvertised object`)

// fetch runs git fetch, again when a fault may pass.
func (q *quarantine) fetch(ctx context.Context, url string, what []string, progress func(string), options ...string) error {
	// A token may have been renewed while git was at it: once more then.
	again := q.c.renewable
	for {
		_, err := retry(ctx, q.c.patient(), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, q.fetchOnce(ctx, url, what, progress, options...)
		})
		if !errors.Is(err, ErrRefused) || !again {
			return err
		}
		again = false
	}
}

func (q *quarantine) fetchOnce(ctx context.Context, url string, what []string, progress func(string), options ...string) error {
	t, err := q.c.target(ctx, url)
	if err != nil {
		return err
	}
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},
		setting{"fetch.unpackLimit", "1"}, // a pack is moved into the pool as a whole
		setting{"fetch.writeCommitGraph", "false"},
	)
	args := slices.Concat([]string{"fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"}, options, []string{"upstream"}, what)
	cmd := q.command(ctx, t, args...)
	cmd.Env = append(cmd.Env, "GIT_ALLOC_LIMIT=2g") // the largest file that can be fetched
	out := &splitter{end: '\r', most: 200, yield: func(line string) { progress(percentage(line)) }}
	cmd.Stderr = &tee{cmd.stderr, out}
	err = cmd.run()
	failed := (*Error)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case unadvertised.MatchString(failed.Stderr):
		return errUnadvertised
	case notOurRef.MatchString(failed.Stderr):
		id := notOurRef.FindStringSubmatch(failed.Stderr)[1]
		return fmt.Errorf("%s: %w: the server does not have %s", gitname.Redact(url), ErrNoCommit, id)
	}
	return fmt.Errorf("%s: %w", gitname.Redact(url), err)
}

// byRef fetches commits by the refs that they were found under, in growing
// depths.
func (q *quarantine) byRef(ctx context.Context, url string, wants []Want, progress func(string)) error {
	var refs []string
	for _, w := range wants {
		if w.Ref == "" {
			return fmt.Errorf("%s: %w, and the lock does not say which ref %s is of; regenerate it with lock-repos", gitname.Redact(url), errUnadvertised, w.Commit)
		}
		refs = append(refs, w.Ref)
	}
	slices.Sort(refs)
	refs = slices.Compact(refs)
	for _, depth := range []int{50, 1000, 1 << 30} {
		if err := q.fetch(ctx, url, refs, progress, "--depth="+strconv.Itoa(depth)); err != nil {
			return err
		}
		if !slices.ContainsFunc(wants, func(w Want) bool {
			_, err := q.git(ctx, target{}, "cat-file", "-e", w.Commit+"^{commit}")
			return err != nil
		}) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w: a locked commit is not in %s any more", gitname.Redact(url), ErrNoCommit, strings.Join(refs, ", "))
}

// adopt moves what a quarantine has got into the pool. An index comes last: a
// pack without one is no pack yet.
func (s *Store) adopt(q *quarantine) (received int64, err error) {
	from, to := filepath.Join(q.dir, "objects", "pack"), filepath.Join(s.dir, "objects", "pack")
	entries, err := os.ReadDir(from)
	if err != nil {
		return 0, err
	}
	rank := func(name string) int { return slices.Index([]string{".pack", ".rev", ".idx"}, filepath.Ext(name)) }
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return rank(a.Name()) - rank(b.Name()) })
	for _, e := range entries {
		if rank(e.Name()) < 0 {
			continue
		}
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".pack" {
			received += info.Size()
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return received, err
		}
	}
	return received, nil
}

var receiving = regexp.MustCompile(`^Receiving objects: +(.*)`)

// percentage picks what is worth telling from a line of git's progress.
func percentage(line string) string {
	if m := receiving.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// tee writes to both.
type tee struct {
	kept *tail
	out  *splitter
}

func (t *tee) Write(p []byte) (int, error) {
	_, _ = t.out.Write(p)
	return t.kept.Write(p)
}
