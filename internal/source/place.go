package source

import (
	"bufio"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// place is where a destination goes, and what was written there.
type place struct {
	b     *builder
	dest  string // cleaned path below the source directory
	dir   string // absolute
	state *state // what is known of it; nil when there is none
	// foreign: something is there, and the cache does not know of it.
	foreign bool
}

// state is what is known of a place: kept in the cache, so that nothing of it
// is in the source tree.
type state struct {
	Source, Dest string
	Tree         string
	Commands     []string
	// Dirs are the directory that is put there, and the one that it replaces, for
	// a run that was killed in between.
	Dirs  []identity
	Paths []string // of files, links and directories, sorted
	Stats []stat   // one each
	Files int      // how many are none of the directories
}

// stat tells whether a file is the one that was written. The change time
// cannot be set back. Of a directory it holds mode and owner alone.
type stat struct {
	Mode, UID    uint32
	Ino          uint64
	Size         int64
	Mtime, Ctime int64 // nanoseconds
}

func statOf(info fs.FileInfo) stat {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stat{}
	}
	s := stat{Mode: uint32(info.Mode()), UID: sys.Uid}
	if !info.IsDir() {
		s.Size, s.Mtime, s.Ino, s.Ctime = info.Size(), info.ModTime().UnixNano(), sys.Ino, sys.Ctim.Nano()
	}
	return s
}

// identity tells a directory from any other that stood or will stand in its
// place: numbers of inodes are given out again, times of birth are not.
type identity struct {
	Ino  uint64
	Born int64 // nanoseconds; 0 where the file system does not tell
}

// identify returns a directory's identity; the zero value when there is none.
func identify(dir string) identity {
	var stat unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &stat) != nil {
		return identity{}
	}
	id := identity{Ino: stat.Ino}
	if stat.Mask&unix.STATX_BTIME != 0 {
		id.Born = stat.Btime.Sec*1e9 + int64(stat.Btime.Nsec)
	}
	return id
}

func (b *builder) places() string {
	sum := sha256.Sum256([]byte(b.Source))
	return filepath.Join(b.Store.Dir(), "places", hex.EncodeToString(sum[:8]))
}

// place returns a destination's place. It refuses one that is something else
// already.
func (b *builder) place(d *lock.Destination) (*place, error) {
	p := &place{b: b, dest: d.Clean(), dir: filepath.Join(b.Source, d.Clean())}
	if s := b.records[p.dest]; s != nil && slices.Contains(s.Dirs, identify(p.dir)) {
		p.state = s
	}
	return p, b.checkPlace(p)
}

// early is where the destination's files may be put while they are being fetched;
// nil where something is that only its tree tells whether it can stay.
func (p *place) early(t *staging) git.Sink {
	if p.foreign {
		return nil
	}
	return t
}

// record is the file in the cache that holds the state of a destination.
func (b *builder) record(dest string) string {
	sum := sha256.Sum256([]byte(dest))
	return filepath.Join(b.places(), hex.EncodeToString(sum[:8]))
}

// loadRecords reads what earlier runs have put into the source directory.
func (b *builder) loadRecords() error {
	b.records = map[string]*state{}
	files, err := os.ReadDir(b.places())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		name := filepath.Join(b.places(), f.Name())
		if s := b.load(name); s != nil && b.record(s.Dest) == name {
			b.records[s.Dest] = s
		}
	}
	return err
}

// load reads a record; nil when it is none of this source directory.
func (b *builder) load(record string) *state {
	f, err := os.Open(record)
	if err != nil {
		return nil
	}
	defer f.Close()
	var s state
	if gob.NewDecoder(bufio.NewReaderSize(f, 1<<20)).Decode(&s) != nil || s.Source != b.Source || len(s.Paths) != len(s.Stats) || !filepath.IsLocal(s.Dest) || s.Dest == "." {
		return nil
	}
	return &s
}

func (b *builder) checkPlace(p *place) error {
	for parent := filepath.Dir(p.dest); parent != "."; parent = filepath.Dir(parent) {
		info, err := b.root.Lstat(parent)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is in the way: it is no directory; remove it", filepath.Join(b.Source, parent))
		}
	}
	info, err := b.root.Lstat(p.dest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it is no directory; remove it", p.dir)
	case p.state != nil:
		return nil
	}
	entries, err := os.ReadDir(p.dir)
	p.foreign = len(entries) > 0
	return err
}

