package packfile

import (
	"bufio"
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
	*bufio.Reader
	in     io.Reader
	file   *os.File
	stored int64  // bytes in the file
	chunk  []byte // the last of them, which lie in the buffer; the reader fills it anew only when all were consumed
	done   int64  // bytes that are in the checksums
	sum    hash.Hash
	crc    uint32
	failed error // to read or to store
	zip    io.ReadCloser
}

const chunkSize = 128 << 10

func newSource(in io.Reader, file *os.File) *source {
	s := &source{in: in, file: file, sum: sha1.New()} //nolint:gosec // as above
	s.Reader = bufio.NewReaderSize(storing{s}, chunkSize)
	return s
}

// storing is what the source's own reader reads from.
type storing struct{ s *source }

func (r storing) Read(p []byte) (int, error) {
	s := r.s
	s.digest(s.stored)
	n, err := s.in.Read(p)
	if _, failed := s.file.Write(p[:n]); failed != nil {
		s.failed = failed
		return 0, failed
	}
	s.chunk, s.stored = p[:n], s.stored+int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed = err
	}
	return n, err
}

// offset is where the next byte lies in the pack.
func (s *source) offset() int64 { return s.stored - int64(s.Buffered()) }

// digest takes all up to an offset into the checksums.
func (s *source) digest(upTo int64) {
	start := s.stored - int64(len(s.chunk))
	part := s.chunk[s.done-start : upTo-start]
	s.crc = crc32.Update(s.crc, crc32.IEEETable, part)
	_, _ = s.sum.Write(part)
	s.done = upTo
}

// begin and end enclose what one object's checksum is of.
func (s *source) begin() {
	s.digest(s.offset())
	s.crc = 0
}

func (s *source) end() uint32 {
	s.digest(s.offset())
	return s.crc
}

// fault is what an error in reading comes from.
func (s *source) fault(err error) error {
	switch {
	case s.failed != nil:
		return s.failed
	case errors.Is(err, ErrOdd):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return oddf("it ends too early")
	}
	return oddf("%v", err)
}

// inflate begins with a compressed object.
func (s *source) inflate() (io.Reader, error) { return inflating(&s.zip, s.Reader) }

// inflating makes a reader of what is compressed ready, the same one each time.
func inflating(zip *io.ReadCloser, from io.Reader) (io.Reader, error) {
	if *zip == nil {
		r, err := zlib.NewReader(from)
		if err != nil {
			return nil, err
		}
		*zip = r
		return r, nil
	}
	again, ok := (*zip).(zlib.Resetter)
	if !ok {
		return nil, errors.New("zlib cannot be reset")
	}
	return *zip, again.Reset(from, nil)
}

// fill inflates as many bytes as there must be, and no more.
func fill(r io.Reader, data []byte) error {
	if _, err := io.ReadFull(r, data); err != nil {
		return shortened(err)
	}
	return ended(r)
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

// shortened tells an end of the compressed data from the end of the pack.
func shortened(err error) error {
	if errors.Is(err, io.EOF) {
		return oddf("an object is shorter than it says")
	}
	return err
}
