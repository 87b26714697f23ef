package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nuobit/odyssey/internal/config"
)

const policyBucket = "policy" // by subject: timings by kind, as JSON

// timing is what a policy says of one kind of job.
type timing struct {
	Schedule config.Schedule `json:"schedule"`
	Jitter   duration        `json:"jitter"`
}

// duration is written as Go does: "15m0s".
type duration struct{ time.Duration }

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// timingOf returns when merges are looked at. The bot that is to leave them
// alone has no need to look.
func timingOf(policy config.Repo) timing {
	if !policy.Merges.Enabled {
		return timing{}
	}
	return timing{policy.Merges.Schedule, duration{policy.Merges.Jitter}}
}

// Learn takes in the policy of a repository. Who reads one hands it on, as
// often as it is read. A new schedule begins now.
func (w *Watcher) Learn(ctx context.Context, subject string, policy config.Repo) error {
	learned := timingOf(policy)
	if !w.differs(subject, learned) {
		return nil
	}
	data, err := json.Marshal(map[string]timing{Merges: learned})
	if err != nil {
		return fmt.Errorf("keep the schedule of %s: %w", subject, err)
	}
	now := w.Now()
	if _, err := w.Queue.Tick(ctx, tickKey(subject, Merges), now); err != nil {
		return fmt.Errorf("keep the schedule of %s: %w", subject, err)
	}
	if err := w.Queue.Put(ctx, policyBucket, subject, data); err != nil {
		return fmt.Errorf("keep the schedule of %s: %w", subject, err)
	}
	w.learn(subject, learned, now)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

func (w *Watcher) differs(subject string, learned timing) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.timers[tickKey(subject, Merges)]
	if t == nil {
		return false // unwatched meanwhile
	}
	known, ok := t.times.(config.Schedule)
	return !ok || !known.Equal(learned.Schedule) || t.offset != offset(t.key, learned.Jitter.Duration)
}

// learn changes a timer; now is zero when the change is not new.
func (w *Watcher) learn(subject string, learned timing, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.timers[tickKey(subject, Merges)]; t != nil {
		t.times, t.offset = learned.Schedule, offset(t.key, learned.Jitter.Duration)
		if now.After(t.last) {
			t.last = now
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
		var known map[string]timing
		if err := json.Unmarshal(data, &known); err != nil {
			w.Log.Warn("forgetting a schedule that cannot be read", "repo", subject, "err", err)
			continue
		}
		if learned, ok := known[Merges]; ok && w.differs(subject, learned) {
			w.learn(subject, learned, time.Time{})
		}
	}
	return nil
}
