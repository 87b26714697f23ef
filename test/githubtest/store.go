package githubtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/nuobit/odyssey/internal/forge"
)

// store holds git's objects. A repository and its forks share one.
type store struct{ *memory.Storage }

func newStore() store { return store{memory.NewStorage()} }

// entry is a file for a tree, or one to be taken out of it.
type entry struct {
	mode filemode.FileMode
	hash plumbing.Hash // zero: take it out
}

// blob stores a file's content.
func (s store) blob(content []byte) plumbing.Hash {
	o := s.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w := must(o.Writer())
	must(w.Write(content))
	return must(s.SetEncodedObject(o))
}

// content reads a file.
func (s store) content(hash plumbing.Hash) ([]byte, error) {
	blob, err := object.GetBlob(s, hash)
	if err != nil {
		return nil, err
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// tree returns a tree (zero: none) with files, by path, put in.
func (s store) tree(base plumbing.Hash, files map[string]entry) plumbing.Hash {
	entries := map[string]object.TreeEntry{}
	if !base.IsZero() {
		for _, e := range must(object.GetTree(s, base)).Entries {
			entries[e.Name] = e
		}
	}
	below := map[string]map[string]entry{}
	for path, file := range files {
		name, rest, nested := strings.Cut(path, "/")
		switch {
		case nested:
			if below[name] == nil {
				below[name] = map[string]entry{}
			}
			below[name][rest] = file
		case file.hash.IsZero():
			delete(entries, name)
		default:
			entries[name] = object.TreeEntry{Name: name, Mode: file.mode, Hash: file.hash}
		}
	}
	for name, files := range below {
		var base plumbing.Hash
		if entries[name].Mode == filemode.Dir {
			base = entries[name].Hash
		}
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: s.tree(base, files)}
	}
	made := &object.Tree{Entries: slices.Collect(maps.Values(entries))}
	sort.Sort(object.TreeEntrySorter(made.Entries))
	return s.add(made)
}

// files lists a tree with all below it.
func (s store) files(tree plumbing.Hash) map[string]entry {
	all := map[string]entry{}
	var walk func(plumbing.Hash, string)
	walk = func(tree plumbing.Hash, dir string) {
		for _, e := range must(object.GetTree(s, tree)).Entries {
			if e.Mode == filemode.Dir {
				walk(e.Hash, dir+e.Name+"/")
				continue
			}
			all[dir+e.Name] = entry{e.Mode, e.Hash}
		}
	}
	walk(tree, "")
	return all
}

// add stores a tree or a commit.
func (s store) add(o interface {
	Encode(plumbing.EncodedObject) error
},
) plumbing.Hash {
	encoded := s.NewEncodedObject()
	if err := o.Encode(encoded); err != nil {
		panic(err)
	}
	return must(s.SetEncodedObject(encoded))
}

func (s store) commit(hash plumbing.Hash) *object.Commit { return must(object.GetCommit(s, hash)) }

// has returns whether there is a commit.
func (s store) has(hash plumbing.Hash) bool {
	_, err := object.GetCommit(s, hash)
	return err == nil
}

// isAncestor reports whether one commit is among those before another, or it.
func (s store) isAncestor(old, young plumbing.Hash) bool {
	return must(s.commit(old).IsAncestor(s.commit(young)))
}

func sign(by forge.Identity, when time.Time) object.Signature {
	return object.Signature{Name: by.Name, Email: by.Email, When: when.UTC().Truncate(time.Second)}
}

// must is for what cannot fail in memory, on what was checked before.
func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Errorf("the fake's store: %w", err))
	}
	return value
}
