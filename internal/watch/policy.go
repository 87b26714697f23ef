package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

const policyBucket = "policy" // by subject: timings by kind, as JSON

// timing is what a policy says of one kind of refresh.
type timing struct {
	Schedule config.Schedule `json:"schedule"`
	Jitter   duration        `json:"jitter"`
	Off      bool            `json:"off,omitempty"` // the policy wants none of it
}

// timings are those of a policy, by kind. They are never changed, but replaced.
type timings map[string]timing

// duration is written as Go does: "15m0s".
type duration struct{ time.Duration }

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// timingsOf returns when those of the kinds of refresh are looked at that the
// Watcher asks for. The bot that is to leave one alone has no need to look.
func (w *Watcher) timingsOf(policy config.Repo) timings {
	all := timings{}
	for _, kind := range policy.Kinds() {
		if !slices.Contains(w.Kinds, refresh.Kind(kind.Name)) {
			continue
		}
		if all[kind.Name] = (timing{Off: true}); kind.Enabled {
			all[kind.Name] = timing{Schedule: kind.Schedule, Jitter: duration{kind.Jitter}}
		}
	}
	return all
}

// equal reports whether two timings are the same.
func (t timing) equal(other timing) bool {
	return t.Schedule.Equal(other.Schedule) && t.Jitter == other.Jitter && t.Off == other.Off
}

// changed lists the kinds that other has otherwise.
func (t timings) changed(other timings) (kinds []string) {
	for _, kind := range refresh.Kinds() {
		if !t[string(kind)].equal(other[string(kind)]) {
			kinds = append(kinds, string(kind))
		}
	}
	return kinds
}

// wanted asks for a look at every kind that the policy wants, each after the
// delay, and at the merges in any case: that is how a policy is read.
func (t timings) wanted(subject string, delay time.Duration) (rs []queue.Request) {
	for _, kind := range refresh.Kinds() {
		if at, known := t[string(kind)]; kind == refresh.Merges || known && !at.Off {
			rs = append(rs, queue.Request{Subject: subject, Kind: string(kind), Delay: delay})
		}
	}
	return rs
}

// Learn takes in the policy of a repository. Who reads one hands it on, as
// often as it is read. A new schedule begins now, and what is wanted from now
// on is looked at once.
func (w *Watcher) Learn(ctx context.Context, subject string, policy config.Repo) error {
	learned := w.timingsOf(policy)
	known, watched := w.known(subject)
	changed := known.changed(learned)
	if !watched || len(changed) == 0 {
		return nil
	}
	data, err := json.Marshal(learned)
	if err != nil {
		return fmt.Errorf("keep the schedule of %s: %w", subject, err)
	}
	now := w.Now()
	var look []queue.Request
	for _, kind := range changed {
		if known[kind].Off && kind != Merges {
			look = append(look, queue.Request{Subject: subject, Kind: kind, Delay: pushDelay})
		}
		if _, err := w.Queue.Tick(ctx, tickKey(subject, kind), now); err != nil {
			return fmt.Errorf("keep the schedule of %s: %w", subject, err)
		}
	}
	if len(look) > 0 {
		if err := w.Queue.Want(ctx, look...); err != nil {
			return fmt.Errorf("look at %s: %w", subject, err)
		}
	}
	if err := w.Queue.Put(ctx, policyBucket, subject, data); err != nil {
		return fmt.Errorf("keep the schedule of %s: %w", subject, err)
	}
	w.learn(subject, learned, changed, now)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// known returns what is known of a repository's policy.
func (w *Watcher) known(subject string) (known timings, watched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.repos[strings.ToLower(subject)]
	if e == nil {
		return nil, false
	}
	return e.timings, true
}

// learn changes the timers of kinds; now is zero when the change is not new.
func (w *Watcher) learn(subject string, learned timings, changed []string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.repos[strings.ToLower(subject)]; e != nil {
		e.timings = learned
	}
	for _, kind := range changed {
		if t := w.timers[tickKey(subject, kind)]; t != nil {
			t.times, t.offset = learned[kind].Schedule, offset(t.key, learned[kind].Jitter.Duration)
			if now.After(t.last) {
				t.last = now
			}
		}
	}
}

// restorePolicies reads the schedules that any process learned.
func (w *Watcher) restorePolicies(ctx context.Context) error {
	all, err := w.Queue.All(ctx, policyBucket)
	if err != nil {
		return fmt.Errorf("read the schedules: %w", err)
	}
	for subject, data := range all {
		var stored timings
		if err := json.Unmarshal(data, &stored); err != nil {
			w.Log.Warn("forgetting a schedule that cannot be read", "repo", subject, "err", err)
			continue
		}
		known, watched := w.known(subject)
		if !watched {
			continue
		}
		learned := timings{} // an older version knew fewer kinds
		for kind, usual := range w.usual {
			learned[kind] = usual
			if t, ok := stored[kind]; ok {
				learned[kind] = t
			}
		}
		if changed := known.changed(learned); len(changed) > 0 {
			w.learn(subject, learned, changed, time.Time{})
		}
	}
	return nil
}
