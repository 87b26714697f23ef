package git

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"
)

// history computes one History. The counts are exact when all commits on either
// side are younger than any that was fetched without its parents: what is older
// may be an ancestor of such a one, and shared.
func (f *fetcher) history(ctx context.Context, r Range, cut map[string]bool) (History, error) {
	if f.gone[r.Old] {
		commits, err := f.log(ctx, "--max-count=1", r.New)
		return History{Commits: commits, OldGone: true}, err
	}
	var h History
	horizon, err := f.horizon(ctx, r, cut)
	if err != nil {
		return h, err
	}
	authors, seed := map[uint64]bool{}, maphash.MakeSeed()
	err = f.each(ctx, 0, func(record string) {
		mark, record, _ := strings.Cut(record, "\n")
		c := parseCommit(record)
		h.AtLeast = h.AtLeast || c.When.Unix() <= horizon
		if mark != ">" {
			h.Behind++
			return
		}
		h.Ahead++
		authors[maphash.String(seed, c.Author)] = true
		if len(h.Commits) < MaxCommits {
			h.Commits = append(h.Commits, c)
		}
	}, "log", "-z", "--no-mailmap", "--no-show-signature", "--format=%m%n"+fields, "--left-right", r.Old+"..."+r.New, "--")
	if err != nil {
		return h, fmt.Errorf("read the commits %s...%s: %w", r.Old, r.New, err)
	}
	h.Authors = len(authors)
	return h, nil
}

// horizon is the date, in Unix seconds, of the youngest commit below the two
// ends that was fetched without its parents; -1 if there is none.
func (f *fetcher) horizon(ctx context.Context, r Range, cut map[string]bool) (int64, error) {
	youngest := int64(-1)
	if len(cut) == 0 {
		return youngest, nil
	}
	err := f.revisions(ctx, func(line string) {
		seconds, id, _ := strings.Cut(line, " ")
		if when, _ := strconv.ParseInt(seconds, 10, 64); cut[id] {
			youngest = max(youngest, when)
		}
	}, "--max-parents=0", r.Old, r.New)
	return youngest, err
}

// revisions calls yield with "DATE COMMIT" for each commit that git rev-list
// finds, the date in Unix seconds.
func (f *fetcher) revisions(ctx context.Context, yield func(line string), args ...string) error {
	return f.each(ctx, '\n', yield, append([]string{"rev-list", "--timestamp"}, args...)...)
}

// maxRecord is how much is kept of what a stranger wrote in a commit, in bytes.
const maxRecord = 4 << 10

// fields are the lines that log asks of each commit.
const fields = "%H%n%ct%n%an%n%s"

// log reads commits, newest first.
func (f *fetcher) log(ctx context.Context, args ...string) ([]Commit, error) {
	var commits []Commit
	err := f.each(ctx, 0, func(record string) {
		commits = append(commits, parseCommit(record))
	}, append(append([]string{"log", "-z", "--no-mailmap", "--no-show-signature", "--format=" + fields}, args...), "--")...)
	if err != nil {
		return nil, fmt.Errorf("read the commits %s: %w", strings.Join(args, " "), err)
	}
	return commits, nil
}

// parseCommit reads what git prints for fields.
func parseCommit(record string) Commit {
	lines := append(strings.SplitN(record, "\n", 4), "", "", "")
	return Commit{ID: lines[0], When: date(lines[1]), Author: strings.ToValidUTF8(lines[2], "?"), Subject: strings.ToValidUTF8(lines[3], "?")}
}

// date reads Unix seconds. Commits may claim dates that are none: 0 then.
func date(seconds string) time.Time {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > 1<<36 { // the year 4147
		n = 0
	}
	return time.Unix(n, 0).UTC()
}
