package web

import (
	"errors"
	"io"

	"golang.org/x/sync/semaphore"
)

var (
	errTooLarge = errors.New("the body is too large")
	errBusy     = errors.New("there is no memory left for another large body")
)

const (
	firstBuffer = 4 << 10
	// smallBody is how large a body may be, in bytes, before it counts against
	// the common budget. Most deliveries are below it, and so find a place while
	// strangers fill the budget. How many there are is bounded by the listener.
	smallBody = 64 << 10
)

// bodies reads bodies of requests into memory: each up to limit bytes, all
// together up to a budget. Memory is taken as bytes arrive, and never because
// a sender announces them.
type bodies struct {
	limit  int64
	budget *semaphore.Weighted
}

// newBodies makes one with room for one body of limit bytes at least.
func newBodies(limit, budget int64) *bodies {
	// While a buffer grows there are two of it, the old half as large.
	return &bodies{limit: limit, budget: semaphore.NewWeighted(max(budget, 2*limit))}
}

// read reads r to its end. size is what the sender announced, or -1. The
// memory counts until done is called, which is never nil.
func (b *bodies) read(r io.Reader, size int64) (body []byte, done func(), err error) {
	most := b.limit + 1 // one more, to see that there is one more
	if size >= 0 {
		most = min(most, size+1)
	}
	held := int64(0)
	done = func() { b.budget.Release(held) }
	body = make([]byte, 0, min(firstBuffer, most))
	for {
		if len(body) == cap(body) {
			grown := min(2*int64(cap(body)), most)
			need := int64(0)
			if grown > smallBody {
				need = grown
			}
			if !b.budget.TryAcquire(need) {
				return nil, done, errBusy
			}
			body = append(make([]byte, 0, grown), body...)
			b.budget.Release(held)
			held = need
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > b.limit:
			return nil, done, errTooLarge
		case errors.Is(err, io.EOF):
			return body, done, nil
		case err != nil:
			return nil, done, err
		}
	}
}
