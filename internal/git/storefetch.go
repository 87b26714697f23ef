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
	"syscall"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
)

// ErrNoCommit is of a commit that the server does not have any more, or gives to
// nobody.
var ErrNoCommit = errors.New("no such commit")

// Want is a commit to fetch.
type Want struct {
	Commit string
	// Ref is where it was once found. Servers that give out no commits by
	// their ids are asked for this.
	Ref string
}

// check refuses what git could read as something else.
func (w Want) check() error {
	if err := checkIDs(w.Commit); err != nil || w.Ref == "" {
		return err
	}
	return gitname.CheckRef(w.Ref)
}

// fallback returns the refs to ask for where commits are not given out by their
// ids.
func fallback(url string, wants []Want) ([]string, error) {
	var refs []string
	for _, w := range wants {
		if w.Ref == "" || gitname.IsObjectID(w.Ref) {
			return nil, fmt.Errorf("%s: %w, and no branch or tag is known that has %s; lock one with lock-repos", gitname.Redact(url), errUnadvertised, w.Commit)
		}
		refs = append(refs, w.Ref)
	}
	slices.Sort(refs)
	return slices.Compact(refs), nil
}

// Fetch brings commits with their whole trees, and without their parents, into
// the store: those that the store lacks for the URL. bases are commits that the
// caller may read, from other URLs too: of those that the store has, the server is
// told, so that it need not send what they share; it learns their ids. progress is
// called with what git says of its progress. Fetch returns how many bytes were
// received.
//
// What the store has from elsewhere and is in no base does not count: the
// server must send it.
func (s *Store) Fetch(ctx context.Context, url string, wants []Want, bases []string, progress func(string)) (int64, error) {
	return s.bring(ctx, wanted{url: url, wants: wants, progress: progress}, bases)
}

// FetchInto is Fetch of one commit, which gives the sink what it can of the files
// while they come in.
func (s *Store) FetchInto(ctx context.Context, url string, want Want, sink Sink, progress func(string)) (int64, error) {
	return s.bring(ctx, wanted{url: url, wants: []Want{want}, sink: sink, progress: progress}, nil)
}

func (s *Store) bring(ctx context.Context, w wanted, bases []string) (int64, error) {
	var ids []string
	for _, want := range w.wants {
		if err := want.check(); err != nil {
			return 0, err
		}
	}
	if w.progress == nil {
		w.progress = func(string) {}
	}
	w.wants = slices.DeleteFunc(slices.Clone(w.wants), func(want Want) bool { return s.Has(w.url, want.Commit) })
	if len(w.wants) == 0 {
		return 0, nil
	}
	for _, want := range w.wants {
		ids = append(ids, want.Commit)
	}
	slices.Sort(ids)
	w.ids = slices.Compact(ids)
	received, err := s.fetch(ctx, w, slices.Concat(bases, s.newest(w.url, maxHaves)))
	if errors.Is(err, errIncomplete) {
		received, err = s.fetch(ctx, w, nil)
	}
	if err != nil {
		return received, err
	}
	s.fetched.Store(true)
	return received, s.note(w.url, w.ids)
}

// wanted is what to fetch from where.
type wanted struct {
	url      string
	wants    []Want
	ids      []string // of wants, sorted
	progress func(string)
	sink     Sink // nil: none
}

// fetch fetches what the pool's commits of haves do not have.
func (s *Store) fetch(ctx context.Context, w wanted, haves []string) (int64, error) {
	q, err := s.quarantine(ctx, haves)
	if err != nil {
		return 0, err
	}
	q.memory, q.direct = s.memory, s.direct
	defer os.RemoveAll(q.dir)
	err = q.fetchCommits(ctx, w)
	byRef := errors.Is(err, errUnadvertised)
	if byRef {
		err = q.byRef(ctx, w.url, w.wants, w.progress)
	}
	if err == nil {
		err = s.verify(ctx, q, w, byRef)
	}
	received := int64(0)
	if err == nil {
		received, err = s.adopt(q)
	}
	if q.pack != nil {
		err = errors.Join(err, s.kept.add(q.pack, err == nil))
	}
	return received, err
}

// errUnadvertised: the server gives out only what its refs point at.
var errUnadvertised = errors.New("the server gives no commits by their ids")

// errNoSpace: what is fetched does not fit.
var errNoSpace = errors.New("the cache has no space for what is fetched")

