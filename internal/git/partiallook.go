package git

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Look returns the files of each of some commits that are there, in git's order,
// and of those that choose asks for by their ids the contents, if they have most
// bytes at most: longer ones are absent. What is not there of these is fetched,
// all at once.
func (p *Partials) Look(ctx context.Context, url string, commits []string, most int, choose func(listings [][]Entry) (ids []string)) ([][]Entry, map[string][]byte, error) {
	if err := checkIDs(commits...); err != nil {
		return nil, nil, err
	}
	r, done, err := p.of(url)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	listings := make([][]Entry, len(commits))
	contents := map[string][]byte{}
	err = r.view.objects(ctx, func(o *objects) error {
		trees := &trees{o: o, known: map[string][]branch{}}
		for i, commit := range commits {
			if listings[i], err = trees.list(commit); err != nil {
				return fmt.Errorf("list %s: %w", commit, err)
			}
		}
		ids := choose(listings)
		if err := checkIDs(ids...); err != nil {
			return err
		}
		missing, err := o.files(ids, most, contents)
		if err != nil || len(missing) == 0 {
			return err
		}
		if err := r.keep(ctx, missing); err != nil {
			return err
		}
		if missing, err = o.files(missing, most, contents); err == nil && len(missing) > 0 {
			err = fmt.Errorf("%s: the server does not send the file %s", gitname.Redact(r.url), missing[0])
		}
		return err
	})
	return listings, contents, err
}

// objects is a git that prints objects, as long as do runs.
type objects struct {
	in     io.Writer
	out    *bufio.Reader
	asking sync.WaitGroup
}

func (b *bare) objects(ctx context.Context, do func(o *objects) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := b.command(ctx, target{}, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return cmd.failure(err)
	}
	o := &objects{in: in, out: bufio.NewReaderSize(out, 64<<10)}
	broken := do(o)
	ended := errors.Is(broken, errEnded)
	if broken != nil && !ended {
		cancel() // git may wait for its answer to be read
	}
	o.asking.Wait()
	_ = in.Close()
	if err := cmd.Wait(); err != nil && (broken == nil || ended) {
		return cmd.failure(err)
	}
	return broken
}

// object is what git says of one. content has size bytes, and need not be read.
type object struct {
	kind    string // "" when there is none of the name
	size    int64
	content io.Reader
}

// each asks for objects by their names, all at once, and calls yield with one
// after the other.
func (o *objects) each(names []string, yield func(i int, it object) error) error {
	o.asking.Go(func() {
		// Fails when git has ended, which reading tells.
		_, _ = io.WriteString(o.in, strings.Join(names, "\n")+"\n")
	})
	for i := range names {
		head, err := o.out.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read object %s: %w", names[i], errEnded)
		}
		words := strings.Fields(string(head))
		if len(words) == 2 && words[1] == "missing" {
			if err := yield(i, object{}); err != nil {
				return err
			}
			continue
		}
		it := object{}
		if len(words) == 3 {
			it.kind = words[1]
			it.size, err = strconv.ParseInt(words[2], 10, 64)
		}
		if len(words) != 3 || err != nil || it.size < 0 {
			return &notBlobError{names[i], strings.TrimSpace(string(head))}
		}
		left := &io.LimitedReader{R: o.out, N: it.size}
		it.content = left
		if err := yield(i, it); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, o.out, left.N+1); err != nil { // the rest, and the line end
			return fmt.Errorf("read object %s: %w", names[i], errEnded)
		}
	}
	return nil
}

// files reads files of most bytes at most into all, and says which are not there.
func (o *objects) files(ids []string, most int, all map[string][]byte) (missing []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = o.each(ids, func(i int, it object) error {
		switch {
		case it.kind == "":
			missing = append(missing, ids[i])
		case it.kind != "blob":
			return &notBlobError{ids[i], it.kind}
		case it.size <= int64(most):
			data := make([]byte, it.size)
			if _, err := io.ReadFull(it.content, data); err != nil {
				return fmt.Errorf("read object %s: %w", ids[i], errEnded)
			}
			all[ids[i]] = data
		}
		return nil
	})
	return missing, err
}

// branch is an entry of one tree.
type branch struct{ mode, name, id string }

// modeTree is that of a tree in a tree.
const modeTree = "040000"

// trees lists trees, each of which is read once.
type trees struct {
	o     *objects
	known map[string][]branch
	size  int // bytes of what is known
}

// maxLevelsOfTrees is how deep directories may lie in one another, as git has it.
const maxLevelsOfTrees = 2048

// list returns the files of a commit.
func (t *trees) list(commit string) (all []Entry, err error) {
	root := commit + "^{tree}"
	next := []string{root}
	for level := 0; len(next) > 0; level++ {
		if level > maxLevelsOfTrees {
			return nil, errTooLarge
		}
		if next, err = t.read(next); err != nil {
			return nil, err
		}
	}
	listing := listing{trees: t}
	err = listing.add(root, "")
	return listing.entries, err
}

// read reads trees, and returns those in them that are not known yet.
func (t *trees) read(names []string) (next []string, err error) {
	asked := map[string]bool{}
	err = t.o.each(names, func(i int, it object) error {
		if it.kind != "tree" {
			return fmt.Errorf("%s is no tree but %q", names[i], it.kind)
		}
		if t.size += int(min(it.size, maxListing)); t.size > maxListing {
			return errTooLarge
		}
		data, err := io.ReadAll(it.content)
		if err != nil || int64(len(data)) != it.size {
			return fmt.Errorf("read object %s: %w", names[i], errEnded)
		}
		branches, err := parseTree(data)
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		t.known[names[i]] = branches
		for _, b := range branches {
			if _, known := t.known[b.id]; b.mode == modeTree && !known && !asked[b.id] {
				asked[b.id] = true
				next = append(next, b.id)
			}
		}
		return nil
	})
	return next, err
}

// parseTree reads the content of a tree.
func parseTree(data []byte) (all []branch, err error) {
	text := string(data)
	for len(text) > 0 {
		head, rest, ok := strings.Cut(text, "\x00")
		mode, name, spaced := strings.Cut(head, " ")
		number, err := strconv.ParseUint(mode, 8, 32)
		if !ok || !spaced || err != nil || name == "" || len(rest) < 20 {
			return nil, errors.New("a tree that is none")
		}
		all = append(all, branch{modeOf(number), name, hex.EncodeToString([]byte(rest[:20]))})
		text = rest[20:]
	}
	return all, nil
}

// modeOf is what git reads a mode as.
func modeOf(mode uint64) string {
	switch mode & 0o170000 {
	case 0o040000:
		return modeTree
	case 0o120000:
		return ModeSymlink
	case 0o100000:
		if mode&0o100 != 0 {
			return ModeExecutable
		}
		return ModeFile
	}
	return ModeGitlink
}

// listing is a tree with all that is below it, as long as that is not absurdly
// much.
type listing struct {
	*trees
	entries     []Entry
	count, size int
}

func (l *listing) add(tree, prefix string) error {
	for _, b := range l.known[tree] {
		path := prefix + b.name
		if l.count, l.size = l.count+1, l.size+len(path); l.count > 2*maxEntries || len(l.entries) >= maxEntries || l.size > maxListing {
			return errTooLarge
		}
		if b.mode != modeTree {
			l.entries = append(l.entries, Entry{Mode: b.mode, ID: b.id, Path: path})
			continue
		}
		if err := l.add(b.id, path+"/"); err != nil {
			return err
		}
	}
	return nil
}
