// Package watch knows which repositories are watched, and says what is to be
// done in them and when: what an event asks for, what a schedule asks for, and
// what a sweep over the forges finds that webhooks missed. It does nothing of
// that itself: it puts requests into the queue.
package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Kinds of jobs that a Watcher asks for, beside those of refresh.Kinds.
const (
	Merges   = string(refresh.Merges)
	Commands = "commands" // obey comments; each item is a bot.CommentItem
	Sweep    = "sweep"    // look at all repositories of a forge; Watcher.Work does it
)

// Subject returns the subject of a repository's jobs: "gitea:acme/odoo-image".
func Subject(forgeName string, repo forge.Name) string { return forgeName + ":" + repo.String() }

// sweepSubject returns the subject of a forge's sweeps.
func sweepSubject(forgeName string) string { return forgeName + ":" }

// Finder finds repositories.
type Finder interface {
	Repo(ctx context.Context, name forge.Name) (forge.Repo, error)
	Repositories(ctx context.Context, q forge.RepositoryQuery) ([]forge.Repo, error)
}

// Reader reads what may be new in a repository.
type Reader interface {
	Branch(ctx context.Context, repo forge.Repo, name string) (forge.Branch, error)
	CommentsSince(ctx context.Context, repo forge.Repo, since time.Time) (forge.CommentPage, error)
}

// Forge is a driver. One that is a Redeliverer too is asked for the webhooks
// whose delivery failed.
type Forge interface {
	Finder
	Reader
}

// Redeliverer is a driver of a forge that knows which deliveries of webhooks
// failed and sends them again when asked to. Gitea and Forgejo do not: their API
// lists no deliveries.
type Redeliverer interface {
	// Redeliver asks for those that failed since a time, and returns how many.
	Redeliver(ctx context.Context, since time.Time) (int, error)
}

// Requests takes what is to be done.
type Requests interface {
	Accept(ctx context.Context, d queue.Delivery, rs ...queue.Request) (fresh bool, err error)
	Want(ctx context.Context, rs ...queue.Request) error
}

// Ticks remembers when a schedule came last.
type Ticks interface {
	Tick(ctx context.Context, key string, at time.Time, rs ...queue.Request) (ticked bool, err error)
	LastTick(ctx context.Context, key string) (time.Time, error)
	SetBackTick(ctx context.Context, key string, from, to time.Time) error
}

// Memory keeps what may be forgotten.
type Memory interface {
	Put(ctx context.Context, bucket, key string, value []byte) error
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	All(ctx context.Context, bucket string) (map[string][]byte, error)
}

// Queue is a *queue.Queue.
type Queue interface {
	Requests
	Ticks
	Memory
}

// Source is a forge and what of it is watched.
type Source struct {
	Config config.Forge
	Forge  Forge
}

// Options are what a Watcher is made of. Queue and Sources are needed.
type Options struct {
	Queue   Queue
	Sources []Source
	Sweep   time.Duration  // between two sweeps of a forge; 15 minutes
	Keep    time.Duration  // for which the queue remembers items; 30 days
	Kinds   []refresh.Kind // of refresh that are asked for; Merges alone
	// Followers are repositories that depend on others.
	Followers []Follower
	Jobs      int           // repositories that a sweep looks at together; 8
	Timeout   time.Duration // of a sweep's look at one repository; 1 minute

	Log *slog.Logger                           // nil: none
	Now func() time.Time                       // nil: time.Now
	Nap func(d time.Duration) <-chan time.Time // nil: time.After
}

// Follower is a repository that locks a branch of another one: its merges are
// looked at after a push there.
type Follower struct {
	Forge   string // of both, its name in the configuration
	Repo    forge.Name
	Branch  string // "": the default one
	Subject string // of the follower's jobs
}

// Watched is a watched repository as the last sweep found it.
type Watched struct {
	Subject string
	Forge   string // name in the configuration
	Repo    forge.Name
	Listed  bool // in the configuration; the others were discovered

	WebURL        string // "" until it was looked at, as the following
	DefaultBranch string
	Archived      bool
	Empty         bool
	Error         string // why the last sweep could not look at it
	Gone          bool   // there is no such repository, or it has another name now: Error says which
}

// SweepStats is how the sweeps of a forge went in this process.
type SweepStats struct {
	Forge        string
	Repositories int           // watched
	Failing      int           // of them, at the last look
	Errors       int           // failed looks at repositories and failed discoveries, ever
	Last         time.Time     // end of the last complete sweep; zero when none was
	Took         time.Duration // the last complete sweep
}

