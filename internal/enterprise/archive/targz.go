package archive

import (
	"archive/tar"
	"context"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/pgzip"
)

// Bits of a tar header's mode.
const (
	modeExecutable = 0o100
	modeSpecial    = 0o7000 // setuid, setgid, sticky
)

// walkTarGz walks through a tar.gz file.
func (a *Archive) walkTarGz(w *walker, sum hash.Hash) error {
	file := io.TeeReader(io.NewSectionReader(a.f, 0, a.info.Size()), sum)
	// One block in use and one ahead, of 1 MiB.
	unzipped, err := pgzip.NewReaderN(file, 1<<20, 2)
	if err != nil {
		return tarError(err)
	}
	defer unzipped.Close()
	counted := &counter{unzipped, w}
	r := tar.NewReader(counted)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return tarError(err)
		}
		if err := w.tarEntry(header, r); err != nil {
			return err
		}
	}
	return checkEnd(counted)
}

// tarError is what a reader found wrong, unless it was stopped by a limit.
func tarError(err error) error {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Msg: "the archive is cut off; fetch it again"}
	}
	return &Error{Msg: "the archive is damaged: " + err.Error()}
}

func (w *walker) tarEntry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // git archive writes one, with a comment
	}
	if err := w.countEntry(h.Name); err != nil {
		return err
	}
	refuse := func(msg string) error { return &Error{h.Name, msg} }
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return refuse("is a sparse file")
		}
	}
	e := Entry{Size: h.Size, ModTime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeReg:
		if strings.HasSuffix(h.Name, "/") {
			return refuse("is a file with the name of a directory")
		}
		if h.Mode&modeSpecial != 0 {
			return refuse("is a file with setuid, setgid or sticky bits")
		}
		if h.Mode&modeExecutable != 0 {
			e.Mode = Executable
		}
	case tar.TypeDir:
		e.Mode, e.Size, r = Dir, 0, strings.NewReader("")
	case tar.TypeSymlink:
		e.Mode, e.Target, e.Size, r = Link, h.Linkname, int64(len(h.Linkname)), strings.NewReader(h.Linkname)
	case tar.TypeLink:
		return refuse("is a hard link")
	case tar.TypeGNUSparse:
		return refuse("is a sparse file")
	default:
		return refuse("is a device, a pipe or of an unknown kind")
	}
	return w.entry(h.Name, e, &tarContent{r})
}

// tarContent gives the errors of a file's content the words of the archive's.
type tarContent struct{ io.Reader }

func (c *tarContent) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's io.EOF is never wrapped
		err = tarError(err)
	}
	return n, err
}

// counter counts what is unpacked.
type counter struct {
	io.Reader
	w *walker
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if over := c.w.count(int64(n)); over != nil {
		return 0, over
	}
	return n, err
}

// checkEnd reads what follows the last entry, which also has the checksum of
// the whole looked at: there is nothing but zeros.
func checkEnd(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return &Error{Msg: "the archive goes on after its end"}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return tarError(err)
		}
	}
}
