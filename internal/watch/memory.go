package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Buckets of the queue's memory.
const (
	sweepBucket = "sweep" // by subject: a memory, as JSON
	foundBucket = "found" // by forge: names of discovered repositories, as JSON
)

// memory is what a sweep saw of a repository, to see next time what is new.
type memory struct {
	Account       string    `json:"account,omitempty"` // of the bot
	WebURL        string    `json:"webURL,omitempty"`
	DefaultBranch string    `json:"defaultBranch,omitempty"`
	Archived      bool      `json:"archived,omitempty"`
	Empty         bool      `json:"empty,omitempty"`
	Changed       time.Time `json:"changed"`
	Head          string    `json:"head,omitempty"` // of the default branch, when it was last asked for
	// Comments that were written or edited up to Until have been seen, and so
	// have those with the ids in Seen, which are the newest.
	Until time.Time `json:"until"`
	Seen  []int64   `json:"seen,omitempty"`
	Error string    `json:"error,omitempty"`
	Gone  bool      `json:"gone,omitempty"`
}

// known reports whether the repository was ever read.
func (m memory) known() bool { return m.Account != "" }

func (m memory) equal(other memory) bool {
	a, errA := json.Marshal(m)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && string(a) == string(b)
}

// memories reads what sweeps saw.
func (w *Watcher) memories(ctx context.Context) (map[string]memory, error) {
	all, err := w.Queue.All(ctx, sweepBucket)
	if err != nil {
		return nil, fmt.Errorf("read what the last sweep saw: %w", err)
	}
	memories := make(map[string]memory, len(all))
	for subject, data := range all {
		var m memory
		if err := json.Unmarshal(data, &m); err != nil {
			w.Log.Warn("forgetting what a sweep saw, for it cannot be read", "repo", subject, "err", err)
			continue
		}
		memories[subject] = m
	}
	return memories, nil
}

func (w *Watcher) keep(ctx context.Context, subject string, m memory) error {
	data, err := json.Marshal(m)
	if err == nil {
		err = w.Queue.Put(ctx, sweepBucket, subject, data)
	}
	if err != nil {
		return fmt.Errorf("keep what the sweep saw: %w", err)
	}
	return nil
}

// recall puts into an entry what is remembered of it. The caller holds mu.
func (w *Watcher) recall(e *entry, m memory) {
	e.WebURL, e.DefaultBranch, e.Archived, e.Empty, e.Error, e.Gone = m.WebURL, m.DefaultBranch, m.Archived, m.Empty, m.Error, m.Gone
	if m.Account != "" {
		w.sites[e.Forge].account = m.Account
	}
}

// restoreRepositories reads which repositories any process discovered, and
// what it saw of all.
func (w *Watcher) restoreRepositories(ctx context.Context) error {
	found, err := w.Queue.All(ctx, foundBucket)
	if err != nil {
		return fmt.Errorf("read which repositories were discovered: %w", err)
	}
	memories, err := w.memories(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, data := range found {
		var names []string
		if err := json.Unmarshal(data, &names); err != nil {
			w.Log.Warn("forgetting the discovered repositories, for they cannot be read", "forge", name, "err", err)
			continue
		}
		if site := w.sites[name]; site != nil && len(site.Config.Discover) > 0 {
			w.discovered(name, parseNames(names))
		}
	}
	for _, e := range w.repos {
		if m, ok := memories[e.Subject]; ok {
			w.recall(e, m)
		}
	}
	return nil
}

// parseNames leaves out what is no name.
func parseNames(texts []string) (names []forge.Name) {
	for _, text := range texts {
		if name, err := forge.ParseName(text); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// discovered makes the repositories watched that were discovered on a forge,
// and no others but the listed ones. It returns the subjects of those that are
// watched no more. The caller holds mu.
func (w *Watcher) discovered(forgeName string, names []forge.Name) (gone []string) {
	found := map[string]bool{}
	for _, name := range names {
		found[key(forgeName, name)] = true
		w.add(forgeName, name, false)
	}
	for k, e := range w.repos {
		if e.Forge == forgeName && !e.Listed && !found[k] {
			w.remove(e)
			gone = append(gone, e.Subject)
		}
	}
	return gone
}
