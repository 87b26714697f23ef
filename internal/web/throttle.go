package web

import (
	"log/slog"
	"sync"
	"time"
)

// throttle lets a warning about a forge through once a minute, so that
// strangers cannot fill the log.
type throttle struct {
	now func() time.Time

	mu    sync.Mutex
	state map[string]throttled // by message and forge: both from a small set
}

type throttled struct {
	last    time.Time
	dropped int
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, state: map[string]throttled{}}
}

// warn logs msg, which is constant, with how many were left out since the last.
func (t *throttle) warn(log *slog.Logger, forgeName, msg string) {
	t.mu.Lock()
	s := t.state[msg+forgeName]
	now := t.now()
	if !s.last.IsZero() && now.Sub(s.last) < time.Minute {
		s.dropped++
		t.state[msg+forgeName] = s
		t.mu.Unlock()
		return
	}
	t.state[msg+forgeName] = throttled{last: now}
	t.mu.Unlock()
	log.Warn(msg, "forge", forgeName, "dropped", s.dropped) //nolint:sloglint // the callers' messages are constants
}
