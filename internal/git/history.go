package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Range is a move from one commit to another.
type Range struct{ Old, New string }

// History is what lies between the commits of a Range.
type History struct {
	// Commits are the newest of those that only New has, newest first, at
	// most MaxCommits.
	Commits []Commit
	Ahead   int // commits that only New has
	Behind  int // commits that only Old has: not 0 after a rewrite of the branch
	// Authors counts the different author names of the Ahead commits.
	Authors int
	// AtLeast says that Ahead and Behind are not exact: the way to a common
	// ancestor is longer than was fetched. They are lower bounds then, unless
	// commits of the part that was not fetched have false dates.
	AtLeast bool
	// OldGone says that the server does not have Old any more; then only
	// New's own commit is known.
	OldGone bool
}

// Commit is a commit of an upstream: text that a stranger wrote.
type Commit struct {
	ID      string
	Author  string
	When    time.Time
	Subject string
}

// MaxCommits is how many commits of a History are read in full.
const MaxCommits = 100

// depths are the rungs of the ladder by which histories are fetched: commits
// only, so many from each end.
func depths() []int { return []int{64, 512, 4096} }

// Histories fetches what lies in each of ranges from url: commits alone, no
// trees and no blobs, into a directory that is removed again, with one fetch
// for all ranges unless some are longer than expected.
func (c *Client) Histories(ctx context.Context, url string, ranges []Range) ([]History, error) {
	for _, r := range ranges {
		if !gitname.IsObjectID(r.Old) || !gitname.IsObjectID(r.New) {
			return nil, fmt.Errorf("%q..%q is no range of commits", r.Old, r.New)
		}
	}
	if _, err := c.check(url); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "odyssey-history-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b, err := c.bare(dir)
	if err != nil {
		return nil, err
	}
	f := &fetcher{bare: b, url: url, gone: map[string]bool{}}
	ladder := depths()
	for i, depth := range ladder {
		if err := f.fetch(ctx, ranges, depth); err != nil {
			return nil, err
		}
		histories, complete, err := f.read(ctx, ranges)
		if err != nil || complete || i == len(ladder)-1 {
			return histories, err
		}
	}
	return nil, errors.New("no depth to fetch")
}

// fetcher is a bare repository that holds the commits of some ranges.
type fetcher struct {
	*bare
	url  string
	gone map[string]bool // commits that the server does not have
}

// limited runs git so that no file it writes grows beyond 256 MiB: a server
// need not heed what is asked of it.
func (f *fetcher) limited(ctx context.Context, t target, args ...string) ([]byte, error) {
	return f.limitedCommand(ctx, t, args...).output()
}

func (f *fetcher) limitedCommand(ctx context.Context, t target, args ...string) *command {
	script := `ulimit -f 524288 && exec git "$@"` // blocks of 512 bytes
	cmd := f.c.command(ctx, t, "sh", append([]string{"-c", script, "git"}, args...)...)
	cmd.Env = append(append(cmd.Env, "GIT_DIR="+f.dir), f.env...)
	return cmd
}

var notOurRef = regexp.MustCompile(`not our ref ([0-9a-f]{40,64})`)

// fetch brings in depth commits from every end of the ranges. An old commit
// that the server lacks is noted and left out.
func (f *fetcher) fetch(ctx context.Context, ranges []Range, depth int) error {
	for {
		var ends []string
		for _, r := range ranges {
			ends = append(ends, r.Old, r.New)
		}
		slices.Sort(ends)
		ends = slices.DeleteFunc(slices.Compact(ends), func(id string) bool { return f.gone[id] })
		_, err := retry(ctx, f.c, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, f.counted(func() error { return f.fetchOnce(ctx, ends, depth) })
		})
		failed := (*Error)(nil)
		if !errors.As(err, &failed) {
			return err
		}
		missing := notOurRef.FindStringSubmatch(failed.Stderr)
		old := missing != nil && slices.ContainsFunc(ranges, func(r Range) bool { return r.Old == missing[1] })
		if !old || f.gone[missing[1]] {
			return err
		}
		f.gone[missing[1]] = true
	}
}

func (f *fetcher) fetchOnce(ctx context.Context, ends []string, depth int) error {
	t, err := f.c.target(ctx, f.url)
	if err != nil {
		return err
	}
	// By a name: a path is none to a fetch with a filter.
	t.settings = append(t.settings, setting{"remote.upstream.url", t.String()}, setting{"fetch.unpackLimit", "1"}) // a pack can be counted
	args := []string{"fetch", "--quiet", "--no-tags", "--filter=tree:0", "--depth=" + strconv.Itoa(depth), "upstream"}
	_, err = f.limited(ctx, t, append(args, ends...)...)
	return err
}

// read computes the histories from what was fetched, and reports whether all
// of them are exact.
func (f *fetcher) read(ctx context.Context, ranges []Range) (histories []History, complete bool, err error) {
	cut, err := f.shallow()
	if err != nil {
		return nil, false, err
	}
	complete = true
	for _, r := range ranges {
		h, err := f.history(ctx, r, cut)
		if err != nil {
			return nil, false, err
		}
		complete = complete && !h.AtLeast
		histories = append(histories, h)
	}
	return histories, complete, nil
}
