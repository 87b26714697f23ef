package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nuobit/odyssey/internal/refresh"
)

// directory keeps what may be forgotten in files, for runs that have no store.
type directory struct{ dir string }

// maxRemembered is how long a file is that counts, in bytes.
const maxRemembered = 1 << 20

// openMemory makes the directory; without a name it is in the user's cache
// directory. There may be none, which is no fault: then nothing is remembered.
func openMemory(dir string, environ []string) (refresh.Memory, error) {
	named := dir != ""
	if !named {
		home := cacheHome(environ)
		if home == "" {
			return nil, nil //nolint:nilnil // no directory, no memory
		}
		dir = filepath.Join(home, "odyssey", "state")
	}
	err := os.MkdirAll(dir, 0o700)
	switch {
	case err != nil && named:
		return nil, fmt.Errorf("--state: %w", err)
	case err != nil:
		return nil, nil //nolint:nilnil // as above
	}
	return directory{dir}, nil
}

// cacheHome is the user's cache directory, "" when there is none.
func cacheHome(environ []string) string {
	home := ""
	for _, kv := range environ {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case "XDG_CACHE_HOME":
			if filepath.IsAbs(value) {
				return value
			}
		case "HOME":
			if filepath.IsAbs(value) {
				home = filepath.Join(value, ".cache")
			}
		}
	}
	return home
}

func (d directory) file(bucket, key string) string {
	sum := sha256.Sum256([]byte(bucket + "\x00" + key))
	return filepath.Join(d.dir, hex.EncodeToString(sum[:16])+".json")
}

// Put implements refresh.Memory.
func (d directory) Put(_ context.Context, bucket, key string, value []byte) error {
	return renameio.WriteFile(d.file(bucket, key), value, 0o600)
}

// Get implements refresh.Memory.
func (d directory) Get(_ context.Context, bucket, key string) ([]byte, error) {
	info, err := os.Stat(d.file(bucket, key))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxRemembered) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(d.file(bucket, key))
}
