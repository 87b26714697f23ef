package source

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's objects are named by it
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
)

// adopt takes over a directory of which the cache knows nothing, if it holds
// just what the tree has: the cache is a new one, or the directory was copied.
func (b *builder) adopt(ctx context.Context, p *place, tree string) error {
	entries, err := b.Store.List(ctx, tree)
	if err != nil {
		return err
	}
	want := make(map[string]git.Entry, len(entries))
	for _, e := range withoutBytecode(entries) {
		want[e.Path] = e
	}
	err = filepath.WalkDir(p.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel := relative(p.dir, name)
		entry, known := want[rel]
		delete(want, rel)
		if !known || !b.isEntry(filepath.Join(p.dest, rel), e, entry) {
			return errOther
		}
		return nil
	})
	if err == nil && len(want) > 0 {
		err = errOther
	}
	if err != nil {
		return fmt.Errorf("%s is there, and %w; it is not overwritten: remove it, or name another source directory", p.dir, err)
	}
	s := &state{Source: b.Source, Dest: p.dest, Tree: tree, Dirs: []identity{identify(p.dir)}}
	if err := s.read(p.dir, nil); err != nil {
		return err
	}
	p.state = s
	return p.save(s)
}

// errOther: a directory holds something else than the tree.
var errOther = fmt.Errorf("holds other files than the lock gives, and no build with this cache has made it")

// isEntry reports whether a file below the source directory is an entry of a
// tree: its kind, its mode and its content.
func (b *builder) isEntry(name string, e fs.DirEntry, entry git.Entry) bool {
	info, err := e.Info()
	if err != nil {
		return false
	}
	if entry.Mode == git.ModeSymlink {
		target, err := b.root.Readlink(name)
		return err == nil && blobID(strings.NewReader(target), int64(len(target))) == entry.ID
	}
	mode := os.FileMode(0o644)
	if executable(entry.Mode) {
		mode = 0o755
	}
	if !info.Mode().IsRegular() || info.Mode().Perm() != mode {
		return false
	}
	f, err := b.root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return blobID(f, info.Size()) == entry.ID
}

// blobID is the id that git gives to a file with a content of so many bytes.
func blobID(content io.Reader, size int64) string {
	sum := sha1.New() //nolint:gosec // git's objects are named by it
	fmt.Fprintf(sum, "blob %d\x00", size)
	if _, err := io.Copy(sum, content); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
