package cli

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
)

// Resolver is a lock.Resolver.
type Resolver interface {
	Resolve(ctx context.Context, url string, refs []string) (map[string]string, error)
	Refs(ctx context.Context, url string) ([]string, error)
}

// Progress is a resolver that counts, on a terminal, the remotes that have
// answered. It prints nothing elsewhere.
type Progress struct {
	Resolver
	w     io.Writer
	asked atomic.Int64
	done  atomic.Int64
}

// NewProgress wraps a resolver. quiet, or a w that is no terminal, silences it.
func NewProgress(resolver Resolver, w io.Writer, quiet bool) *Progress {
	if quiet || !IsTerminal(w) {
		w = io.Discard
	}
	return &Progress{Resolver: resolver, w: w}
}

// Resolve asks the wrapped resolver.
func (p *Progress) Resolve(ctx context.Context, url string, refs []string) (map[string]string, error) {
	commits, _, err := p.ResolveTags(ctx, url, refs)
	return commits, err
}

// ResolveTags asks the wrapped resolver, if it tells which refs are tags; else
// none is known to be one.
func (p *Progress) ResolveTags(ctx context.Context, url string, refs []string) (commits map[string]string, tags map[string]bool, err error) {
	fmt.Fprintf(p.w, "\r\x1b[Kremotes: %d asked, %d answered", p.asked.Add(1), p.done.Load())
	defer func() { fmt.Fprintf(p.w, "\r\x1b[Kremotes: %d asked, %d answered", p.asked.Load(), p.done.Add(1)) }()
	if r, tells := p.Resolver.(interface {
		ResolveTags(ctx context.Context, url string, refs []string) (map[string]string, map[string]bool, error)
	}); tells {
		return r.ResolveTags(ctx, url, refs)
	}
	commits, err = p.Resolver.Resolve(ctx, url, refs)
	return commits, nil, err
}

// Finish clears the line.
func (p *Progress) Finish() { fmt.Fprint(p.w, "\r\x1b[K") }