// What git says of what it cannot do, and of servers that cannot. Lines of the
// server's own start with "remote: ".
var (
	unadvertised = regexp.MustCompile(`(?i)does not allow request for unadvertised object|unadvertised object`)
	noSpace      = regexp.MustCompile(`(?im)^(?:fatal|error): .*(no space left on device|disk quota exceeded|file too large)`)
	noSuchRef    = regexp.MustCompile(`(?m)^fatal: couldn't find remote ref (\S+)`)
)

// fetchCommits fetches what is wanted at depth 1.
func (q *quarantine) fetchCommits(ctx context.Context, w wanted) error {
	if len(q.haves) == 0 {
		err := q.persist(ctx, func(ctx context.Context) error { return explain(w.url, q.fetchPack(ctx, w)) })
		if !errors.Is(err, errNoV2) {
			return err
		}
	}
	return q.fetch(ctx, w.url, w.ids, w.progress, "--depth=1")
}

// fetch runs git fetch, again when a fault may pass.
func (q *quarantine) fetch(ctx context.Context, url string, what []string, progress func(string), options ...string) error {
	return q.persist(ctx, func(ctx context.Context) error { return q.fetchOnce(ctx, url, what, progress, options...) })
}

// persist fetches again when a fault may pass.
func (q *quarantine) persist(ctx context.Context, fetch func(context.Context) error) error {
	// A token may have been renewed while git was at it: once more then.
	again := q.c.renewable
	for {
		_, err := retry(ctx, q.c.patient(), func(ctx context.Context) (struct{}, error) { return struct{}{}, fetch(ctx) })
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
	if err := q.clear(); err != nil {
		return err
	}
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},
		setting{"fetch.unpackLimit", "1"}, // a pack is moved into the pool as a whole
		setting{"fetch.writeCommitGraph", "false"},
	)
	args := slices.Concat([]string{"fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"}, options, []string{"--", "upstream"}, what)
	cmd := q.command(ctx, t, args...)
	out := &splitter{end: '\r', most: 200, yield: func(line string) { progress(percentage(line)) }}
	cmd.Stderr = &tee{cmd.stderr, out}
	return explain(url, q.counted(cmd.run))
}

// explain makes of what git says what a caller asks for.
func explain(url string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%s: %w: %w", gitname.Redact(url), errNoSpace, full)
		}
	}
	failed := (*Error)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	if m := noSpace.FindStringSubmatch(failed.Stderr); m != nil {
		return fmt.Errorf("%s: %w: %s", gitname.Redact(url), errNoSpace, strings.ToLower(m[1]))
	}
	if unadvertised.MatchString(failed.Stderr) {
		return errUnadvertised
	}
	if m := notOurRef.FindStringSubmatch(failed.Stderr); m != nil {
		return fmt.Errorf("%s: %w: the server does not have %s", gitname.Redact(url), ErrNoCommit, m[1])
	}
	return fmt.Errorf("%s: %w", gitname.Redact(url), err)
}

// byRef fetches commits by the refs that they were found under, in growing
// depths.
func (q *quarantine) byRef(ctx context.Context, url string, wants []Want, progress func(string)) error {
	refs, err := fallback(url, wants)
	if err != nil {
		return err
	}
	for _, depth := range []int{50, 1000, fullDepth} {
		err := q.fetch(ctx, url, refs, progress, "--depth="+strconv.Itoa(depth))
		if failed := (*Error)(nil); errors.As(err, &failed) && noSuchRef.MatchString(failed.Stderr) {
			return fmt.Errorf("%s: %w by its id, and none of %s: %w", gitname.Redact(url), ErrNoCommit, strings.Join(idsOf(wants), ", "), err)
		}
		if err != nil {
			return err
		}
		missing, err := q.missing(ctx, idsOf(wants))
		if err != nil || len(missing) == 0 {
			return err
		}
		wants = slices.DeleteFunc(slices.Clone(wants), func(w Want) bool { return !slices.Contains(missing, w.Commit) })
	}
	return fmt.Errorf("%s: %w: %s is not in %s any more", gitname.Redact(url), ErrNoCommit, strings.Join(idsOf(wants), ", "), strings.Join(refs, ", "))
}

// fullDepth is deeper than any history.
const fullDepth = 1 << 30

func idsOf(wants []Want) (ids []string) {
	for _, w := range wants {
		ids = append(ids, w.Commit)
	}
	return ids
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
		file := filepath.Join(from, e.Name())
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".pack" {
			received += info.Size()
		}
		now := time.Now() // who tidies the pool goes by it
		if err := errors.Join(os.Chtimes(file, now, now), os.Rename(file, filepath.Join(to, e.Name()))); err != nil {
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
