package web

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/queue"
)

// Reports returns what was stored of the last runs, by subject and kind.
type Reports interface {
	All(ctx context.Context, bucket string) (map[string][]byte, error)
}

// Jobs tells of the jobs of the queue.
type Jobs interface {
	Jobs(ctx context.Context, f queue.Filter) ([]queue.Info, error)
	Stats(ctx context.Context) ([]queue.Stat, error)
}

// Repository is a repository that is watched.
type Repository struct {
	Subject string `json:"subject"` // "gitea:acme/odoo-image"
	Forge   string `json:"forge"`
	Name    string `json:"name"` // "acme/odoo-image"
	WebURL  string `json:"webURL,omitempty"`
	Gone    string `json:"-"` // why it cannot be found on its forge any more; "" when it can
}

const (
	mergesKind   = "merges"
	commandsKind = "commands"

	boardFresh = 2 * time.Second // how long what was read is shown again
	boardWait  = 3 * time.Second // for the store
)

// board reads what the pages and metrics show, at most once in boardFresh, so
// that looking at them costs the store little.
type board struct {
	reports      Reports
	jobs         Jobs
	repositories func() []Repository
	next         func(subject, kind string) time.Time
	now          func() time.Time
	log          *slog.Logger

	mu      sync.Mutex
	last    *picture
	tried   time.Time
	failed  bool
	decoded map[string]decoded // by the report's key
}

// picture is the state of everything at one time. It is not changed once made.
type picture struct {
	At    time.Time
	Stale bool  // the store did not answer since
	Rows  []row // failing first, then the longest behind, then by name
	Jobs  []job // dead, running, waiting; at most listedJobs of each
	Stats []queue.Stat
}

func newBoard(o Options) *board {
	b := &board{reports: o.Reports, jobs: o.Jobs, repositories: o.Repositories, next: o.Next, now: o.Now, log: o.Log}
	if b.repositories == nil {
		b.repositories = func() []Repository { return nil }
	}
	if b.next == nil {
		b.next = func(string, string) time.Time { return time.Time{} }
	}
	return b
}

// look returns what is there now. When the store does not answer it is the
// last that was, or nil.
func (b *board) look(ctx context.Context) *picture {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if !b.tried.IsZero() && now.Sub(b.tried) < boardFresh && now.Sub(b.tried) >= 0 {
		return b.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWait)
	defer cancel()
	p, err := b.read(ctx)
	b.tried = b.now()
	if err != nil {
		if !b.failed {
			b.log.Error("no state for the status pages", "err", err)
		}
		b.failed = true
		if b.last != nil {
			stale := *b.last
			stale.Stale = true
			b.last = &stale
		}
		return b.last
	}
	b.last, b.failed = p, false
	return p
}

func (b *board) read(ctx context.Context) (*picture, error) {
	stats, err := b.jobs.Stats(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := b.reports.All(ctx, bot.ReportBucket)
	if err != nil {
		return nil, err
	}
	jobs, err := b.readJobs(ctx)
	if err != nil {
		return nil, err
	}
	now := b.now()
	bySubject := b.decode(stored)
	dead := map[string][]job{}
	for _, j := range jobs {
		if j.State == queue.Dead {
			dead[j.Subject] = append(dead[j.Subject], j)
		}
	}
	p := &picture{At: now, Jobs: jobs, Stats: stats}
	for _, repo := range b.repositories() {
		reports := bySubject[repo.Subject]
		kinds := []string{mergesKind}
		for _, r := range reports {
			if r.Kind != commandsKind && !slices.Contains(kinds, r.Kind) {
				kinds = append(kinds, r.Kind)
			}
		}
		next := time.Time{}
		for _, kind := range kinds {
			if at := b.next(repo.Subject, kind); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		p.Rows = append(p.Rows, makeRow(now, repo, reports, dead[repo.Subject], next))
	}
	slices.SortFunc(p.Rows, compareRows)
	return p, nil
}

// order puts those for which something holds first.
func order(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}
