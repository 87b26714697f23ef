// Package local reads a checkout on disk as if it were a repository on a
// forge, for commands that need no forge.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/nuobit/odyssey/internal/forge"
)

// maxFile is how large a file may be, in bytes.
const maxFile = 2 << 20

// Checkout is a directory with a repository's files.
type Checkout struct{ root *os.Root }

// Open opens the directory.
func Open(dir string) (*Checkout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Checkout{root}, nil
}

// Close releases the directory.
func (c *Checkout) Close() error { return c.root.Close() }

// Snapshot reads those of paths that exist, as they are in the working tree.
// A symbolic link is followed inside the directory and refused beyond it.
func (c *Checkout) Snapshot(ctx context.Context, paths []string) (forge.Snapshot, error) {
	snapshot := forge.Snapshot{Files: map[string][]byte{}}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return forge.Snapshot{}, err
		}
		data, err := c.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return forge.Snapshot{}, err
		}
		snapshot.Files[path] = data
	}
	return snapshot, nil
}

func (c *Checkout) read(path string) ([]byte, error) {
	info, err := c.root.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: is larger than %d MiB", path, maxFile>>20)
	}
	file, err := c.root.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile))
}
