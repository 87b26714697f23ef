package web

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Store is what keeps deliveries and jobs.
type Store interface {
	// Ready returns an error when the store cannot take a delivery.
	Ready(ctx context.Context) error
}

// The states of a process's life.
const (
	starting int32 = iota
	working
	draining
)

// storeWait is how long a probe waits for the store.
const storeWait = 2 * time.Second

// life answers the probes.
type life struct {
	store Store
	state atomic.Int32
}

// healthz says that the process answers; nothing else, since to start it anew
// would mend nothing else.
func (*life) healthz(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, "alive")
}

// readyz says whether deliveries should be sent here. Why the store does not
// answer is in the log of who uses it, since it may tell of places.
func (l *life) readyz(w http.ResponseWriter, r *http.Request) {
	switch l.state.Load() {
	case starting:
		say(w, http.StatusServiceUnavailable, "starting")
		return
	case draining:
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeWait)
	defer cancel()
	if err := l.store.Ready(ctx); err != nil {
		say(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	say(w, http.StatusOK, "ready")
}

// say answers with a line of text.
func say(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word+"\n")
}
