package git

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// File reads a file of the tree of a Trial of the tips; nil when the tree has no
// plain file of that path, and an error when it has more than most bytes. The
// servers of the tips are asked for it if need be.
func (r *Rehearsal) File(ctx context.Context, tips []Tip, tree, path string, most int64) ([]byte, error) {
	repo := r.trees
	if r.deep != nil {
		repo = r.deep
	}
	entries, err := repo.s.List(ctx, tree)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Path == path && (e.Mode == ModeFile || e.Mode == ModeExecutable) })
	if i < 0 {
		return nil, nil
	}
	id := []string{entries[i].ID}
	for _, url := range urlsOf(tips) {
		lacking, err := repo.lacking(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(lacking) == 0 {
			break
		}
		if err := repo.fetchFiles(ctx, map[string][]string{url: id}); err != nil && url == tips[len(tips)-1].URL {
			return nil, err
		}
	}
	content := []byte{}
	err = repo.s.Blobs(ctx, id, func(_ int, size int64, file io.Reader) error {
		if size > most {
			return fmt.Errorf("%s has %d bytes; %d are read", path, size, most)
		}
		content, err = io.ReadAll(file)
		return err
	})
	return content, err
}

// Look returns the files of the tree of a Trial of the tips, and of those that
// choose asks for by their ids the contents, if they have most bytes at most. The
// servers of the tips are asked for what is not there.
func (r *Rehearsal) Look(ctx context.Context, tips []Tip, tree string, most int64, choose func(entries []Entry) (ids []string)) ([]Entry, map[string][]byte, error) {
	repo := r.trees
	if r.deep != nil {
		repo = r.deep
	}
	entries, err := repo.s.List(ctx, tree)
	if err != nil {
		return nil, nil, err
	}
	ids := choose(entries)
	if err := r.bringFiles(ctx, repo, tips, ids); err != nil {
		return nil, nil, err
	}
	contents := map[string][]byte{}
	err = repo.s.Blobs(ctx, ids, func(i int, size int64, file io.Reader) error {
		if size > most {
			return nil
		}
		content, err := io.ReadAll(file)
		contents[ids[i]] = content
		return err
	})
	return entries, contents, err
}

// bringFiles fetches files that are not there, each from the server of a tip
// that has it.
func (r *Rehearsal) bringFiles(ctx context.Context, repo *treeRepo, tips []Tip, ids []string) error {
	lacking, err := repo.lacking(ctx, ids)
	if err != nil || len(lacking) == 0 {
		return err
	}
	asked := map[string]bool{}
	for _, id := range lacking {
		asked[id] = true
	}
	wanted := map[string][]string{}
	for _, t := range tips {
		entries, err := repo.s.List(ctx, t.Commit)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if asked[e.ID] {
				asked[e.ID] = false
				wanted[t.URL] = append(wanted[t.URL], e.ID)
			}
		}
	}
	return repo.fetchFiles(ctx, wanted)
}
