package github

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// What GitHub calls the modes of a tree's entries.
const (
	modePlain      = "100644"
	modeExecutable = "100755"
	modeGroup      = "100664" // of old repositories
	modeLink       = "120000"
	modeDirectory  = "040000"
	modeSubmodule  = "160000"
)

const notInside = "is no path inside a repository"

// tree is the files of one commit. It is not for several goroutines.
type tree struct {
	client *sdk.Client
	repo   forge.Name
	root   string                      // object id of a commit or tree
	known  map[string][]*sdk.TreeEntry // of directories by object id
}

func newTree(client *sdk.Client, repo forge.Name, root string) *tree {
	return &tree{client: client, repo: repo, root: root, known: map[string][]*sdk.TreeEntry{}}
}

// entries lists a directory.
func (t *tree) entries(ctx context.Context, id string) ([]*sdk.TreeEntry, error) {
	if known, ok := t.known[id]; ok {
		return known, nil
	}
	const recursive = false
	got, resp, err := t.client.Git.GetTree(ctx, t.repo.Owner, t.repo.Name, id, recursive)
	switch err := answer(resp, err); {
	case err != nil:
		return nil, err
	case got.GetTruncated():
		return nil, fmt.Errorf("a directory of %s holds more than GitHub lists", t.repo)
	}
	t.known[id] = got.Entries
	return got.Entries, nil
}

// Paths lists the plain files of a commit or branch, sorted as git sorts them:
// one call, two for a branch. One with more than forge.MaxPaths entries, or
// more than GitHub lists, is an error.
func (f *Forge) Paths(ctx context.Context, repo forge.Repo, ref string) ([]string, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	doing := "list the files of " + ref
	at, err := commitOf(ctx, client, repo, ref)
	if err != nil {
		return nil, failed(repo.Name, doing, err)
	}
	const recursive = true
	got, resp, err := client.Git.GetTree(ctx, repo.Owner, repo.Name.Name, at, recursive)
	switch err := answer(resp, err); {
	case err != nil:
		return nil, failed(repo.Name, doing, err)
	case got.GetTruncated() || len(got.Entries) > forge.MaxPaths:
		return nil, failed(repo.Name, doing, fmt.Errorf("it has more than %d files and directories", forge.MaxPaths))
	}
	var paths []string
	for _, e := range got.Entries {
		if kind(e) == "" {
			paths = append(paths, e.GetPath())
		}
	}
	return paths, nil
}

// entry returns what is at a path, nil where there is nothing. above is the
// path's first part that exists and is no directory, if any: then entry is
// what that is.
func (t *tree) entry(ctx context.Context, path string) (entry *sdk.TreeEntry, above string, err error) {
	id := t.root
	parts := strings.Split(path, "/")
	for i, name := range parts {
		entries, err := t.entries(ctx, id)
		if err != nil {
			return nil, "", err
		}
		entry := find(entries, name)
		switch {
		case entry == nil || i == len(parts)-1:
			return entry, "", nil
		case entry.GetMode() != modeDirectory:
			return entry, strings.Join(parts[:i+1], "/"), nil
		}
		id = entry.GetSHA()
	}
	return nil, "", nil
}

func find(entries []*sdk.TreeEntry, name string) *sdk.TreeEntry {
	for _, e := range entries {
		if e.GetPath() == name {
			return e
		}
	}
	return nil
}

// kind says what an entry is instead of a plain file; "" for a plain file.
func kind(e *sdk.TreeEntry) string {
	switch e.GetMode() {
	case modePlain, modeExecutable, modeGroup:
		return ""
	case modeDirectory:
		return "is a directory"
	case modeLink:
		return "is a symbolic link"
	case modeSubmodule:
		return "is a submodule"
	}
	return "has the unknown mode " + e.GetMode()
}

// read returns a file's content, fs.ErrNotExist, or a *forge.FileError.
func (t *tree) read(ctx context.Context, path string) ([]byte, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, &forge.FileError{Path: path, Reason: notInside}
	}
	entry, above, err := t.entry(ctx, path)
	switch {
	case err != nil:
		return nil, err
	case entry == nil:
		return nil, fs.ErrNotExist
	}
	reason := kind(entry)
	switch {
	case above != "" && reason == "":
		return nil, fs.ErrNotExist
	case above != "":
		return nil, &forge.FileError{Path: path, Reason: "is below what " + reason}
	case reason != "":
		return nil, &forge.FileError{Path: path, Reason: reason}
	}
	return t.blob(ctx, path, entry)
}

func (t *tree) blob(ctx context.Context, path string, entry *sdk.TreeEntry) ([]byte, error) {
	if entry.GetSize() > forge.MaxFile {
		return nil, &forge.FileError{Path: path, Reason: fmt.Sprintf("is larger than %d MiB", forge.MaxFile>>20)}
	}
	got, resp, err := t.client.Git.GetBlob(ctx, t.repo.Owner, t.repo.Name, entry.GetSHA())
	if err := answer(resp, err); err != nil {
		return nil, err
	}
	if got.GetEncoding() != "base64" {
		return nil, fmt.Errorf("%w: %s comes in the encoding %q", forge.ErrTransient, path, got.GetEncoding())
	}
	content, err := base64.StdEncoding.DecodeString(got.GetContent())
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", forge.ErrTransient, path, err)
	}
	return content, nil
}
