package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Bounds of a merge whose files are fetched.
const (
	maxFiles   = 5000 // that both sides changed
	filesAsked = 500  // by one fetch: they are words of a command
)

// changed is a file that one side of a merge has otherwise than the base.
type changed struct{ old, new string } // ids; of zeros where there is none

// bringFiles fetches the files that both sides changed, each from where it is
// known to be. Of others, git needs only some that it takes for renamed.
func (w *treeRepo) bringFiles(ctx context.Context, m merging) error {
	ours, err := w.diff(ctx, m.bases[0], m.tree)
	if err != nil {
		return err
	}
	theirs, err := w.diff(ctx, m.bases[0], m.theirs.Commit)
	if err != nil {
		return err
	}
	wanted, count := map[string][]string{}, 0
	for path, there := range theirs {
		here, both := ours[path]
		if !both || here == there {
			continue
		}
		url := m.theirs.URL
		wanted[url] = append(wanted[url], there.old, there.new)
		url = w.from(here.new, m)
		wanted[url] = append(wanted[url], here.new)
		count++
	}
	for _, there := range theirs {
		w.origin[there.new] = m.theirs.URL
	}
	if count > maxFiles {
		return fmt.Errorf("both sides changed %d files, more than %d", count, maxFiles)
	}
	return w.fetchFiles(ctx, wanted)
}

// diff lists the files that differ between two trees, by their paths. What is
// no file counts for nothing.
func (w *treeRepo) diff(ctx context.Context, before, after string) (map[string]changed, error) {
	all := map[string]changed{}
	var record, broken string
	err := w.q.each(ctx, 0, func(piece string) {
		if record == "" {
			record = piece
			return
		}
		words := strings.Fields(strings.TrimPrefix(record, ":"))
		switch record = ""; {
		case len(words) != 5 || !gitname.IsObjectID(words[2]) || !gitname.IsObjectID(words[3]):
			broken = piece
		case words[0] != ModeGitlink && words[1] != ModeGitlink:
			all[piece] = changed{words[2], words[3]}
		}
	}, "diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", before+"^{tree}", after+"^{tree}")
	if broken != "" {
		return nil, fmt.Errorf("git says %.200q", broken)
	}
	return all, err
}

// fetchFiles fetches those of the wanted that are not there, by URL.
func (w *treeRepo) fetchFiles(ctx context.Context, wanted map[string][]string) error {
	for url, ids := range wanted {
		slices.Sort(ids)
		ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return strings.Trim(id, "0") == "" })
		lacking, err := w.lacking(ctx, ids)
		if err != nil {
			return err
		}
		if kept := w.keeps(url); kept != nil && len(lacking) > 0 {
			if err := kept.keep(ctx, lacking); err != nil {
				return err
			}
			continue
		}
		for some := range slices.Chunk(lacking, filesAsked) {
			if err := w.ask(ctx, url, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// keeps is where files of a URL are kept; nil: nowhere.
func (w *treeRepo) keeps(url string) *partial {
	if w.joined == nil {
		return nil
	}
	for _, r := range w.joined.all {
		if r.url == url {
			return r
		}
	}
	return nil
}

// keep fetches files by their ids.
func (r *partial) keep(ctx context.Context, ids []string) error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	return r.fetch(ctx, lacked{ids: ids})
}

// ask fetches files by their ids. The server is not told what there is: it would
// take it that no file of a commit is missing.
func (w *treeRepo) ask(ctx context.Context, url string, ids []string) error {
	c := *w.q.c
	c.settings = append(slices.Clone(c.settings), setting{"fetch.negotiationAlgorithm", "noop"})
	repo := *w.q.bare
	repo.c = &c
	return (&quarantine{bare: &repo}).fetch(ctx, url, ids, func(string) {}, "--filter=blob:none")
}

// lacking returns those of ids that the repository does not have.
func (w *treeRepo) lacking(ctx context.Context, ids []string) (lacking []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// A fetch notes there that what is missing can be had, and git then refuses to
	// say that it is missing.
	if err := os.Remove(filepath.Join(w.q.dir, "config")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cmd := w.q.command(ctx, target{}, "cat-file", "--batch-check")
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	cmd.Stdout = &splitter{end: '\n', most: 200, yield: func(line string) {
		if id, what, _ := strings.Cut(line, " "); what == "missing" {
			lacking = append(lacking, id)
		}
	}}
	return lacking, cmd.run()
}
