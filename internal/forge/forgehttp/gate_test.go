package forgehttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// limiter is a forge that answers as it is told, counts the calls, and has a
// clock that only moves when told to.
type limiter struct {
	mu     sync.Mutex
	calls  int
	answer func(http.ResponseWriter)
	clock  time.Time
	url    string
	client *http.Client
}

func newLimiter(t *testing.T) *limiter {
	t.Helper()
	l := &limiter{clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls++
		l.answer(w)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	l.client = forgehttp.New(forgehttp.Options{Retries: -1, Now: func() time.Time {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.clock
	}})
	return l
}

func (l *limiter) answers(answer func(http.ResponseWriter)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

func (l *limiter) pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = l.clock.Add(d)
}

// call calls with a token and returns how long the forge asks to wait, and how
// many calls have reached it.
func (l *limiter) call(t *testing.T, token string) (wait time.Duration, calls int) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, l.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+token)
	resp, err := l.client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	limit := (*forge.RateLimitError)(nil)
	if err := forgehttp.Error(resp, err); errors.As(err, &limit) {
		wait = limit.RetryAfter
	} else if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return wait, l.calls
}

func fine(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }

// F3: no call reaches the forge until it said, whatever asks; other accounts'
// do.
func TestFault_F3_NoCallByAnybody(t *testing.T) {
	t.Parallel()
	l := newLimiter(t)
	l.answers(func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusForbidden)
	})
	if wait, _ := l.call(t, "one"); wait != 90*time.Second {
		t.Fatalf("the wait is %v", wait)
	}
	l.answers(fine)
	l.pass(60 * time.Second)
	if wait, calls := l.call(t, "one"); wait != 30*time.Second || calls != 1 {
		t.Errorf("before its time: %d calls, wait %v", calls, wait)
	}
	if wait, calls := l.call(t, "another"); wait != 0 || calls != 2 {
		t.Errorf("another account: %d calls, wait %v", calls, wait)
	}
	l.pass(30 * time.Second)
	if wait, calls := l.call(t, "one"); wait != 0 || calls != 3 {
		t.Errorf("in time: %d calls, wait %v", calls, wait)
	}
}

// F4: where the forge does not say for how long, it is a minute at least,
// longer each time, and never more than a quarter of an hour.
func TestFault_F4_UnsaidWaitsGrow(t *testing.T) {
	t.Parallel()
	l := newLimiter(t)
	limited := func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }
	l.answers(limited)
	for i, minutes := range []int{1, 2, 4, 8, 15, 15} {
		want := time.Duration(minutes) * time.Minute
		if wait, calls := l.call(t, "one"); wait != want || calls != i+1 {
			t.Fatalf("refusal %d: %d calls, wait %v, want %v", i+1, calls, wait, want)
		}
		l.pass(want)
	}
	l.answers(fine)
	l.call(t, "one")
	l.answers(limited)
	if wait, _ := l.call(t, "one"); wait != time.Minute {
		t.Errorf("after an answer the wait is %v", wait)
	}
}

// Calls that were under way when the forge refused are one refusal.
func TestFault_F4_RefusedTogether(t *testing.T) {
	t.Parallel()
	l := newLimiter(t)
	const together = 8
	var arrived sync.WaitGroup
	arrived.Add(together)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait()
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	var group sync.WaitGroup
	for range together {
		group.Go(func() {
			if wait, _ := l.call(t, "one"); wait != time.Minute {
				t.Errorf("the wait is %v", wait)
			}
		})
	}
	group.Wait()
}
