package watch

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	longestNap = time.Minute      // of the loop: what other processes wrote is read then, and a clock that was set is seen
	failureNap = 10 * time.Second // after the store failed
	// A tick that is recorded for later than this was recorded by a clock that
	// was wrong, and is set back. Until then it rests, so that a clock that is
	// set back repeats no schedule; to repeat a sweep does not matter.
	skew      = 48 * time.Hour
	sweepSkew = time.Hour
)

// times is a schedule.
type times interface {
	// Next returns the first time after a time; the zero time when there is none.
	Next(after time.Time) time.Time
}

// every is whole multiples of a duration.
type every time.Duration

// Next implements times.
func (e every) Next(after time.Time) time.Time {
	return after.UTC().Truncate(time.Duration(e)).Add(time.Duration(e))
}

// timer asks for a job at its times, each put off by the same offset. What is
// recorded, and compared, is the time without it, so that processes agree on
// which one it was and a clock that is set back repeats none.
type timer struct {
	key     string
	request queue.Request
	times   times
	offset  time.Duration
	last    time.Time // recorded; zero until read from the store
}

// due returns when the timer is due next; zero when never.
func (t *timer) due(after time.Time) time.Time {
	at := t.times.Next(after)
	if at.IsZero() {
		return at
	}
	return at.Add(t.offset)
}

func tickKey(subject, kind string) string { return subject + " " + kind }

// offset spreads keys evenly over a duration, the same each time.
func offset(key string, within time.Duration) time.Duration {
	if within <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return time.Duration(h.Sum64() % uint64(within)) //nolint:gosec // within is positive, and so is what is less
}

// addTimer begins to ask for a job. The caller holds mu, or is New.
func (w *Watcher) addTimer(subject, kind string, at times, later time.Duration) {
	k := tickKey(subject, kind)
	w.timers[k] = &timer{key: k, request: queue.Request{Subject: subject, Kind: kind}, times: at, offset: later}
}

// Next returns when a subject's job of a kind is asked for next if nothing
// happens before; zero when never.
func (w *Watcher) Next(subject, kind string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.timers[tickKey(subject, kind)]
	if t == nil || w.rests(t) {
		return time.Time{}
	}
	after := t.last
	if after.IsZero() {
		after = w.Now()
	}
	return t.due(after)
}

// rests reports whether there is nothing to be done for a timer's repository,
// or nothing can be: while a forge refuses the token, its sweeps alone try. The
// caller holds mu.
func (w *Watcher) rests(t *timer) bool {
	e := w.repos[strings.ToLower(t.request.Subject)]
	return e != nil && (e.Archived || e.Empty || w.sites[e.Forge].refusals > 0)
}

