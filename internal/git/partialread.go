package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Entries returns the files of a commit or tree that is there, in git's order.
func (p *Partials) Entries(ctx context.Context, url, tree string) ([]Entry, error) {
	r, done, err := p.of(url)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.view.entries(ctx, tree)
}

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
	f := &fetcher{bare: r.view, url: url}
	commits, err := f.log(ctx, "--no-merges", "--max-count="+strconv.Itoa(MaxTouches), span.Old+".."+span.New)
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	touches, at := make([]Touch, len(commits)), map[string]int{}
	var ids strings.Builder
	for i, c := range commits {
		touches[i].Commit, at[c.ID] = c, i
		ids.WriteString(c.ID + "\n")
	}
	// Raw records: a path can then not be taken for a commit.
	var current *Touch
	isPath := false
	err = r.view.records(ctx, func(record string) error {
		i, isCommit := at[record]
		switch {
		case isPath && current != nil:
			current.Paths = append(current.Paths, record)
			isPath = false
		case strings.HasPrefix(record, ":"):
			isPath = true
		case isCommit:
			current = &touches[i]
		default:
			return fmt.Errorf("git says %.200q", record)
		}
		return nil
	}, strings.NewReader(ids.String()), "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames")
	switch {
	case errors.Is(err, errTooLarge) && current != nil:
		return touches[:at[current.ID]], nil // the newest say enough
	case err != nil:
		return nil, fmt.Errorf("read what the commits %s..%s change: %w", span.Old, span.New, err)
	}
	return touches, nil
}

// Files returns files by their ids, each of most bytes at most: longer ones are
// absent. Those that are not there are fetched, all at once.
func (p *Partials) Files(ctx context.Context, url string, ids []string, most int) (map[string][]byte, error) {
	if err := checkIDs(ids...); err != nil {
		return nil, err
	}
	r, done, err := p.of(url)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.files(ctx, ids, most)
}

func (r *partial) files(ctx context.Context, ids []string, most int) (map[string][]byte, error) {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	all, missing, err := r.view.blobs(ctx, ids, most)
	if err != nil || len(missing) == 0 {
		return all, err
	}
	if err := r.fetch(ctx, lacked{ids: missing}); err != nil {
		return nil, err
	}
	rest, missing, err := r.view.blobs(ctx, missing, most)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%s: the server does not send the file %s", gitname.Redact(r.url), missing[0])
	}
	for id, data := range rest {
		all[id] = data
	}
	return all, err
}

// blobs reads files, and says which are not there.
func (b *bare) blobs(ctx context.Context, ids []string, most int) (all map[string][]byte, missing []string, err error) {
	all = map[string][]byte{}
	if len(ids) == 0 {
		return all, nil, nil
	}
	cmd := b.command(ctx, target{}, "cat-file", "--batch", "--buffer")
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, cmd.failure(err)
	}
	broken := readFiles(bufio.NewReader(out), ids, most, func(id string, data []byte, there bool) {
		switch {
		case !there:
			missing = append(missing, id)
		case data != nil:
			all[id] = data
		}
	})
	if broken != nil {
		_ = cmd.Cancel()
	}
	if err := cmd.Wait(); err != nil && (broken == nil || errors.Is(broken, errEnded)) {
		return nil, nil, cmd.failure(err)
	}
	return all, missing, broken
}

// readFiles reads what cat-file --batch prints, in the order of ids.
func readFiles(r *bufio.Reader, ids []string, most int, yield func(id string, data []byte, there bool)) error {
	for _, id := range ids {
		head, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read object %s: %w", id, errEnded)
		}
		words := strings.Fields(string(head))
		if len(words) == 2 && words[1] == "missing" {
			yield(id, nil, false)
			continue
		}
		if len(words) != 3 || words[1] != "blob" {
			return &notBlobError{id, strings.TrimSpace(string(head))}
		}
		size, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || size < 0 {
			return &notBlobError{id, strings.TrimSpace(string(head))}
		}
		var data []byte
		if size <= int64(most) {
			data = make([]byte, size)
			if _, err := io.ReadFull(r, data); err != nil {
				return fmt.Errorf("read object %s: %w", id, errEnded)
			}
			size = 0
		}
		if _, err := io.CopyN(io.Discard, r, size+1); err != nil { // the rest, and the line end
			return fmt.Errorf("read object %s: %w", id, errEnded)
		}
		yield(id, data, true)
	}
	return nil
}
