package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// kept are packs that this process received, the last ones. What is in them is
// read without git: to begin one takes longer than to write a small repository.
type kept struct {
	mu    sync.Mutex
	packs []*packfile.Pack
}

const (
	keptPacks   = 64
	keptObjects = 400_000 // of all, each of 40 bytes
	keptTrees   = 32 << 20
)

// add keeps a pack, or closes it. Packs that are given up are closed when nobody
// reads from them any more, as the runtime does with files.
func (k *kept) add(pack *packfile.Pack, keep bool) error {
	if !keep {
		return pack.Close()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.packs = append(k.packs, pack)
	objects, trees := 0, 0
	for i := len(k.packs) - 1; i >= 0; i-- {
		objects, trees = objects+k.packs[i].Objects(), trees+k.packs[i].TreeBytes()
		if len(k.packs)-i > keptPacks || objects > keptObjects || trees > keptTrees {
			k.packs = append([]*packfile.Pack{}, k.packs[i+1:]...)
			break
		}
	}
	return nil
}

func (k *kept) close() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pack := range k.packs {
		err = errors.Join(err, pack.Close())
	}
	k.packs = nil
	return err
}

// find returns the newest pack that is as wanted, or nil.
func (k *kept) find(wanted func(*packfile.Pack) bool) *packfile.Pack {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.packs) - 1; i >= 0; i-- {
		if wanted(k.packs[i]) {
			return k.packs[i]
		}
	}
	return nil
}

func (k *kept) treeOf(commit string) (tree string, ok bool) {
	id, err := packfile.ParseID(commit)
	if err != nil {
		return "", false
	}
	k.find(func(p *packfile.Pack) bool {
		var found packfile.ID
		if found, ok = p.TreeOf(id); ok {
			tree = found.String()
		}
		return ok
	})
	return tree, ok
}

// list lists a tree that came in one pack; see Store.List.
func (k *kept) list(tree string) (entries []Entry, ok bool) {
	id, err := packfile.ParseID(tree)
	if err != nil {
		return nil, false
	}
	pack := k.find(func(p *packfile.Pack) bool { return p.Kind(id) == packfile.Tree })
	if pack == nil {
		return nil, false
	}
	size := 0
	ok = pack.Files(id, func(f packfile.File) bool {
		size += len(f.Path)
		entries = append(entries, entryOf(f))
		return len(entries) <= maxEntries && size <= maxListing/4
	})
	return entries, ok
}

// entryOf is a file as the rest of the package knows it.
func entryOf(f packfile.File) Entry {
	e := Entry{Mode: ModeFile, ID: f.ID.String(), Path: f.Path}
	switch f.Mode {
	case 0o100755:
		e.Mode = ModeExecutable
	case 0o120000:
		e.Mode = ModeSymlink
	case 0o160000:
		e.Mode = ModeGitlink
	}
	return e
}

// with returns a pack that has all of the blobs, and their names; nil if there is none.
func (k *kept) with(ids []string) (*packfile.Pack, []packfile.ID) {
	names := make([]packfile.ID, len(ids))
	for i, id := range ids {
		var err error
		if names[i], err = packfile.ParseID(id); err != nil {
			return nil, nil
		}
	}
	pack := k.find(func(p *packfile.Pack) bool {
		for _, name := range names {
			if p.Kind(name) != packfile.Blob {
				return false
			}
		}
		return true
	})
	return pack, names
}

// fromPack is Store.Blobs of a pack that has them all.
func fromPack(ctx context.Context, pack *packfile.Pack, names []packfile.ID, yield func(i int, size int64, content io.Reader) error) error {
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		var failed error
		err := pack.Blob(name, func(size int64, content io.Reader) error {
			failed = yield(i, size, content)
			return failed
		})
		if err != nil && failed == nil {
			return fmt.Errorf("read object %s: %w", name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
