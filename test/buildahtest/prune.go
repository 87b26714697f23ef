package buildahtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// largest is how many KiB of images and layers are kept for the next time.
	largest = 12 << 20
	// idle is how long a work tree may have used nothing before nothing is kept for it.
	idle = 14 * 24 * time.Hour
	// spare is how old a nameless image may get, which only a later build may take
	// layers of.
	spare = 3 * time.Hour
)

// notes is where a work tree notes which images it uses now: in root, where the
// tree is, and in a file for each kind of image, its name.
func (s *Store) notes() string {
	return filepath.Join(s.dir, "trees", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s.tree))))
}

// Keep has an image, localhost/odyssey-test/KIND:TAG, stay for the next time, in
// place of what was of that kind before. Others go when a process opens the
// storage that nobody else uses.
func (s *Store) Keep(image string) error {
	kind, _, found := strings.Cut(strings.TrimPrefix(image, repository), ":")
	if !found || !strings.HasPrefix(image, repository) || strings.Contains(kind, "/") {
		return fmt.Errorf("%s is not called %sKIND:TAG", image, repository)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(s.notes(), "root"), []byte(s.tree), 0o600),
		os.WriteFile(filepath.Join(s.notes(), kind), []byte(image), 0o600),
	)
}

// kept are the images that some work tree uses. Notes of trees that are gone, or
// that have not been used for long, are removed.
func (s *Store) kept() (map[string]bool, error) {
	all := map[string]bool{}
	dirs, err := filepath.Glob(filepath.Join(s.dir, "trees", "*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, "root"))
		tree, readErr := os.ReadFile(filepath.Join(dir, "root"))
		if errors.Join(err, readErr) == nil {
			_, err = os.Stat(filepath.Join(string(tree), "go.mod"))
		}
		if err != nil || time.Since(info.ModTime()) > idle {
			if err := os.RemoveAll(dir); err != nil {
				return nil, err
			}
			continue
		}
		err = fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path == "root" {
				return err
			}
			image, err := os.ReadFile(filepath.Join(dir, path))
			all[string(image)] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, os.MkdirAll(s.notes(), 0o755)
}

// prune removes, unless somebody uses the storage: what killed processes have
// left, images that no work tree uses any more, and what builds have left
// without a name some time ago. A storage that is too large all the same is
// emptied.
func (s *Store) prune(ctx context.Context) error {
	if err := syscall.Flock(int(s.used.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := s.buildah(ctx, "rm", "--all"); err != nil {
		return err
	}
	if err := errors.Join(s.pruneFiles(ctx), s.pruneNamed(ctx), s.pruneNameless(ctx)); err != nil {
		return err
	}
	out, err := s.Root(ctx, "du", "-skx", s.dir)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(string(out), "\t")
	if n, err := strconv.Atoi(size); err != nil || n < largest {
		return err
	}
	if _, err = s.buildah(ctx, "rmi", "--all", "--force"); err != nil {
		return err
	}
	_, err = s.Root(ctx, "rm", "-rf", filepath.Join(s.dir, "root"), filepath.Join(s.dir, "tmp"))
	return errors.Join(err, os.MkdirAll(filepath.Join(s.dir, "tmp"), 0o755))
}

// pruneFiles removes what buildah has left in its temporary directory, but for
// what builds keep with --mount=type=cache.
func (s *Store) pruneFiles(ctx context.Context) error {
	_, err := s.Root(ctx, "find", filepath.Join(s.dir, "tmp"), "-xdev", "-mindepth", "1", "-maxdepth", "1", "!", "-name", "buildah-cache*", "-exec", "rm", "-rf", "{}", "+")
	return err
}

func (s *Store) pruneNamed(ctx context.Context) error {
	keep, err := s.kept()
	if err != nil {
		return err
	}
	images, err := s.images(ctx)
	if err != nil {
		return err
	}
	var old []string
	for _, image := range images {
		for _, name := range image.Names {
			if !keep[name] {
				old = append(old, name)
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	_, err = s.buildah(ctx, slices.Concat([]string{"rmi", "--force"}, old)...)
	return err
}

// pruneNameless removes images without a name that nothing is made of. Then
// those that they were made of are such images.
func (s *Store) pruneNameless(ctx context.Context) error {
	for {
		images, err := s.images(ctx, "--filter", "dangling=true")
		if err != nil {
			return err
		}
		var old []string
		for _, image := range images {
			if time.Since(time.Unix(image.Created, 0)) > s.spare {
				old = append(old, image.ID)
			}
		}
		if len(old) == 0 {
			return nil
		}
		if _, err := s.buildah(ctx, slices.Concat([]string{"rmi"}, old)...); err != nil {
			return err
		}
	}
}

// stored is an image as buildah lists it.
type stored struct {
	ID      string   `json:"id"`
	Names   []string `json:"names"`
	Created int64    `json:"created"` // in seconds since 1970
}

func (s *Store) images(ctx context.Context, flags ...string) (all []stored, err error) {
	out, err := s.buildah(ctx, slices.Concat([]string{"images", "--json"}, flags)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &all)
	}
	return all, err
}
