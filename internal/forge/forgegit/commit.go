package forgegit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nuobit/odyssey/internal/forge"
)

// Validate refuses a change that would make a malformed commit: what git's
// object format has no escape for, and names that mean something to git. A
// path that is refused is a *forge.FileError.
func Validate(c forge.Change) error {
	for _, branch := range []string{c.Base, c.Branch} {
		if err := plumbing.NewBranchReferenceName(branch).Validate(); err != nil {
			return fmt.Errorf("branch %q: %w", branch, err)
		}
	}
	switch {
	case !plumbing.IsHash(c.BaseHead):
		return fmt.Errorf("the base head %q is no commit", c.BaseHead)
	case c.Lease != "" && !plumbing.IsHash(c.Lease):
		return fmt.Errorf("the lease %q is no commit", c.Lease)
	case len(c.Files) == 0:
		return errors.New("a change without files")
	case strings.ContainsAny(c.By.Name+c.By.Email, "<>\n\x00") || c.By.Name == "" || c.By.Email == "":
		return fmt.Errorf("%q <%q> cannot be a commit's author", c.By.Name, c.By.Email)
	case strings.ContainsRune(c.Message, 0):
		return errors.New("the commit message holds a NUL")
	}
	for path := range c.Files {
		inGit := slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return strings.EqualFold(s, ".git") })
		if !fs.ValidPath(path) || path == "." || inGit || strings.ContainsAny(path, "\\\x00") {
			return &forge.FileError{Path: path, Reason: "is no path inside a repository"}
		}
	}
	return nil
}

// pack makes the change's commit and packs what the server lacks of it.
func pack(store *objects, c forge.Change) (plumbing.Hash, []byte, error) {
	root, err := rootOf(store, plumbing.NewHash(c.BaseHead))
	if err != nil {
		return plumbing.ZeroHash, nil, err
	}
	w := writer{store: store}
	tree, err := w.tree(root, "", c.Files)
	if err != nil {
		return plumbing.ZeroHash, nil, err
	}
	by := object.Signature{Name: c.By.Name, Email: c.By.Email, When: c.When.UTC()}
	commit, err := w.add(&object.Commit{
		Author: by, Committer: by, Message: c.Message,
		TreeHash: tree, ParentHashes: []plumbing.Hash{plumbing.NewHash(c.BaseHead)},
	})
	if err != nil {
		return plumbing.ZeroHash, nil, err
	}
	var out bytes.Buffer
	const noDeltas = 0
	if _, err := packfile.NewEncoder(&out, store, false).Encode(w.added, noDeltas); err != nil {
		return plumbing.ZeroHash, nil, fmt.Errorf("pack the commit: %w", err)
	}
	return commit, out.Bytes(), nil
}

// writer stores objects and remembers which.
type writer struct {
	store *objects
	added []plumbing.Hash
}

// tree returns base (nil for an empty one) with the files, given relative to
// it, put in. Modes of files that exist are kept.
func (w *writer) tree(base *object.Tree, dir string, files map[string][]byte) (plumbing.Hash, error) {
	entries := map[string]object.TreeEntry{}
	if base != nil {
		for _, entry := range base.Entries {
			entries[entry.Name] = entry
		}
	}
	below := map[string]map[string][]byte{}
	for path, content := range files {
		if name, rest, nested := strings.Cut(path, "/"); nested {
			if below[name] == nil {
				below[name] = map[string][]byte{}
			}
			below[name][rest] = content
			continue
		}
		entry, err := w.file(entries[path], dir+path, content)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entry.Name = path
		entries[path] = entry
	}
	for name, files := range below {
		hash, err := w.subtree(entries[name], dir+name, files)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: hash}
	}
	tree := &object.Tree{Entries: slices.Collect(maps.Values(entries))}
	sort.Sort(object.TreeEntrySorter(tree.Entries))
	return w.add(tree)
}

func (w *writer) file(old object.TreeEntry, path string, content []byte) (object.TreeEntry, error) {
	mode := filemode.Regular
	if old.Name != "" {
		if reason := kind(old.Mode); reason != "" {
			return object.TreeEntry{}, &forge.FileError{Path: path, Reason: reason}
		}
		mode = old.Mode
	}
	blob := w.store.NewEncodedObject()
	blob.SetType(plumbing.BlobObject)
	to, err := blob.Writer()
	if err != nil {
		return object.TreeEntry{}, err
	}
	if _, err := to.Write(content); err != nil {
		return object.TreeEntry{}, err
	}
	hash, err := w.keep(blob)
	return object.TreeEntry{Mode: mode, Hash: hash}, err
}

func (w *writer) subtree(old object.TreeEntry, dir string, files map[string][]byte) (plumbing.Hash, error) {
	if old.Name == "" {
		return w.tree(nil, dir+"/", files)
	}
	if old.Mode != filemode.Dir {
		return plumbing.ZeroHash, &forge.FileError{Path: dir, Reason: "is no directory"}
	}
	base, err := object.GetTree(w.store, old.Hash)
	if err != nil {
		return plumbing.ZeroHash, garbled("read the directory "+dir, err)
	}
	return w.tree(base, dir+"/", files)
}

// add stores a tree or a commit.
func (w *writer) add(o interface {
	Encode(plumbing.EncodedObject) error
},
) (plumbing.Hash, error) {
	encoded := w.store.NewEncodedObject()
	if err := o.Encode(encoded); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("encode an object: %w", err)
	}
	return w.keep(encoded)
}

func (w *writer) keep(o plumbing.EncodedObject) (plumbing.Hash, error) {
	hash, err := w.store.SetEncodedObject(o)
	if err == nil && !slices.Contains(w.added, hash) {
		w.added = append(w.added, hash)
	}
	return hash, err
}
