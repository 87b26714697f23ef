package packfile

import (
	"crypto/sha1" //nolint:gosec // the checksum of a pack, which guards against accidents
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/zlib"
)

// source is a pack that comes in. What is read of it is written to the file
// first.
type source struct {
	inflater
	window window
	in     io.Reader
	file   *os.File
	stored int64 // bytes in the file
	done   int   // bytes of the window that are in the checksums
	sum    hash.Hash
	crc    uint32
	broken error // in reading from in, or in writing to the file
	zip    zipped
}

const (
	windowSize = 256 << 10
	pieceSize  = 16 << 10 // of what is read again
)

func newSource(in io.Reader, file *os.File) *source {
	s := &source{in: in, file: file, sum: sha1.New()} //nolint:gosec // as above
	s.window = window{in: storing{s}, buf: make([]byte, windowSize), dropped: func(p []byte) {
		s.digest(len(p))
		s.done -= len(p)
	}}
	s.inflater.window = &s.window
	return s
}

// storing is what the source's window reads from.
type storing struct{ s *source }

func (r storing) Read(p []byte) (int, error) {
	s := r.s
	n, err := s.in.Read(p)
	if _, failed := s.file.Write(p[:n]); failed != nil {
		s.broken = failed
		return 0, failed
	}
	s.stored += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.broken = err
	}
	return n, err
}

// offset is where the next byte lies in the pack.
func (s *source) offset() int64 { return s.stored - int64(s.w-s.r) }

// digest takes the window up to some byte into the checksums.
func (s *source) digest(upTo int) {
	if upTo <= s.done {
		return
	}
	part := s.buf[s.done:upTo]
	s.crc = crc32.Update(s.crc, crc32.IEEETable, part)
	_, _ = s.sum.Write(part)
	s.done = upTo
}

// begin and end enclose what one object's checksum is of.
func (s *source) begin() {
	s.digest(s.r)
	s.crc = 0
}

func (s *source) end() uint32 {
	s.digest(s.r)
	return s.crc
}

// fault is what an error in reading comes from.
func (s *source) fault(err error) error {
	switch {
	case s.broken != nil:
		return s.broken
	case errors.Is(err, ErrOdd), errors.Is(err, ErrCollision):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return oddf("it ends too early")
	}
	return oddf("%v", err)
}

// zipped reads what is compressed at a window. The zero value is ready.
type zipped struct{ r io.ReadCloser }

func (z *zipped) stream(from io.Reader) (io.Reader, error) {
	if z.r == nil {
		r, err := zlib.NewReader(from)
		if err != nil {
			return nil, err
		}
		z.r = r
		return r, nil
	}
	again, ok := z.r.(zlib.Resetter)
	if !ok {
		return nil, errors.New("zlib cannot be reset")
	}
	return z.r, again.Reset(from, nil)
}

// ended makes sure that there is nothing more, and that the checksum is right.
func ended(r io.Reader) error {
	var more [1]byte
	switch n, err := r.Read(more[:]); {
	case n > 0:
		return oddf("an object is longer than it says")
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ended(r)
}
