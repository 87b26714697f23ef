package packfile

import (
	"io"
)

// window is the part in memory of what is being read.
type window struct {
	in   io.Reader
	buf  []byte
	r, w int // what is to be read next, and where it ends
	// dropped is told which bytes leave the window.
	dropped func([]byte)
	failed  error // of in
}

// behind is how many bytes that were read stay in the window, so that they can
// be given back.
const behind = 16

func (s *window) reset(in io.Reader) { s.in, s.r, s.w, s.failed = in, 0, 0, nil }

// ensure reads until there are n bytes, few enough for the buffer.
func (s *window) ensure(n int) error {
	if s.w-s.r >= n {
		return nil
	}
	kept := max(0, s.r-behind)
	if s.dropped != nil {
		s.dropped(s.buf[:kept])
	}
	copy(s.buf, s.buf[kept:s.w])
	s.r, s.w = s.r-kept, s.w-kept
	for empty := 0; s.w-s.r < n; {
		if s.failed != nil {
			return s.failed
		}
		got, err := s.in.Read(s.buf[s.w:])
		s.w, s.failed = s.w+got, err
		if empty++; got > 0 {
			empty = 0
		} else if err == nil && empty > 100 {
			s.failed = io.ErrNoProgress
		}
	}
	return nil
}

// ReadByte is io.ByteReader's.
func (s *window) ReadByte() (byte, error) {
	if s.r == s.w {
		if err := s.ensure(1); err != nil {
			return 0, err
		}
	}
	s.r++
	return s.buf[s.r-1], nil
}

// Read is io.Reader's.
func (s *window) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.ensure(1); err != nil {
		return 0, err
	}
	n := copy(p, s.buf[s.r:s.w])
	s.r += n
	return n, nil
}
