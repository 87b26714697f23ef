package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// history computes one History. It is exact when no commit on either side has
// parents that were cut off.
func (f *fetcher) history(ctx context.Context, r Range, cut map[string]bool) (History, error) {
	if f.gone[r.Old] {
		commits, err := f.log(ctx, "--max-count=1", r.New)
		return History{Commits: commits, OldGone: true}, err
	}
	var h History
	out, err := f.git(ctx, nil, "rev-list", "--left-right", r.Old+"..."+r.New)
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(string(out)) {
		side, id := line[0], strings.TrimSpace(line[1:])
		if side == '>' {
			h.Ahead++
		} else {
			h.Behind++
		}
		h.AtLeast = h.AtLeast || cut[id]
	}
	span := r.Old + ".." + r.New
	if h.Commits, err = f.log(ctx, "--max-count="+strconv.Itoa(MaxCommits), span); err != nil {
		return h, err
	}
	names, err := f.git(ctx, nil, "log", "--no-mailmap", "--format=%an", span, "--")
	if err != nil {
		return h, err
	}
	authors := map[string]bool{}
	for name := range strings.Lines(string(names)) {
		authors[name] = true
	}
	h.Authors = len(authors)
	return h, nil
}

// fields are the lines that log asks of each commit.
const fields = "%H%n%an%n%ct%n%s"

func (f *fetcher) log(ctx context.Context, limit, span string) ([]Commit, error) {
	out, err := f.git(ctx, nil, "log", "-z", "--no-mailmap", "--no-show-signature", "--format="+fields, limit, span, "--")
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for record := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if record == "" {
			continue
		}
		lines := strings.SplitN(record, "\n", 4)
		if len(lines) != 4 {
			return nil, fmt.Errorf("git log printed %.100q, which is no commit", record)
		}
		seconds, err := strconv.ParseInt(lines[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("commit %s has no date: %w", lines[0], err)
		}
		commits = append(commits, Commit{
			ID: lines[0], Author: strings.ToValidUTF8(lines[1], "?"),
			When: time.Unix(seconds, 0).UTC(), Subject: strings.ToValidUTF8(lines[3], "?"),
		})
	}
	return commits, nil
}
