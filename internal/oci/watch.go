package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// watched is the body of a request, which gives the request up when nobody takes it for
// too long. It is sent once: a transport that would begin it again, as with a
// new token, finds it closed.
type watched struct {
	r        io.Reader
	stall    time.Duration
	cancel   context.CancelCauseFunc
	progress func(int64)

	mu     sync.Mutex
	timer  *time.Timer
	ended  bool // everything was read
	closed bool
}

var errSentOnce = errors.New("the body of an upload cannot be sent again")

func (w *watched) Read(p []byte) (int, error) {
	w.mu.Lock()
	if w.timer != nil {
		w.timer.Stop()
	}
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return 0, errSentOnce
	}
	n, err := w.r.Read(p)
	w.progress(int64(n))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = errors.Is(err, io.EOF)
	if !w.closed {
		w.arm()
	}
	return n, err
}

func (w *watched) arm() {
	if w.timer != nil {
		w.timer.Reset(w.stall)
		return
	}
	w.timer = time.AfterFunc(w.stall, func() {
		w.cancel(&RegistryError{What: "upload", kind: ErrTransient, Detail: fmt.Sprintf("nothing moved for %v", w.stall)})
	})
}

// Close ends the body for the transport.
func (w *watched) Close() error {
	w.finish()
	return nil
}

// finish ends the body, and reports whether all of it was read.
func (w *watched) finish() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	return w.ended
}
