package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// producer writes a blob. It may be called again, and writes the same bytes then: so
// an upload that was cut off is taken up without anybody having kept them.
type producer func(ctx context.Context, w io.Writer) error

// produced is the digest and size of what a producer wrote.
type produced struct {
	digest string
	size   int64
}

// witness remembers what an earlier run of a producer had written, so that a later
// one that writes something else is found out.
type witness struct {
	size int64
	sum  [sha256.Size]byte
}

// production is a run of a producer, which is read.
type production struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	w      *countingHash
	err    error // of the producer; read it after done
}

// produce runs a producer and leaves out its first bytes.
func produce(ctx context.Context, write producer, skip int64, before *witness) *production {
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	p := &production{PipeReader: pr, cancel: cancel, done: make(chan struct{}), w: &countingHash{hash: sha256.New(), before: before}}
	go func() {
		defer close(p.done)
		err := write(ctx, io.MultiWriter(p.w, &skipper{w: pw, skip: skip}))
		if err == nil && before != nil && p.w.size < before.size {
			err = ErrChanged
		}
		p.err = err
		_ = pw.CloseWithError(err) // always nil
	}()
	return p
}

// end stops the run and returns what went wrong in it; not that nobody wanted
// more.
func (p *production) end() error {
	_ = p.Close() // always nil
	p.cancel()
	<-p.done
	if errors.Is(p.err, io.ErrClosedPipe) || errors.Is(p.err, context.Canceled) {
		return nil
	}
	return p.err
}

// result is what a run that has ended wrote in all.
func (p *production) result() produced {
	return produced{digest: p.w.digest(), size: p.w.size}
}

// witnessed is what a run that has ended wrote so far.
func (p *production) witnessed() *witness {
	if p.w.before != nil && p.w.before.size > p.w.size {
		return p.w.before
	}
	return &witness{size: p.w.size, sum: [sha256.Size]byte(p.w.hash.Sum(nil))}
}

// countingHash is the digest of what is written to it.
type countingHash struct {
	hash   hash.Hash
	size   int64
	before *witness
}

func (c *countingHash) Write(p []byte) (int, error) {
	if b := c.before; b != nil && c.size < b.size && c.size+int64(len(p)) >= b.size {
		head := b.size - c.size
		c.hash.Write(p[:head])
		if [sha256.Size]byte(c.hash.Sum(nil)) != b.sum {
			return 0, fmt.Errorf("%w: what was uploaded before the connection broke cannot be made again", ErrChanged)
		}
		c.hash.Write(p[head:])
	} else {
		c.hash.Write(p)
	}
	c.size += int64(len(p))
	return len(p), nil
}

func (c *countingHash) digest() string { return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)) }

func newSHA256() hash.Hash { return sha256.New() }

// skipper drops the first bytes.
type skipper struct {
	w    io.Writer
	skip int64
}

func (s *skipper) Write(p []byte) (int, error) {
	n := int(min(s.skip, int64(len(p))))
	s.skip -= int64(n)
	if n == len(p) {
		return n, nil
	}
	m, err := s.w.Write(p[n:])
	return n + m, err
}

// digestOf is the digest of bytes in memory.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
