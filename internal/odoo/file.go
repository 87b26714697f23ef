// Package odoo is what Odoo is: manifests, addon roots and the addons path,
// and the series of a checkout.
//
// It reads source trees that others wrote. Nothing of them is executed, and no
// symbolic link is followed out of the tree.
package odoo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

const maxFile = pyliteral.MaxSize // bytes of a file that is read

// readFile reads a regular file of tree, of at most maxFile bytes. name is
// relative to tree. Errors about its kind or size are *yamldoc.Error; a
// missing file satisfies errors.Is(fs.ErrNotExist).
func readFile(tree, name string) ([]byte, error) {
	path := filepath.Join(tree, name)
	root, err := os.OpenRoot(tree)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Opening a named pipe would wait for its other end.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, &yamldoc.Error{Path: path, Msg: "cannot be read: " + reason(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &yamldoc.Error{Path: path, Msg: "is not a regular file"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, &yamldoc.Error{Path: path, Msg: fmt.Sprintf("is larger than %d KiB", maxFile>>10)}
	}
	return data, nil
}

// reason is what the system said about a path, without the path.
func reason(err error) string {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}
