package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/test/aggregator"
	"github.com/nuobit/odyssey/test/gitserver"
)

// jobs is how many repositories the peer treats at once; ours decides itself.
const jobs = "4"

// programs are what is compared, and what makes the locks.
type programs struct{ peer, ours, lock string }

func findPrograms(ctx context.Context, dir string) (programs, error) {
	peer, err := aggregator.Path()
	if err != nil {
		return programs{}, err
	}
	ours, err := buildProgram(ctx, dir, "odoo-build-image")
	if err != nil {
		return programs{}, err
	}
	lock, err := buildProgram(ctx, dir, "odyssey-bot")
	return programs{peer: peer, ours: ours, lock: lock}, err
}

// scene is a server, a lock of its repositories, and a directory for each of
// the two programs at each start: peer-N with the work trees in it, ours-N with
// src and cache.
type scene struct {
	programs
	dir     string
	server  *gitserver.Server
	entries []entry
	start   int  // how often both have begun with nothing
	built   bool // both have made the trees at least once
}

// entry is a destination of the lock, with merges of one repository.
type entry struct {
	destination, repo string
	refs              []string
}

func newScene(dir string, p programs) (*scene, error) {
	s := &scene{programs: p, dir: dir}
	for _, sub := range []string{"server", "lock"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	err := s.afresh()
	if err != nil {
		return nil, err
	}
	s.server, err = gitserver.Start(filepath.Join(dir, "server"))
	return s, err
}

// writeLock locks the entries as they are now and gives the lock to both. They
// have a target, as those of the README; git-aggregator then makes a filtered
// clone, and takes longer than without.
func (s *scene) writeLock(ctx context.Context) error {
	var repos strings.Builder
	for _, e := range s.entries {
		fmt.Fprintf(&repos, "./%s:\n  remotes:\n    up: %s/%s.git\n  target: up 17.0\n  merges:\n", e.destination, s.server.URL, e.repo)
		for _, ref := range e.refs {
			fmt.Fprintf(&repos, "    - up %s\n", ref)
		}
	}
	dir := filepath.Join(s.dir, "lock")
	if err := os.WriteFile(filepath.Join(dir, "repos.yaml"), []byte(repos.String()), 0o600); err != nil {
		return err
	}
	if _, err := measure(ctx, dir, s.lock, "lock-repos", "--quiet"); err != nil {
		return err
	}
	return nil
}

// locked is the file that both are given.
func (s *scene) locked() string { return filepath.Join(s.dir, "lock", "repos.lock.yaml") }

func (s *scene) runPeer(ctx context.Context) (usage, error) {
	return measure(ctx, s.of("peer"), s.peer, "-c", s.locked(), "-j", jobs, "aggregate")
}

func (s *scene) runOurs(ctx context.Context) (usage, error) {
	return measure(ctx, s.of("ours"), s.ours, "materialize", s.locked(), "src", "--cache", s.cache(), "--quiet")
}

// of is the directory of one of the two programs.
func (s *scene) of(who string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%d", who, s.start))
}

func (s *scene) cache() string { return filepath.Join(s.of("ours"), "cache") }

// afresh gives both a new directory. The old ones stay until the end: ext4 is
// slow to give out the inodes of files that were just removed.
func (s *scene) afresh() error {
	s.start++
	return errors.Join(os.Mkdir(s.of("peer"), 0o755), os.Mkdir(s.of("ours"), 0o755))
}

// race runs both in turn and returns what each took. before is called ahead
// of each round, which begins with 1.
func (s *scene) race(ctx context.Context, rounds int, before func(round int) error) (peers, ours []usage, err error) {
	for round := range rounds {
		if err := before(round + 1); err != nil {
			return nil, nil, err
		}
		p, err := s.runPeer(ctx)
		if err != nil {
			return nil, nil, err
		}
		o, err := s.runOurs(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.built = true
		peers, ours = append(peers, p), append(ours, o)
	}
	return peers, ours, nil
}

// same compares what both have made, byte by byte.
func (s *scene) same() error {
	for _, e := range s.entries {
		peer, err := listTree(filepath.Join(s.of("peer"), e.destination))
		if err != nil {
			return err
		}
		ours, err := listTree(filepath.Join(s.of("ours"), "src", e.destination))
		if err != nil {
			return err
		}
		for name := range ours {
			if _, there := peer[name]; !there {
				return fmt.Errorf("%s/%s is of ours only", e.destination, name)
			}
		}
		for name, theirs := range peer {
			if err := sameFile(theirs, ours[name]); err != nil {
				return fmt.Errorf("%s/%s: %w", e.destination, name, err)
			}
		}
	}
	return nil
}

// treeFile is a file on disk.
type treeFile struct {
	path string
	mode fs.FileMode // its type, and whether it is executable
}

// listTree returns the files below a directory by their relative names,
// without git's.
func listTree(dir string) (map[string]treeFile, error) {
	files := map[string]treeFile{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = treeFile{path: path, mode: info.Mode() & (fs.ModeType | 0o100)}
		return err
	})
	return files, err
}

func sameFile(a, b treeFile) error {
	if b.path == "" {
		return errors.New("is missing")
	}
	if a.mode != b.mode {
		return fmt.Errorf("has mode %v, not %v", b.mode, a.mode)
	}
	x, err := os.ReadFile(a.path)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return errors.New("differs")
	}
	return nil
}
