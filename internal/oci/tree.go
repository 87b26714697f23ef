package oci

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Tree is what goes into a layer: a directory, or files given as they are. Of the
// file system only names, contents, links and the owner's execute bit count:
// everything belongs to root, is 0644 or 0755, and carries a time that is made of its
// content. A time that never changed would have Odoo serve asset bundles of the
// former release: it tells by name and time whether a file is another.
type Tree struct {
	// Prefix is the directory in the image, such as "opt/odoo/src/odoo".
	Prefix string
	// Dirs is how many directories of the prefix, counted from its end, are
	// in the layer; the base has the others.
	Dirs int
	// Dir is a directory on this machine. Empty: Files are meant.
	Dir string
	// Files are contents by path below the prefix.
	Files map[string][]byte
	// Check looks at each file, link and directory below Dir before it is
	// read, by its path relative to Dir with slashes. It says whether to leave it out, with all that
	// is in it. Nil: everything stays.
	Check func(name string, e fs.DirEntry) (skip bool, err error)
	// Content looks at the first bytes of each regular file, 4 KiB at most, and
	// may leave it out, too. Nil: everything stays.
	Content func(name string, head []byte) (skip bool, err error)
}

// epoch is the time of directories and links, 2000-01-01T00:00:00Z; files are up to
// 17 years younger.
const epoch = 946684800

// timeOf makes a time of the checksum of a file's content.
func timeOf(sum uint32) int64 { return epoch + int64(sum&(1<<29-1)) }

// headSize is how many bytes of a file Content sees.
const headSize = 4 << 10

// whiteout is how the names of files begin that take away what lower layers have.
const whiteout = ".wh."

// smallFile is the size in bytes up to which a file is read once, into memory.
const smallFile = 1 << 20

// write writes the tree as a tar archive.
func (t *Tree) write(ctx context.Context, w io.Writer) error {
	p := &treeWriter{tree: t, tar: &tarWriter{w: w}, buffer: make([]byte, smallFile)}
	names := strings.Split(t.Prefix, "/")
	for i := len(names) - t.Dirs + 1; i <= len(names); i++ {
		if err := p.dir(strings.Join(names[:i], "/")); err != nil {
			return err
		}
	}
	var err error
	if t.Dir == "" {
		err = p.given()
	} else {
		err = p.walk(ctx)
	}
	if err != nil {
		return err
	}
	return p.tar.close()
}

type treeWriter struct {
	tree   *Tree
	tar    *tarWriter
	root   *os.Root
	buffer []byte
}

func (p *treeWriter) dir(name string) error {
	return p.tar.header(tarEntry{name: name + "/", mode: 0o755, time: epoch, kind: tarDir})
}

// given writes files that are in memory.
func (p *treeWriter) given() error {
	var names []string
	for name := range p.tree.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := p.content(name, 0o644, p.tree.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (p *treeWriter) walk(ctx context.Context) error {
	root, err := os.OpenRoot(p.tree.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	p.root = root
	return p.below(ctx, ".")
}

// below writes what is in a directory, sorted by name.
func (p *treeWriter) below(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(p.root.FS(), dir)
	if err != nil {
		return p.vanished(err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if p.tree.Check != nil {
			skip, err := p.tree.Check(name, e)
			if err != nil {
				return err
			}
			if skip {
				continue
			}
		}
		if err := p.entry(ctx, name, e); err != nil {
			return err
		}
	}
	return nil
}

func (p *treeWriter) entry(ctx context.Context, name string, e fs.DirEntry) error {
	full := p.tree.Prefix + "/" + name
	if strings.HasPrefix(e.Name(), whiteout) {
		return invalid("%s has a name that stands in images for a file that is removed; no image can have it", path.Join(p.tree.Dir, name))
	}
	switch {
	case e.IsDir():
		if err := p.dir(full); err != nil {
			return err
		}
		return p.below(ctx, name)
	case e.Type() == fs.ModeSymlink:
		target, err := p.root.Readlink(name)
		if err != nil {
			return p.vanished(err)
		}
		return p.tar.header(tarEntry{name: full, mode: 0o777, time: epoch, link: target, kind: tarSymlink})
	case e.Type().IsRegular():
		return p.file(name)
	}
	return fmt.Errorf("%s is neither a file nor a directory nor a link; an image cannot have it", path.Join(p.tree.Dir, name))
}

// file writes a regular file. A link that was put in its place meanwhile is not
// followed.
func (p *treeWriter) file(name string) error {
	f, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return p.vanished(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return p.changed(name)
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if info.Size() < int64(len(p.buffer)) {
		n, err := io.ReadFull(f, p.buffer)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if int64(n) != info.Size() {
			return p.changed(name)
		}
		return p.content(name, mode, p.buffer[:n])
	}
	return p.large(name, mode, f, info.Size())
}

// content writes a file that is in memory.
func (p *treeWriter) content(name string, mode int64, data []byte) error {
	if skip, err := p.look(name, data); err != nil || skip {
		return err
	}
	err := p.tar.header(tarEntry{name: p.tree.Prefix + "/" + name, mode: mode, size: int64(len(data)), time: timeOf(crc32.ChecksumIEEE(data)), kind: tarFile})
	if err == nil && len(data) > 0 {
		_, err = p.tar.Write(data)
	}
	return err
}

func (p *treeWriter) look(name string, data []byte) (skip bool, err error) {
	if p.tree.Content == nil {
		return false, nil
	}
	return p.tree.Content(name, data[:min(headSize, len(data))])
}

// large writes a file that is not held in memory: it is read for its checksum first.
func (p *treeWriter) large(name string, mode int64, f *os.File, size int64) error {
	head := make([]byte, headSize)
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	if skip, err := p.look(name, head); err != nil || skip {
		return err
	}
	sum := crc32.NewIEEE()
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(f, 0, size), p.buffer); err != nil {
		return err
	}
	err := p.tar.header(tarEntry{name: p.tree.Prefix + "/" + name, mode: mode, size: size, time: timeOf(sum.Sum32()), kind: tarFile})
	if err != nil {
		return err
	}
	again := crc32.NewIEEE()
	n, err := io.CopyBuffer(io.MultiWriter(p.tar, again), io.NewSectionReader(f, 0, size), p.buffer)
	if err != nil {
		return err
	}
	if n != size || again.Sum32() != sum.Sum32() {
		return p.changed(name)
	}
	return nil
}

func (p *treeWriter) changed(name string) error {
	return fmt.Errorf("%w: %s; build again, and pack when nothing else is at work there", ErrChanged, path.Join(p.tree.Dir, name))
}

// vanished makes a changed tree of a file that is not there any more.
func (p *treeWriter) vanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}