// inPlace reports whether the tree is there, untouched, and how many files it
// has.
func (p *place) inPlace(tree string, commands []string) (int, bool) {
	s := p.state
	if s == nil || s.Tree != tree || !slices.Equal(s.Commands, commands) {
		return 0, false
	}
	seen, same := 0, true
	err := filepath.WalkDir(p.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := relative(p.dir, name)
		if e.IsDir() && e.Name() == bytecode {
			if err := p.b.root.RemoveAll(filepath.Join(p.dest, rel)); err != nil {
				return err
			}
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		i, known := slices.BinarySearch(s.Paths, rel)
		if !known || s.Stats[i] != statOf(info) {
			same = false
			return fs.SkipAll
		}
		seen++
		return nil
	})
	return s.Files, err == nil && same && seen == len(s.Paths)
}

// bytecode is the directory that Python leaves behind wherever it runs. It is no
// part of a build, not even where a repository has one.
const bytecode = "__pycache__"

// put moves a directory into place and notes what is in it. What was there
// is gone only when the new one is in its place.
// known are files of it whose state is known.
func (p *place) put(dir, tree string, commands []string, known map[string]stat) error {
	s := &state{Source: p.b.Source, Dest: p.dest, Tree: tree, Commands: commands}
	if err := s.read(dir, known); err != nil {
		return err
	}
	s.Dirs = []identity{identify(dir)}
	if p.state != nil {
		s.Dirs = append(s.Dirs, identify(p.dir))
	}
	if err := p.save(s); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.dir), 0o755); err != nil {
		return err
	}
	old, err := os.MkdirTemp(p.b.staging, "old-")
	if err != nil {
		return err
	}
	moved := filepath.Join(old, "tree")
	if err := os.Rename(p.dir, moved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(dir, p.dir); err != nil {
		return errors.Join(err, os.Rename(moved, p.dir))
	}
	return os.RemoveAll(old)
}

// read notes the files below a directory, and looks at those that are not known.
func (s *state) read(dir string, known map[string]stat) error {
	type file struct {
		path string
		stat stat
	}
	var files []file
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f := file{path: relative(dir, name)}
		if !e.IsDir() {
			s.Files++
		}
		var has bool
		if f.stat, has = known[f.path]; !has {
			info, err := e.Info()
			if err != nil {
				return err
			}
			f.stat = statOf(info)
		}
		files = append(files, f)
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	for _, f := range files {
		s.Paths, s.Stats = append(s.Paths, f.path), append(s.Stats, f.stat)
	}
	return err
}

func (p *place) save(s *state) error {
	record := p.b.record(p.dest)
	if err := os.MkdirAll(filepath.Dir(record), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(record), "new-")
	if err != nil {
		return err
	}
	err = errors.Join(gob.NewEncoder(f).Encode(s), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), record)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// removeGone removes the destinations that an earlier lock had put into the
// source directory and this one has not; of these only those that are in the way
// of others, or all. What is there must be what was put there.
func (b *builder) removeGone(file *lock.File, all bool) error {
	for dest, s := range b.records {
		if file.Find(dest) != nil || !all && !overlaps(file, dest) {
			continue
		}
		ours := slices.Contains(s.Dirs, identify(filepath.Join(b.Source, dest)))
		if err := os.Remove(b.record(dest)); err != nil {
			return err
		}
		delete(b.records, dest)
		if !ours {
			continue
		}
		if err := b.root.RemoveAll(dest); err != nil {
			return err
		}
		for parent := filepath.Dir(dest); parent != "."; parent = filepath.Dir(parent) {
			if b.root.Remove(parent) != nil {
				break // not empty
			}
		}
		b.done("remove", dest, true, time.Now(), "not in the lock any more")
	}
	return nil
}

// overlaps reports whether a destination lies above or below one of a lock.
func overlaps(file *lock.File, dest string) bool {
	return slices.ContainsFunc(file.Destinations, func(d lock.Destination) bool {
		return strings.HasPrefix(d.Clean()+"/", dest+"/") || strings.HasPrefix(dest+"/", d.Clean()+"/")
	})
}

// relative is the path of what lies below a directory; "" for itself.
func relative(dir, name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
}
