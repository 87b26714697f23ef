package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxPacks is how many packs the pool has before they are made fewer. Git
	// looks into each of them for an object that it lacks.
	maxPacks = 100
	// maxLoose is how many objects may lie in files of their own, as merges
	// write them.
	maxLoose = 5000
	// tidying bounds the time that a process spends on it.
	tidying = 2 * time.Minute
	// abandoned is the age beyond which a half-written file is nobody's.
	abandoned = time.Hour
)

// tidy makes fewer packs of the pool's many. Everything that is in it stays:
// nothing in the pool is reachable from a ref. One process does it at a time;
// others may read and write meanwhile.
func (s *Store) tidy(ctx context.Context) error {
	packs, err := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "pack-*.idx"))
	if err != nil || len(packs) <= s.packs && s.loose() <= maxLoose {
		return err
	}
	lock, err := lockDir(filepath.Join(s.dir, "objects"))
	if err != nil {
		return err // another process is at it
	}
	defer lock.Close()
	if err := s.sweepPool(); err != nil {
		return err
	}
	// The deltas that servers made are kept as they are: no new ones are looked
	// for, which would take minutes.
	_, err = s.git(ctx, target{}, "repack", "-q", "-d", "-n", "--geometric=2", "--window=0")
	return err
}

// loose estimates how many objects lie in files of their own, by a sixteenth of
// them.
func (s *Store) loose() (n int) {
	for _, dir := range strings.Split("00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff", " ") {
		entries, err := os.ReadDir(filepath.Join(s.dir, "objects", dir))
		if err == nil {
			n += len(entries) * 16
		}
	}
	return n
}

// sweepPool removes what processes that were killed have left of packs and
// objects, half-written.
func (s *Store) sweepPool() error {
	objects := filepath.Join(s.dir, "objects")
	// Only one process packs at a time, and this is it.
	all, err := filepath.Glob(filepath.Join(objects, "pack", ".tmp-*"))
	if err != nil {
		return err
	}
	for _, pattern := range []string{"pack/pack-*.pack", "pack/pack-*.rev", "pack/tmp_*", "[0-9a-f][0-9a-f]/tmp_obj_*"} {
		found, err := filepath.Glob(filepath.Join(objects, pattern))
		if err != nil {
			return err
		}
		for _, file := range found {
			info, err := os.Stat(file)
			if err != nil || time.Since(info.ModTime()) < abandoned {
				continue
			}
			index := strings.TrimSuffix(file, filepath.Ext(file)) + ".idx"
			if _, err := os.Stat(index); errors.Is(err, os.ErrNotExist) {
				all = append(all, file)
			}
		}
	}
	for _, file := range all {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
