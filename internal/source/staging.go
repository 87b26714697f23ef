package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nuobit/odyssey/internal/git"
)

// staging is a directory that the files of a destination are written to, beside
// the source tree. It is a git.Sink: files can be put there while the commit is
// being fetched. What that does not manage, for whatever reason, is done when all is there:
// the faults of a tree are told then, and by one hand.
type staging struct {
	parent string // of the directories
	dir    string // "" as long as there is none
	bytes  atomic.Int64
	failed atomic.Bool // to take something while it was being fetched

	mu      sync.Mutex
	dirs    map[string]bool // that were made
	written map[string]stat // files that are complete
}

// Begin makes a new directory, and removes the one before.
func (t *staging) Begin() error {
	if err := t.remove(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(t.parent, "tree-")
	if err != nil {
		return err
	}
	t.dir, t.dirs, t.written = dir, map[string]bool{".": true}, map[string]stat{}
	t.bytes.Store(0)
	t.failed.Store(false)
	return os.Chmod(dir, 0o755)
}

func (t *staging) remove() error {
	if t.dir == "" {
		return nil
	}
	return os.RemoveAll(t.dir)
}

// Put writes a file that has just come. Links are left for later: no file is
// ever written through one.
func (t *staging) Put(e git.Entry, content []byte) error {
	if e.Mode == git.ModeSymlink || isBytecode(e) {
		return nil
	}
	err := t.put(e, content)
	if err != nil {
		t.failed.Store(true)
	}
	return err
}

func (t *staging) put(e git.Entry, content []byte) error {
	if err := checkEntries([]git.Entry{e}); err != nil {
		return err
	}
	if path.Base(e.Path) == ".gitattributes" && git.Converts(map[string][]byte{e.Path: content}) {
		return errConverts
	}
	if err := t.mkdir(path.Dir(e.Path)); err != nil {
		return err
	}
	return t.write(e, int64(len(content)), whole(content))
}

// errConverts: git has to write the tree.
var errConverts = errors.New("the attributes ask for other contents than the repository has")

// rest begins, if need be, with a directory that is empty, and returns the files
// that are not in it.
func (t *staging) rest(files []git.Entry, anew bool) ([]git.Entry, error) {
	if t.dir == "" || anew || t.failed.Load() {
		if err := t.Begin(); err != nil {
			return nil, err
		}
	}
	if len(t.written) == 0 {
		return files, nil
	}
	var rest []git.Entry
	for _, f := range files {
		if _, there := t.written[f.Path]; !there {
			rest = append(rest, f)
		}
	}
	return rest, nil
}

// mkdir makes a directory and those that it is in. One that is there as something
// else, or twice, is an error of the tree.
func (t *staging) mkdir(dir string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mkdirLocked(dir)
}

func (t *staging) mkdirLocked(dir string) error {
	if t.dirs[dir] {
		return nil
	}
	if err := t.mkdirLocked(path.Dir(dir)); err != nil {
		return err
	}
	t.dirs[dir] = true
	return os.Mkdir(filepath.Join(t.dir, dir), 0o755)
}

// makeDirs makes the directories of all entries.
func (t *staging) makeDirs(entries []git.Entry) error {
	for _, e := range entries {
		if err := t.mkdir(path.Dir(e.Path)); err != nil {
			return err
		}
	}
	return nil
}

// maxBytes is the most that the files of a destination may have: a small
// repository can hold a large file under a thousand names.
const maxBytes = 32 << 30

// write writes a regular file, whose directory is there.
func (t *staging) write(e git.Entry, size int64, content iter.Seq2[[]byte, error]) error {
	if t.bytes.Add(size) > maxBytes {
		return fmt.Errorf("its files have more than %s", Size(maxBytes))
	}
	mode := os.FileMode(0o644)
	if executable(e.Mode) {
		mode = 0o755
	}
	state, err := writeFile(filepath.Join(t.dir, e.Path), mode, size, content)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written[e.Path] = state
	return nil
}

// executable reads a mode as git does: only the owner's bit counts.
func executable(mode string) bool {
	return strings.HasPrefix(mode, "100") && strings.IndexByte("1357", mode[3]) >= 0
}

const (
	lfsPointer = "version https://git-lfs.github.com/spec/"
	maxPointer = 1024 // bytes that a pointer has less than
)

// checkPointer refuses the content of a small file that stands for a large one.
func checkPointer(name string, content []byte) error {
	if !bytes.HasPrefix(content, []byte(lfsPointer)) {
		return nil
	}
	return fmt.Errorf("%s is a Git LFS pointer, and LFS is not supported\n  commit the file itself, or fetch it in the image build", printable(filepath.Base(name)))
}

// writeFile writes a file and returns what it is then.
func writeFile(name string, mode os.FileMode, size int64, content iter.Seq2[[]byte, error]) (stat, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return stat{}, err
	}
	for piece, failed := range content {
		if err = failed; err == nil && size < maxPointer {
			err = checkPointer(name, piece)
		}
		if err == nil {
			_, err = f.Write(piece)
		}
		if err != nil {
			break
		}
	}
	info, failed := f.Stat()
	if err := errors.Join(err, failed, f.Close()); err != nil {
		return stat{}, err
	}
	return statOf(info), nil
}

// whole is content that is in memory.
func whole(content []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if len(content) > 0 {
			yield(content, nil)
		}
	}
}

// pieces is content that is read through a buffer, which is larger than a
// pointer.
func pieces(content io.Reader, size int64, buffer []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for size > 0 {
			n, err := io.ReadFull(content, buffer[:min(size, int64(len(buffer)))])
			size -= int64(n)
			if !yield(buffer[:n], err) || err != nil {
				return
			}
		}
	}
}
