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
// too long. It is sent once: go-containerregistry would make a request again when its token has
// expired, with what is left of the body.
type watched struct {
	r        io.Reader
	stall    time.Duration
	cancel   context.CancelCauseFunc
	progress func(int64)

	mu     sync.Mutex
	timer  *time.Timer
	ended  bool // everything was read
	closed bool
	begun  bool
}

var errSentOnce = errors.New("the body of an upload cannot be sent again")

// begin is called by whoever sends the body, and fails the second time.
func (w *watched) begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return errSentOnce
	}
	w.begun = true
	return nil
}

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
