package github

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

const (
	// secondaryWait is how long to wait, at least, when GitHub says "too many" and
	// not for how long; it is doubled each time in a row up to secondaryMost.
	secondaryWait = time.Minute
	secondaryMost = time.Hour

	// reserve is the part of a quota, one in so many, that is kept for those who
	// have had less than their share.
	reserve = 5
)

// quota keeps the calls of a forge within what GitHub allows: none when there
// are none left, at least a second between two writes of all accounts together,
// and of each account's calls an equal share for each of its repositories once
// they become scarce. When GitHub says that there are too many at a time,
// forgehttp makes none; quota tells it for how long when GitHub does not. Its
// methods may be called at the same time.
type quota struct {
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
	log  *slog.Logger

	mu       sync.Mutex
	next     time.Time // when the next write may begin
	accounts map[string]*allowance
}

// allowance is an account's.
type allowance struct {
	strikes int  // times in a row that GitHub said "too many" without saying for how long
	struck  bool // the last of them was a write
	windows map[string]*window
}

// window is the hour, or minute, for which GitHub counts calls to a resource.
type window struct {
	limit, left int
	end         time.Time      // by this machine's clock
	reset       int64          // the same as GitHub says it, Unix time
	used        map[string]int // calls by budget
	before      map[string]int // the same of the window before
}

func newQuota(now func() time.Time, wait func(context.Context, time.Duration) error, log *slog.Logger) *quota {
	return &quota{now: now, wait: wait, log: log, accounts: map[string]*allowance{}}
}

// enter returns when a call may begin, or a *forge.RateLimitError that says
// when to ask again.
func (q *quota) enter(ctx context.Context, c call) error {
	q.mu.Lock()
	now := q.now()
	if d := q.account(c.account).refusal(c, now); d > 0 {
		q.mu.Unlock()
		return &forge.RateLimitError{RetryAfter: d}
	}
	if !c.write {
		q.mu.Unlock()
		return nil
	}
	begin := now
	if q.next.After(now) {
		begin = q.next
	}
	q.next = begin.Add(writeGap)
	q.mu.Unlock()
	if begin.Equal(now) {
		return nil
	}
	if err := q.wait(ctx, begin.Sub(now)); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if d := q.account(c.account).refusal(c, q.now()); d > 0 { // others were told meanwhile
		return &forge.RateLimitError{RetryAfter: d}
	}
	return nil
}

// account returns an account's allowance. The caller holds mu.
func (q *quota) account(name string) *allowance {
	a := q.accounts[name]
	if a == nil {
		a = &allowance{windows: map[string]*window{}}
		q.accounts[name] = a
	}
	return a
}

// refusal returns for how long a call is not to be made.
func (a *allowance) refusal(c call, now time.Time) time.Duration {
	w := a.windows[c.resource]
	if w == nil || !w.end.After(now) {
		return 0
	}
	if w.left <= 0 || w.left <= w.limit/reserve && w.hadItsShare(c.budget) {
		return w.end.Sub(now)
	}
	return 0
}

// hadItsShare reports whether who calls has used as much of the window as it
// may if everyone who called in this or the last one did the same.
func (w *window) hadItsShare(budget string) bool {
	callers := len(w.used)
	for other := range w.before {
		if _, again := w.used[other]; !again {
			callers++
		}
	}
	return budget != "" && w.used[budget] >= w.limit/max(callers, 1)
}

// note takes in what an answer says of the quota. secondary: it says that there
// were too many calls at a time; if it does not say for how long to wait, note
// adds that to it.
func (q *quota) note(c call, resp *http.Response, secondary bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.account(c.account)
	a.windows[c.resource] = a.windows[c.resource].noted(c, resp, q.now())
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		if c.write == a.struck {
			a.strikes = 0
		}
	case secondary && resp.Header.Get("Retry-After") == "" && resp.Header.Get("X-Ratelimit-Remaining") != "0":
		d := min(secondaryWait<<a.strikes, secondaryMost)
		if d < secondaryMost {
			a.strikes++
		}
		a.struck = c.write
		resp.Header.Set("Retry-After", strconv.Itoa(int(d/time.Second)))
		q.log.Warn("too many calls at a time", "account", c.account, "repo", c.budget, "wait", d)
	}
}

// longestWindow is more than any window of GitHub's, which are of an hour at
// most, or two where its clocks differ.
const longestWindow = 2 * time.Hour

// noted returns the window after an answer. w may be nil.
func (w *window) noted(c call, resp *http.Response, now time.Time) *window {
	h := resp.Header
	limit, err1 := strconv.Atoi(h.Get("X-Ratelimit-Limit"))
	left, err2 := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	reset, err3 := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	theirs, err4 := http.ParseTime(h.Get("Date"))
	if of := h.Get("X-Ratelimit-Resource"); err1 != nil || err2 != nil || err3 != nil || err4 != nil || of != "" && of != c.resource {
		return w
	}
	if time.Unix(reset, 0).Sub(theirs) > longestWindow {
		return w // nothing that GitHub says
	}
	switch {
	case w == nil:
		w = &window{used: map[string]int{}, reset: reset, left: left}
	case reset > w.reset: // the next one
		w.before, w.used, w.reset, w.left = w.used, map[string]int{}, reset, left
	case reset < w.reset: // an answer that was long on its way
		return w
	}
	w.limit = limit
	w.left = min(w.left, left) // answers overtake each other
	w.end = now.Add(time.Unix(reset, 0).Sub(theirs))
	if c.budget != "" && resp.StatusCode != http.StatusNotModified {
		w.used[c.budget]++
	}
	return w
}
