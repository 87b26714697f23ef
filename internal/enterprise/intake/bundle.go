package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
)

// kept is the bundle in the directory.
type kept struct {
	path   string
	SHA256 string
}

// obtain returns the bundle with a SHA-256 if it was kept, and else what the
// portal has now, which takes its place.
func (in *Intake) obtain(ctx context.Context, want string) (kept, error) {
	dir := in.path("bundle")
	if want != "" {
		if found, err := find(dir, want); found.path != "" || err != nil {
			return found, err
		}
	}
	client, err := portal.New(in.Portal)
	if err != nil {
		return kept{}, err
	}
	defer client.Close()
	if err := client.Check(ctx); err != nil {
		return kept{}, err
	}
	// What was there before makes room first: a bundle is large.
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return kept{}, err
	}
	check := func(ctx context.Context, path string) error { return archive.Check(ctx, path, in.Limits) }
	file, err := client.Download(ctx, portal.Target{Dir: dir, Check: check})
	if err != nil {
		return kept{}, err
	}
	return kept{filepath.Join(dir, file.Name), file.SHA256}, nil
}

// find looks for a bundle with a SHA-256.
func find(dir, want string) (kept, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		sum, err := sumOf(path)
		if err != nil {
			return kept{}, err
		}
		if sum == want {
			return kept{path, sum}, nil
		}
	}
	return kept{}, nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
