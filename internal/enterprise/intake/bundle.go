package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
)

// kept is the bundle in the directory.
type kept struct {
	path   string
	SHA256 string
}

// lately is how old a bundle may be that is taken again when nobody asks for a
// fresh one: the portal makes one a day.
const lately = 12 * time.Hour

// obtain returns the bundle that a request means, if it was kept, and else what
// the portal has now, which takes its place.
func (in *Intake) obtain(ctx context.Context, r Request) (kept, error) {
	dir := in.path("bundle")
	now := time.Now
	if in.Now != nil {
		now = in.Now
	}
	found, when, err := find(dir)
	if err != nil {
		return kept{}, err
	}
	if found.path != "" && (found.SHA256 == r.Bundle || !r.Fresh && now().Sub(when).Abs() < lately) {
		return found, nil
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
	if err := makeRoom(dir); err != nil {
		return kept{}, err
	}
	check := func(ctx context.Context, path string) error { return archive.Check(ctx, path, in.Limits) }
	file, err := client.Download(ctx, portal.Target{Dir: dir, Check: check})
	if err != nil {
		return kept{}, err
	}
	return kept{filepath.Join(dir, file.Name), file.SHA256}, nil
}

// find returns the bundle that was kept, if one was, and when it came.
func find(dir string) (found kept, when time.Time, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return found, when, nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // half of one
			continue
		}
		info, err := e.Info()
		if err != nil {
			return found, when, err
		}
		path := filepath.Join(dir, e.Name())
		sum, err := sumOf(path)
		return kept{path, sum}, info.ModTime(), err
	}
	return found, when, err
}

// makeRoom makes a directory that is empty but for half a bundle, with which the next
// download goes on.
func makeRoom(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
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