// Watcher watches. Its methods may be called at the same time.
type Watcher struct {
	Options

	mu     sync.Mutex
	sites  map[string]*site  // by the forge's name
	repos  map[string]*entry // by key
	timers map[string]*timer // by key of the tick
	wake   chan struct{}     // a policy was learned, or a repository found
	usual  timings           // of a repository whose policy is not known
}

// site is a forge. The Watcher's mu guards it.
type site struct {
	Source
	name      string
	account   string // login of the bot; "" until a repository was read
	strangers map[string]time.Time
	refusals  int // sweeps in a row that the forge refused
	stats     SweepStats
}

// entry is a watched repository. The Watcher's mu guards it.
type entry struct {
	Watched
	timings timings   // of its policy
	tried   time.Time // last look of a sweep in this process
	pushed  string    // newest head of the default branch that an event told of
}

// New returns a Watcher of the repositories that the sources list.
func New(o Options) (*Watcher, error) {
	o.Sweep = cmp.Or(o.Sweep, 15*time.Minute)
	o.Keep = cmp.Or(o.Keep, 30*24*time.Hour)
	o.Jobs = cmp.Or(o.Jobs, 8)
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	if len(o.Kinds) == 0 {
		o.Kinds = []refresh.Kind{refresh.Merges}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Nap == nil {
		o.Nap = time.After
	}
	if o.Queue == nil || o.Sweep < 0 || o.Keep < 0 || o.Jobs < 0 || o.Timeout < 0 {
		return nil, errors.New("watch: there is no queue, or a number or duration is negative")
	}
	w := &Watcher{
		Options: o, sites: map[string]*site{}, repos: map[string]*entry{}, timers: map[string]*timer{},
		wake: make(chan struct{}, 1),
	}
	w.usual = w.timingsOf(config.DefaultRepo())
	for _, source := range o.Sources {
		name := source.Config.Name
		if w.sites[name] != nil || strings.ContainsAny(name, ": ") {
			return nil, fmt.Errorf("watch: the forge's name %q is taken or has a colon or space in it", name)
		}
		w.sites[name] = &site{Source: source, name: name, strangers: map[string]time.Time{}, stats: SweepStats{Forge: name}}
		w.addTimer(sweepSubject(name), Sweep, every(o.Sweep), offset(name, o.Sweep))
		for _, text := range source.Config.Repositories {
			repo, err := forge.ParseName(text)
			if err != nil {
				return nil, fmt.Errorf("watch: forge %s: %w", name, err)
			}
			w.add(name, repo, true)
		}
	}
	return w, nil
}

// key is what finds a repository: forges take names in any case.
func key(forgeName string, repo forge.Name) string {
	return strings.ToLower(Subject(forgeName, repo))
}

// add makes a repository watched. The caller holds mu, or is New.
func (w *Watcher) add(forgeName string, repo forge.Name, listed bool) {
	k := key(forgeName, repo)
	if known := w.repos[k]; known != nil {
		known.Listed = known.Listed || listed
		return
	}
	e := &entry{Watched: Watched{Subject: Subject(forgeName, repo), Forge: forgeName, Repo: repo, Listed: listed}, timings: w.usual}
	w.repos[k] = e
	for kind, t := range w.usual {
		w.addTimer(e.Subject, kind, t.Schedule, offset(tickKey(e.Subject, kind), t.Jitter.Duration))
	}
}

// remove makes a repository unwatched. The caller holds mu.
func (w *Watcher) remove(e *entry) {
	delete(w.repos, key(e.Forge, e.Repo))
	for _, kind := range refresh.Kinds() {
		delete(w.timers, tickKey(e.Subject, string(kind)))
	}
}

// Repositories lists what is watched, by subject.
func (w *Watcher) Repositories() []Watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Watched, 0, len(w.repos))
	for _, e := range w.repos {
		all = append(all, e.Watched)
	}
	slices.SortFunc(all, func(a, b Watched) int { return cmp.Compare(a.Subject, b.Subject) })
	return all
}

// Stats tells how the sweeps went, by forge.
func (w *Watcher) Stats() []SweepStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	watched, failing := map[string]int{}, map[string]int{}
	for _, e := range w.repos {
		watched[e.Forge]++
		if e.Error != "" {
			failing[e.Forge]++
		}
	}
	all := make([]SweepStats, 0, len(w.sites))
	for name, s := range w.sites {
		stats := s.stats
		stats.Repositories, stats.Failing = watched[name], failing[name]
		all = append(all, stats)
	}
	slices.SortFunc(all, func(a, b SweepStats) int { return cmp.Compare(a.Forge, b.Forge) })
	return all
}
