// Package local reads a checkout on disk, committed or not, as the drivers of
// forges read a repository. It changes nothing.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/nuobit/odyssey/internal/forge"
)

// Checkout is a directory.
type Checkout struct{ root *os.Root }

// Open opens a directory; Close ends its use.
func Open(dir string) (*Checkout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Checkout{root}, nil
}

// Close releases the directory.
func (c *Checkout) Close() error { return c.root.Close() }

// Snapshot reads files (slash-separated paths below the directory) as they
// are now; Commit stays empty. A path that does not exist is absent. One that
// is no plain file of at most forge.MaxFile bytes, or a symbolic link out of
// the directory, is a *forge.FileError. Links within it are followed.
func (c *Checkout) Snapshot(ctx context.Context, paths []string) (forge.Snapshot, error) {
	snapshot := forge.Snapshot{Files: map[string][]byte{}}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return forge.Snapshot{}, err
		}
		content, err := c.read(path)
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

// Paths lists the plain files of the directory, what git keeps for itself left
// out. Links are not followed.
func (c *Checkout) Paths(ctx context.Context) (paths []string, err error) {
	err = fs.WalkDir(c.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return refusal(path, err)
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case len(paths) == forge.MaxPaths:
			return &forge.FileError{Path: path, Reason: fmt.Sprintf("is one file more than the %d that a repository may have", forge.MaxPaths)}
		case d.Type().IsRegular():
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

// Files is Snapshot, without the commit.
func (c *Checkout) Files(ctx context.Context, paths []string) (map[string][]byte, error) {
	snapshot, err := c.Snapshot(ctx, paths)
	return snapshot.Files, err
}

// read looks before it opens: opening a named pipe would wait for a writer.
func (c *Checkout) read(path string) ([]byte, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, &forge.FileError{Path: path, Reason: "is no path inside the directory"}
	}
	info, err := c.root.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := c.root.Lstat(path); err == nil {
			return nil, &forge.FileError{Path: path, Reason: "is a symbolic link to nothing"}
		}
	}
	if err != nil {
		return nil, refusal(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &forge.FileError{Path: path, Reason: kind(info.Mode())}
	}
	file, err := c.root.Open(path)
	if err != nil {
		return nil, refusal(path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, forge.MaxFile+1))
	switch {
	case err != nil:
		return nil, refusal(path, err)
	case len(content) > forge.MaxFile:
		return nil, &forge.FileError{Path: path, Reason: fmt.Sprintf("is larger than %d MiB", forge.MaxFile>>20)}
	}
	return content, nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "is a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "is a named pipe"
	case mode&fs.ModeSocket != 0:
		return "is a socket"
	case mode&fs.ModeDevice != 0:
		return "is a device"
	}
	return "is no plain file"
}

// refusal turns an error of os.Root into fs.ErrNotExist, also where a file is
// above the path, or a *forge.FileError. The one error of os.Root that is not
// the system's is about a symbolic link that leads out.
func refusal(path string, err error) error {
	var system syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fs.ErrNotExist
	case errors.As(err, &system):
		return &forge.FileError{Path: path, Reason: "cannot be read: " + system.Error()}
	}
	return &forge.FileError{Path: path, Reason: "leads out of the directory"}
}