// Run asks for what schedules ask for, and for a sweep of each forge now and
// then, until ctx ends. Any number of processes may do so on one store.
func (w *Watcher) Run(ctx context.Context) error {
	started, restored := false, time.Time{}
	for ctx.Err() == nil {
		nap, err := time.Duration(0), error(nil)
		if now := w.Now(); restored.IsZero() || now.Sub(restored).Abs() >= longestNap {
			if err = w.restore(ctx); err == nil {
				restored = now
			}
		}
		if err == nil && !started {
			if err = w.wantSweeps(ctx); err == nil {
				started = true
			}
		}
		if err == nil {
			nap, err = w.tick(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.Log.Error("cannot keep schedules", "err", err)
			nap = failureNap
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-w.Nap(nap):
		}
	}
	return nil
}

func (w *Watcher) restore(ctx context.Context) error {
	if err := w.restoreRepositories(ctx); err != nil {
		return err
	}
	return w.restorePolicies(ctx)
}

// wantSweeps asks for a first look at each forge: who knows what was missed.
func (w *Watcher) wantSweeps(ctx context.Context) error {
	var requests []queue.Request
	for name := range w.sites {
		requests = append(requests, queue.Request{Subject: sweepSubject(name), Kind: Sweep})
	}
	return w.Queue.Want(ctx, requests...)
}

// tick asks for what is due, and returns how long nothing will be.
func (w *Watcher) tick(ctx context.Context) (nap time.Duration, err error) {
	nap = longestNap
	for _, k := range w.timerKeys() {
		wait, err := w.tickOne(ctx, k)
		if err != nil {
			return 0, err
		}
		nap = min(nap, wait)
	}
	return nap, nil
}

// timerKeys returns the keys of the timers that do not rest.
func (w *Watcher) timerKeys() (keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, t := range w.timers {
		if !w.rests(t) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// tickOne asks for a timer's job if it is due, once however often it came
// while nobody looked, and returns how long it then rests.
func (w *Watcher) tickOne(ctx context.Context, k string) (time.Duration, error) {
	t, ok := w.timer(k)
	if !ok {
		return longestNap, nil
	}
	now := w.Now()
	if t.last.IsZero() {
		last, err := w.firstTick(ctx, k, now)
		if err != nil {
			return 0, err
		}
		t.last = last
	}
	if ahead := t.last.Sub(now); ahead > skew || ahead > sweepSkew && t.request.Kind == Sweep {
		w.Log.Warn("a schedule came last in the future: a clock was wrong; it counts from now", "key", k, "at", t.last)
		if err := w.Queue.SetBackTick(ctx, k, t.last, now); err != nil {
			return 0, fmt.Errorf("set back %s: %w", k, err)
		}
		t.last = now
		w.setBack(k, now)
	}
	due := t.due(t.last)
	if due.IsZero() {
		return longestNap, nil
	}
	if !due.After(now) {
		t.last = latest(t.times, t.last, now.Add(-t.offset))
		request := t.request
		if request.Kind == string(refresh.Python) { // which is resolved when it is time, and else when something changed
			request.Item = &queue.Item{ID: "schedule " + t.last.UTC().Format(time.RFC3339), Data: []byte("{}")}
		}
		ticked, err := w.Queue.Tick(ctx, k, t.last, request)
		if err != nil {
			return 0, fmt.Errorf("ask for %s: %w", k, err)
		}
		if ticked {
			w.Log.Debug("schedule came", "repo", t.request.Subject, "kind", t.request.Kind, "at", t.last)
		}
		due = t.due(t.last)
	}
	w.ticked(k, t.last)
	if due.IsZero() {
		return longestNap, nil
	}
	return max(due.Sub(now), 0), nil
}

// firstTick returns the recorded tick of a key. What never ticked begins now.
func (w *Watcher) firstTick(ctx context.Context, k string, now time.Time) (time.Time, error) {
	last, err := w.Queue.LastTick(ctx, k)
	if err != nil {
		return time.Time{}, fmt.Errorf("read when %s came last: %w", k, err)
	}
	if !last.IsZero() {
		return last, nil
	}
	if _, err := w.Queue.Tick(ctx, k, now); err != nil {
		return time.Time{}, fmt.Errorf("record %s: %w", k, err)
	}
	return now, nil
}

func (w *Watcher) timer(k string) (timer, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.timers[k]
	if t == nil {
		return timer{}, false
	}
	return *t, true
}

// setBack forgets a tick of the future.
func (w *Watcher) setBack(k string, to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.timers[k]; t != nil {
		t.last = to
	}
}

// ticked remembers a tick, unless a policy that was learned meanwhile has a
// later beginning.
func (w *Watcher) ticked(k string, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.timers[k]; t != nil && last.After(t.last) {
		t.last = last
	}
}

// latest returns the last of the times that is not after now, of those after
// last, of which there is one.
func latest(at times, last, now time.Time) time.Time {
	for window := 10 * time.Minute; window < now.Sub(last); window *= 2 {
		if found := at.Next(now.Add(-window)); !found.IsZero() && !found.After(now) {
			last = now.Add(-window)
			break
		}
	}
	for {
		next := at.Next(last)
		if next.IsZero() || next.After(now) {
			return last
		}
		last = next
	}
}
