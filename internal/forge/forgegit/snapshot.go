package forgegit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/nuobit/odyssey/internal/forge"
)

// Snapshot reads files at the newest commit of a branch. A path that does not
// exist is absent from the result; one that is no plain file of at most
// forge.MaxFile bytes is a *forge.FileError. Of a repository without any
// branch the snapshot is empty.
func (r *Remote) Snapshot(ctx context.Context, branch string, paths []string) (forge.Snapshot, error) {
	adv, err := r.refs(ctx, transport.UploadPackServiceName)
	if err != nil {
		return forge.Snapshot{}, err
	}
	snapshot := forge.Snapshot{Files: map[string][]byte{}}
	if len(adv.References) == 0 {
		return snapshot, nil
	}
	at := head(adv, branch)
	if at.IsZero() {
		return forge.Snapshot{}, fmt.Errorf("branch %s: %w", branch, forge.ErrNotFound)
	}
	store, err := r.fetch(ctx, adv, at)
	if err != nil {
		return forge.Snapshot{}, err
	}
	root, err := rootOf(store, at)
	if err != nil {
		return forge.Snapshot{}, err
	}
	snapshot.Commit = at.String()
	for _, path := range paths {
		content, err := read(store, root, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return forge.Snapshot{}, err
		default:
			snapshot.Files[path] = content
		}
	}
	return snapshot, nil
}

func rootOf(store *objects, commit plumbing.Hash) (*object.Tree, error) {
	c, err := object.GetCommit(store, commit)
	if err != nil {
		return nil, garbled("read commit "+commit.String(), err)
	}
	tree, err := object.GetTree(store, c.TreeHash)
	if err != nil {
		return nil, garbled("read the tree of "+commit.String(), err)
	}
	return tree, nil
}

// read returns a file's content, fs.ErrNotExist, or a *forge.FileError.
func read(store *objects, tree *object.Tree, path string) ([]byte, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, &forge.FileError{Path: path, Reason: "is no path inside a repository"}
	}
	dirs := strings.Split(path, "/")
	for _, name := range dirs[:len(dirs)-1] {
		entry, ok := find(tree, name)
		switch {
		case !ok || entry.Mode.IsRegular() || entry.Mode == filemode.Executable:
			return nil, fs.ErrNotExist
		case entry.Mode != filemode.Dir:
			return nil, &forge.FileError{Path: path, Reason: "is below what " + kind(entry.Mode)}
		}
		var err error
		if tree, err = object.GetTree(store, entry.Hash); err != nil {
			return nil, garbled("read a directory above "+path, err)
		}
	}
	entry, ok := find(tree, dirs[len(dirs)-1])
	if !ok {
		return nil, fs.ErrNotExist
	}
	if reason := kind(entry.Mode); reason != "" {
		return nil, &forge.FileError{Path: path, Reason: reason}
	}
	return blob(store, path, entry.Hash)
}

// blob reads a file's content. A file that is not in the store was left out
// by the server because of its size.
func blob(store *objects, path string, hash plumbing.Hash) ([]byte, error) {
	tooLarge := &forge.FileError{Path: path, Reason: fmt.Sprintf("is larger than %d MiB", forge.MaxFile>>20)}
	b, err := object.GetBlob(store, hash)
	switch {
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return nil, tooLarge
	case err != nil:
		return nil, garbled("read "+path, err)
	case b.Size > forge.MaxFile:
		return nil, tooLarge
	}
	content, err := b.Reader()
	if err != nil {
		return nil, garbled("read "+path, err)
	}
	defer content.Close()
	return io.ReadAll(content)
}

func find(tree *object.Tree, name string) (object.TreeEntry, bool) {
	for _, entry := range tree.Entries {
		if entry.Name == name {
			return entry, true
		}
	}
	return object.TreeEntry{}, false
}

// kind says what an entry is instead of a plain file; "" for a plain file.
func kind(mode filemode.FileMode) string {
	switch mode {
	case filemode.Dir:
		return "is a directory"
	case filemode.Symlink:
		return "is a symbolic link"
	case filemode.Submodule:
		return "is a submodule"
	case filemode.Regular, filemode.Deprecated, filemode.Executable:
		return ""
	}
	return "has the unknown mode " + mode.String()
}
