package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	// enoughFailures in a row, with no success, and the forge is at fault and not
	// its repositories.
	enoughFailures = 5
	mostDiscovered = 5_000 // their names have to fit in one value of the queue's memory
	mostRefusals   = 6     // doublings of the time between sweeps
)

// sweep is one look at all repositories of a forge.
type sweep struct {
	*Watcher
	site     *site
	job      queue.Job
	memories map[string]memory
	running  map[string][]byte     // by repository: which run of a workflow is under way; the same for all forges
	found    map[string]forge.Repo // by key, as discovery described them
	fresh    int                   // repositories that are seen for the first time

	mu        sync.Mutex
	successes int
	failures  int
	last      error // failure
	halt      error // why the rest is not looked at
}

// Work does a job of the kind Sweep. A repository that cannot be looked at is
// logged and shown, and hinders no other. When the forge itself is at fault,
// the error says when to look again.
func (w *Watcher) Work(ctx context.Context, job queue.Job) error {
	name := strings.TrimSuffix(job.Subject, ":")
	w.mu.Lock()
	site := w.sites[name]
	w.mu.Unlock()
	if job.Kind != Sweep || site == nil || name == job.Subject {
		return queue.Park(fmt.Errorf("there is no sweep of %q: the forge is not in the configuration", job.Subject))
	}
	start := w.Now()
	err := w.sweepSite(ctx, site, job)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, forge.ErrUnauthorized):
		site.refusals = min(site.refusals+1, mostRefusals)
	case err == nil:
		site.refusals = 0
		site.stats.Last = w.Now()
		site.stats.Took = max(site.stats.Last.Sub(start), 0)
	}
	if t := w.timers[tickKey(job.Subject, Sweep)]; t != nil {
		t.times = every(w.Sweep << site.refusals)
	}
	return err
}

func (w *Watcher) sweepSite(ctx context.Context, site *site, job queue.Job) error {
	memories, err := w.memories(ctx)
	if err != nil {
		return err
	}
	running, err := w.Queue.All(ctx, refresh.RunBucket)
	if err != nil {
		return fmt.Errorf("read which workflows run: %w", err)
	}
	s := &sweep{Watcher: w, site: site, job: job, memories: memories, running: running, found: map[string]forge.Repo{}}
	w.redeliver(ctx, site)
	if err := s.discover(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(w.Jobs)
	for _, e := range s.order() {
		if s.halted() || ctx.Err() != nil {
			break
		}
		group.Go(func() error { s.visit(ctx, e); return nil })
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.verdict()
}

// redeliver has the forge send again what it could not deliver, if it can.
func (w *Watcher) redeliver(ctx context.Context, site *site) {
	again, ok := site.Forge.(Redeliverer)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	n, err := again.Redeliver(ctx, w.Now().Add(-w.Keep/2))
	if err != nil {
		w.Log.Warn("cannot ask for failed deliveries", "forge", site.name, "err", err)
	} else if n > 0 {
		w.Log.Info("asked for failed deliveries again", "forge", site.name, "count", n)
	}
}

// discover lists the repositories that the forge's queries find.
func (s *sweep) discover(ctx context.Context) error {
	if len(s.site.Config.Discover) == 0 {
		return nil
	}
	failed := false
	for _, d := range s.site.Config.Discover {
		repos, err := s.query(ctx, forge.RepositoryQuery{Owner: d.Owner, Topic: d.Topic})
		if err != nil {
			if verdict := atFault(err); verdict != nil {
				return verdict
			}
			s.Log.Warn("cannot discover repositories", "forge", s.site.name, "owner", d.Owner, "topic", d.Topic, "err", err)
			s.count(err)
			failed = true
			continue
		}
		for _, repo := range repos {
			s.found[key(s.site.name, repo.Name)] = repo
		}
	}
	if failed {
		return nil // those that were found before stay watched
	}
	names := []string{}
	for _, repo := range s.found {
		names = append(names, repo.String())
	}
	slices.Sort(names)
	if len(names) > mostDiscovered {
		s.Log.Warn("too many repositories are discovered; the rest is not watched", "forge", s.site.name, "count", len(names), "limit", mostDiscovered)
		names = names[:mostDiscovered]
	}
	data, err := json.Marshal(names)
	if err == nil {
		err = s.Queue.Put(ctx, foundBucket, s.site.name, data)
	}
	if err != nil {
		return fmt.Errorf("keep which repositories were discovered: %w", err)
	}
	for _, subject := range s.replace(names) { // found again some day, it is seen for the first time
		if err := s.keep(ctx, subject, memory{}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) replace(names []string) (gone []string) {
	s.Watcher.mu.Lock()
	defer s.Watcher.mu.Unlock()
	return s.discovered(s.site.name, parseNames(names))
}

func (s *sweep) query(ctx context.Context, q forge.RepositoryQuery) ([]forge.Repo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.site.Forge.Repositories(ctx, q)
}

// order returns the site's repositories, those first that were not tried for
// the longest time: a sweep that the forge halts goes on where it was.
func (s *sweep) order() (entries []*entry) {
	s.Watcher.mu.Lock()
	defer s.Watcher.mu.Unlock()
	for _, e := range s.repos {
		if e.Forge == s.site.name {
			entries = append(entries, e)
			if !s.memories[e.Subject].known() {
				s.fresh++
			}
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(a.tried.Compare(b.tried), cmp.Compare(a.Subject, b.Subject))
	})
	return entries
}

// atFault returns what to do when an error tells of the forge as a whole, or of
// the queue; nil when it does not.
func atFault(err error) error {
	if errors.Is(err, errStore) {
		return err
	}
	limited := (*forge.RateLimitError)(nil)
	if errors.As(err, &limited) {
		return queue.Later(limited.RetryAfter, err)
	}
	return nil
}

// halted reports whether to leave the rest.
func (s *sweep) halted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halt != nil
}

// count takes note of how a look ended, and decides whether the forge is at
// fault.
func (s *sweep) count(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.successes++
		return
	}
	s.failures++
	s.last = err
	s.Watcher.mu.Lock()
	s.site.stats.Errors++
	s.Watcher.mu.Unlock()
	if verdict := atFault(err); verdict != nil && s.halt == nil {
		s.halt = verdict
	}
	if s.successes == 0 && s.failures >= enoughFailures && s.halt == nil {
		s.halt = s.fault(err)
	}
}

// verdict is what becomes of the job.
func (s *sweep) verdict() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.halt == nil && s.successes == 0 && s.failures > 0 {
		return s.fault(s.last)
	}
	return s.halt
}

// fault is the verdict when nothing succeeds, for a reason of which err is the
// last.
func (s *sweep) fault(err error) error {
	switch {
	case errors.Is(err, forge.ErrUnauthorized): // the operator has to mend it
		return queue.Park(err)
	case errors.Is(err, forge.ErrTransient), errors.Is(err, context.DeadlineExceeded):
		return queue.Later(min(s.Sweep, 2*time.Minute), err)
	}
	return nil // one by one, like names that are wrong
}
