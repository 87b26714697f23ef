package git

import (
	"bytes"
	"errors"
	"io"
)

// maxOutput is how much of a server's answer, or of what git prints, is kept in
// memory, in bytes: about a million refs.
const maxOutput = 64 << 20

var errTooMuch = errors.New("the answer is longer than 64 MiB")

// bounded is a buffer of at most maxOutput.
type bounded struct {
	data []byte
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxOutput {
		b.full = true
		return 0, errTooMuch
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// limited reads at most left bytes.
type limited struct {
	io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errTooMuch
	}
	n, err := l.Reader.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// counted tells how many bytes are read.
type counted struct {
	io.Reader
	tell func(n int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if n > 0 {
		c.tell(int64(n))
	}
	return n, err
}

// splitter hands on what is written to it, cut at each end byte; of a piece
// only the first most bytes.
type splitter struct {
	end   byte
	most  int
	yield func(piece string)
	piece []byte
}

func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		at := bytes.IndexByte(p, s.end)
		head := p
		if at >= 0 {
			head = p[:at]
		}
		s.piece = append(s.piece, head[:min(len(head), s.most-len(s.piece))]...)
		if at < 0 {
			return n, nil
		}
		s.yield(string(s.piece))
		s.piece, p = s.piece[:0], p[at+1:]
	}
	return n, nil
}
