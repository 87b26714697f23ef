package archive

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/flate"
)

// maxDirectory bounds a zip's list of entries, in bytes: the whole of it is kept
// in memory. That of an Odoo Enterprise has 15 MB.
const maxDirectory = 32 << 20

// Bits of a zip entry's flags.
const flagEncrypted = 1

// walkZip walks through a zip file.
func (a *Archive) walkZip(w *walker, sum hash.Hash) error {
	if _, err := io.Copy(sum, &interruptible{io.NewSectionReader(a.f, 0, a.info.Size()), w}); err != nil {
		return err
	}
	bounded := &boundedAt{ReaderAt: a.f, left: maxDirectory}
	r, err := zip.NewReader(bounded, a.info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return zipError(err)
	}
	bounded.off = true
	r.RegisterDecompressor(zip.Deflate, flate.NewReader)
	for _, f := range r.File {
		if err := w.zipEntry(f); err != nil {
			return err
		}
	}
	return nil
}

func zipError(err error) error {
	if refused := (*Error)(nil); errors.As(err, &refused) {
		return refused
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{Msg: "the archive is damaged or cut off: " + err.Error() + "; fetch it again"}
}

func (w *walker) zipEntry(f *zip.File) error {
	if err := w.countEntry(f.Name); err != nil {
		return err
	}
	refuse := func(msg string) error { return &Error{f.Name, msg} }
	mode := f.Mode()
	switch {
	case f.Flags&flagEncrypted != 0:
		return refuse("is encrypted")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return refuse(fmt.Sprintf("is compressed by the unusual method %d", f.Method))
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		if !mode.IsDir() || f.UncompressedSize64 != 0 {
			return refuse("is a file with the name of a directory")
		}
		return w.entry(f.Name, Entry{Mode: Dir, ModTime: f.Modified}, strings.NewReader(""))
	case mode.Type() != 0 && mode.Type() != fs.ModeSymlink:
		return refuse("is a device, a pipe or of an unknown kind")
	case mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return refuse("is a file with setuid, setgid or sticky bits")
	case f.UncompressedSize64 > uint64(w.limits.File): //nolint:gosec // no limit is negative
		return refuse(fmt.Sprintf("is larger than %d MiB", w.limits.File>>20))
	}
	content, err := f.Open()
	if err != nil {
		return zipError(err)
	}
	defer content.Close()
	size := int64(f.UncompressedSize64) //nolint:gosec // bounded above
	r := &zipContent{&counter{content, w}}
	e := Entry{Size: size, ModTime: f.Modified}
	switch {
	case mode.Type() == fs.ModeSymlink:
		if size > longestPath {
			return refuse("is a link that leads nowhere")
		}
		target, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		e.Mode, e.Target = Link, string(target)
		return w.entry(f.Name, e, strings.NewReader(e.Target))
	case mode&modeExecutable != 0:
		e.Mode = Executable
	}
	if err := w.entry(f.Name, e, r); err != nil {
		return err
	}
	// What was not read has its size and checksum looked at, too.
	_, err = io.Copy(io.Discard, r)
	return err
}

// zipContent gives the errors of a file's content the words of the archive's. archive/zip
// gives exactly as many bytes as were announced.
type zipContent struct{ io.Reader }

func (c *zipContent) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's io.EOF is never wrapped
		err = zipError(err)
	}
	return n, err
}

// boundedAt fails when too much is read, until it is switched off.
type boundedAt struct {
	io.ReaderAt
	left int64
	off  bool
}

func (b *boundedAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); !b.off && b.left < 0 {
		return 0, &Error{Msg: fmt.Sprintf("the list of the archive's entries has more than %d MiB", maxDirectory>>20)}
	}
	return b.ReaderAt.ReadAt(p, off)
}

// interruptible ends with the walk's context.
type interruptible struct {
	io.Reader
	w *walker
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.w.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
