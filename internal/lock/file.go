package lock

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// WriteFile replaces the file at path with data by renaming, keeps its mode,
// and follows a symbolic link. It returns false, and touches nothing, when
// the file holds data already.
func WriteFile(path string, data []byte) (written bool, err error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target = path
	} else if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return false, fmt.Errorf("write %s: it is there, and is no regular file", path)
	}
	if now, err := os.ReadFile(target); err == nil && bytes.Equal(now, data) {
		return false, nil
	}
	err = renameio.WriteFile(target, data, 0o644, renameio.WithExistingPermissions())
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	return true, nil
}
