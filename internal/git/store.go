package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nuobit/odyssey/internal/git/packfile"
	"github.com/nuobit/odyssey/internal/gitname"
)

// Store is a directory that keeps objects between runs. Its objects are one
// pool for all remotes, so that what a fork shares is kept once. A commit counts as had
// only for the URL it came from: whoever may not read a repository cannot take
// its commits out of the pool either.
//
//	objects/        the pool, a repository's objects directory
//	commits/URL/ID  an empty file: the commit came from the URL with its whole tree
//	trees/KEY       the tree that a sequence of merges gives
//	tmp/            what is being fetched, one directory a process
//
// Several processes may use one store.
type Store struct {
	*bare
	dir       string
	scratch   string // this process's directory in tmp
	lock      *os.File
	depths    []int       // that histories are fetched to, one after the other
	packs     int         // how many the pool may have before Close makes them fewer
	fetched   atomic.Bool // something came into the pool
	inspector inspector
	memory    *packfile.Memory
	kept      kept    // packs of this process
	direct    *direct // nil: git has to ask
	most      int64   // bytes of a file that git may write into a scratch repository; 0: any
}

// OpenStore opens the store in a directory, which it makes if need be, and
// clears away what a process that died has left in it. Close it after use.
func (c *Client) OpenStore(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err == nil && strings.ContainsAny(dir, "\n\x00") {
		err = fmt.Errorf("cache: %q: no name of a directory may have a line end", dir)
	}
	if err != nil {
		return nil, err
	}
	tmp := filepath.Join(dir, "tmp")
	for _, sub := range []string{"commits", "trees", "tmp", "objects/info", "objects/pack"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
	}
	if err := checkOwner(dir); err != nil {
		return nil, err
	}
	if err := sweep(tmp); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	s := &Store{dir: dir, depths: []int{100, 1500, fullDepth}, packs: maxPacks, memory: packfile.NewMemory(), direct: newDirect(c.env, (&net.Dialer{Timeout: 10 * time.Second}).DialContext)}
	if s.scratch, s.lock, err = makeScratch(tmp); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	// Git gets a directory that was made just now, and of the cache its objects
	// alone: a file called config in there could name programs.
	if s.bare, err = c.bare(filepath.Join(s.scratch, "pool")); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	s.env = []string{allocLimit, "GIT_OBJECT_DIRECTORY=" + filepath.Join(dir, "objects")}
	return s, nil
}

// checkOwner refuses a cache that others could put objects and records into.
func checkOwner(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(sys.Uid) != os.Geteuid() || info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("cache: %s belongs to another user or may be written by everybody; name one of your own", dir)
	}
	return nil
}

// allocLimit is the largest file that git may hold in memory, of which it has
// three when it merges.
const allocLimit = "GIT_ALLOC_LIMIT=2g"

// makeScratch makes a directory in tmp and locks it.
func makeScratch(tmp string) (dir string, lock *os.File, err error) {
	for {
		if dir, err = os.MkdirTemp(tmp, "run-"); err != nil {
			return "", nil, err
		}
		if lock, err = lockDir(dir); err == nil {
			return dir, lock, nil
		}
		// A process that was halted for long in between may find it swept away.
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
}

// Close removes what the process kept beside the pool, and tidies the pool when
// it has grown into too many pieces.
func (s *Store) Close() error {
	if s.fetched.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), tidying)
		defer cancel()
		// A pool that stays untidy is slower, and complete.
		_ = s.tidy(ctx)
	}
	s.inspector.mu.Lock()
	defer s.inspector.mu.Unlock()
	s.inspector.stop()
	if s.direct != nil {
		s.direct.idle()
	}
	return errors.Join(s.kept.close(), os.RemoveAll(s.scratch), s.lock.Close())
}

// Dir is the store's directory.
func (s *Store) Dir() string { return s.dir }

// lockDir locks a directory for as long as the file is open.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	// Who had the lock before may have removed the directory under it.
	if _, err := os.Stat(dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// young is the age below which a directory may be one that its process has not
// locked yet.
const young = time.Minute

// sweep removes the directories of processes that ended without doing so.
func sweep(tmp string) error {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < young {
			continue
		}
		dir := filepath.Join(tmp, e.Name())
		f, err := lockDir(dir)
		if err != nil {
			continue // in use, or gone meanwhile
		}
		err = os.RemoveAll(dir)
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// mark is the file that says that a commit came from a URL.
func (s *Store) mark(url, commit string) string {
	return filepath.Join(s.marks(url), commit)
}

func (s *Store) marks(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(s.dir, "commits", hex.EncodeToString(sum[:16]))
}

// Has reports whether a commit of a URL is there with its whole tree.
func (s *Store) Has(url, commit string) bool {
	if !gitname.IsObjectID(commit) {
		return false
	}
	_, err := os.Stat(s.mark(url, commit))
	return err == nil
}

// newest returns up to n commits that came from a URL, the last ones first.
func (s *Store) newest(url string, n int) []string {
	type had struct {
		id   string
		when time.Time
	}
	entries, err := os.ReadDir(s.marks(url))
	if err != nil {
		return nil // none came from there
	}
	var all []had
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, had{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b had) int { return b.when.Compare(a.when) })
	var ids []string
	for _, h := range all[:min(n, len(all))] {
		ids = append(ids, h.id)
	}
	return ids
}

// note writes the marks of commits.
func (s *Store) note(url string, commits []string) error {
	if err := os.MkdirAll(s.marks(url), 0o755); err != nil {
		return err
	}
	for _, id := range commits {
		if err := os.WriteFile(s.mark(url, id), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Recall returns what Remember was given for a key, or "".
func (s *Store) Recall(key string) string {
	data, err := os.ReadFile(s.memo(key))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Remember keeps a line of text under a key.
func (s *Store) Remember(key, value string) error {
	f, err := os.CreateTemp(s.scratch, "memo-")
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	err = errors.Join(err, f.Chmod(0o644), f.Close()) // for other users, as all of the store is
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), s.memo(key))
}

func (s *Store) memo(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.dir, "trees", hex.EncodeToString(sum[:16]))
}

// TreeOf returns the tree of a commit that the store has.
func (s *Store) TreeOf(ctx context.Context, commit string) (string, error) {
	if err := checkIDs(commit); err != nil {
		return "", err
	}
	if tree, ok := s.kept.treeOf(commit); ok {
		return tree, ctx.Err()
	}
	tree, err := s.inspect(ctx, commit+"^{tree}")
	if errors.Is(err, errMissing) {
		return "", fmt.Errorf("no commit %s: %s", commit, damaged(s.dir))
	}
	return tree, err
}

// damaged says what to do when objects are missing that should be there.
func damaged(dir string) string {
	return "the cache " + dir + " is damaged; remove it and build again"
}

// checkIDs refuses what is no object id: git would read it as something else.
func checkIDs(ids ...string) error {
	for _, id := range ids {
		if !gitname.IsObjectID(id) {
			return fmt.Errorf("%q is no object id", id)
		}
	}
	return nil
}
