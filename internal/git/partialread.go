package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Entries returns the files of a commit or tree, in git's order.
func (j *Joined) Entries(ctx context.Context, tree string) ([]Entry, error) {
	return j.entries(ctx, tree)
}

func (b *bare) entries(ctx context.Context, tree string) ([]Entry, error) {
	if err := checkIDs(tree); err != nil {
		return nil, err
	}
	var all []Entry
	err := b.records(ctx, func(record string) error {
		e, err := parseEntry(record)
		all = append(all, e)
		return err
	}, nil, "ls-tree", "-r", "-z", "--full-tree", tree)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", tree, err)
	}
	return all, nil
}

// records calls yield with each piece up to a NUL that git prints, as long as
// there are not absurdly many.
func (b *bare) records(ctx context.Context, yield func(record string) error, stdin io.Reader, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var broken error
	count, size := 0, 0
	cmd := b.command(ctx, target{}, args...)
	cmd.Stdin = stdin
	cmd.Stdout = &splitter{end: 0, most: maxListing, yield: func(record string) {
		count, size = count+1, size+len(record)
		if broken == nil && (count > maxEntries || size > maxListing) {
			broken = errTooLarge
		}
		if broken == nil {
			broken = yield(record)
		}
		if broken != nil {
			cancel()
		}
	}}
	if err := cmd.run(); broken == nil {
		broken = err
	}
	return broken
}

// Touch is a commit and the files that it changed, by their paths, against its
// parent. Merges are none, nor are commits without parents.
type Touch struct {
	Commit
	Paths []string
}

// MaxTouches is how many commits of a range Touches reads.
const MaxTouches = 5000

// Touches returns the newest commits of a range that is there, newest first, and
// what each of them changed.
func (p *Partials) Touches(ctx context.Context, url string, span Range) ([]Touch, error) {
	if err := checkIDs(span.Old, span.New); err != nil {
		return nil, err
	}
	r, done, err := p.of(url)
	if err != nil {
		return nil, err
	}
	defer done()
	t := &touching{}
	err = r.view.records(ctx, t.take, nil, "-c", "log.showRoot=false", "log", "-z", "--raw", "--no-renames", "--no-mailmap", "--no-show-signature",
		"--no-merges", "--max-count="+strconv.Itoa(MaxTouches), "--format="+fields, span.Old+".."+span.New, "--")
	switch {
	case errors.Is(err, errTooLarge) && len(t.all) > 0:
		return t.all[:len(t.all)-1], nil // the newest say enough
	case err != nil:
		return nil, fmt.Errorf("read what the commits %s..%s change: %w", span.Old, span.New, err)
	}
	return t.all, nil
}

// touching reads what git log -z --raw prints: a commit, and for each file that it
// changes a record that begins with a colon, and the path.
type touching struct {
	all    []Touch
	isPath bool
}

func (t *touching) take(record string) error {
	head := strings.TrimPrefix(record, "\n") // which comes ahead of the first file
	switch {
	case t.isPath:
		last := &t.all[len(t.all)-1]
		last.Paths, t.isPath = append(last.Paths, record), false
	case strings.HasPrefix(head, ":") && len(t.all) > 0:
		t.isPath = true
	default:
		c := parseCommit(strings.Clone(record[:min(len(record), maxRecord)]))
		if err := checkIDs(c.ID); err != nil {
			return fmt.Errorf("git says %.200q", record)
		}
		t.all = append(t.all, Touch{Commit: c})
	}
	return nil
}
