package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is when most tests begin: 06:00 in Madrid.
func monday() time.Time { return time.Date(2026, 7, 6, 4, 0, 0, 0, time.UTC) }

// clock stands still but when a test lets it go.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	naps chan nap
	done <-chan struct{}
	held *nap
}

type nap struct {
	d time.Duration
	c chan time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

func (c *clock) Nap(d time.Duration) <-chan time.Time {
	n := nap{d, make(chan time.Time, 1)}
	select {
	case c.naps <- n:
	case <-c.done:
	}
	return n.c
}

// pass lets time pass until end; who naps wakes no sooner than after step.
func (c *clock) pass(t *testing.T, end time.Time, step time.Duration) {
	t.Helper()
	for {
		if c.held == nil {
			select {
			case n := <-c.naps:
				c.held = &n
			case <-time.After(time.Minute):
				t.Fatal("nobody naps")
			}
		}
		at := c.Now().Add(max(c.held.d, step))
		if at.After(end) {
			c.set(end)
			return
		}
		c.set(at)
		c.held.c <- at
		c.held = nil
	}
}

// recorder is a queue that remembers what it was asked for.
type recorder struct {
	*queue.Queue
	mu    sync.Mutex
	wants []queue.Request
	ticks []string // those that had not been
}

func (r *recorder) record(rs []queue.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wants = append(r.wants, rs...)
}

func (r *recorder) Want(ctx context.Context, rs ...queue.Request) error {
	r.record(rs)
	return r.Queue.Want(ctx, rs...)
}

func (r *recorder) Tick(ctx context.Context, key string, at time.Time, rs ...queue.Request) (bool, error) {
	ticked, err := r.Queue.Tick(ctx, key, at, rs...)
	if ticked && len(rs) > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ticks = append(r.ticks, key+" "+at.UTC().Format("01-02T15:04Z"))
	}
	return ticked, err
}

// asked returns and forgets what was wanted: "main:acme/a merges", with an
// item's id behind it.
func (r *recorder) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, request := range r.wants {
		text := request.Subject + " " + request.Kind
		if request.Item != nil {
			text += " " + request.Item.ID
		}
		out = append(out, text)
	}
	r.wants = nil
	return out
}

// ticked returns and forgets the ticks of repositories.
func (r *recorder) ticked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, tick := range r.ticks {
		if !strings.Contains(tick, ": sweep") {
			out = append(out, tick)
		}
	}
	r.ticks = nil
	return out
}

// scene is a forge, a queue, and a clock for both.
type scene struct {
	*clock
	t     *testing.T
	path  string
	queue *recorder
	fake  *forgetest.Fake
	human map[string]forgetest.Human // by repository
}

// newScene has the repositories of acme.
func newScene(t *testing.T, repos ...string) *scene {
	t.Helper()
	s := &scene{
		clock: &clock{now: monday(), naps: make(chan nap), done: t.Context().Done()},
		t:     t, path: filepath.Join(t.TempDir(), "queue.db"), fake: forgetest.NewFake(), human: map[string]forgetest.Human{},
	}
	s.fake.SetClock(s.Now)
	for _, repo := range repos {
		s.add(repo)
	}
	s.queue = s.open()
	return s
}

func (s *scene) add(repo string) {
	s.human[repo] = s.fake.AddRepo(forge.Name{Owner: "acme", Name: repo})
}

func (s *scene) open() *recorder {
	s.t.Helper()
	q, err := queue.Open(s.t.Context(), queue.Options{Path: s.path, Now: s.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := q.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return &recorder{Queue: q}
}

// listed is a configuration that lists the repositories of acme.
func (s *scene) listed() config.Forge {
	f := config.Forge{Name: "main"}
	for repo := range s.human {
		f.Repositories = append(f.Repositories, "acme/"+repo)
	}
	return f
}

// watcher returns a Watcher of what the configuration says; change may be nil.
func (s *scene) watcher(f config.Forge, change func(o *watch.Options)) *watch.Watcher {
	s.t.Helper()
	o := watch.Options{
		Queue: s.queue, Sources: []watch.Source{{Config: f, Forge: s.fake}}, Now: s.Now, Nap: s.Nap,
		Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)),
	}
	if change != nil {
		change(&o)
	}
	w, err := watch.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return w
}

// sweep looks at the forge "main" once.
func (s *scene) sweep(w *watch.Watcher) {
	s.t.Helper()
	if err := w.Work(s.t.Context(), queue.Job{Subject: "main:", Kind: watch.Sweep}); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the Watcher until the returned function is called.
func (s *scene) run(w *watch.Watcher) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.done, s.held = ctx.Done(), nil
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("run: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// calls counts the calls of the forge since the last time.
func (s *scene) calls(already int) int { return len(s.fake.Calls()) - already }

func name(repo string) forge.Name { return forge.Name{Owner: "acme", Name: repo} }

// push pushes to the default branch.
func (s *scene) push(repo string) (head string) {
	s.t.Helper()
	file := forgetest.File{Content: s.Now().String()}
	return s.human[repo].Push(s.t, forgetest.Commit{Branch: "main", Files: map[string]forgetest.File{"f": file}})[0]
}

// comment comments on a new issue of the repository a.
func (s *scene) comment(body string) forge.Comment {
	s.t.Helper()
	number := s.human["a"].OpenIssue(s.t, "t", "b")
	id := s.human["a"].Comment(s.t, number, body)
	c, err := s.fake.Comment(s.t.Context(), forge.Repo{Name: name("a")}, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// commentEvent is what a webhook tells of a comment.
func commentEvent(repo string, c forge.Comment) forge.Event {
	return forge.Event{
		Kind: forge.EventComment, Type: "issue_comment", Delivery: fmt.Sprintf("comment-%d", c.ID),
		Repo: name(repo), Sender: c.Author, Number: c.Number, Comment: c,
	}
}

func pushEvent(repo, delivery, head string) forge.Event {
	return forge.Event{Kind: forge.EventPush, Type: "push", Delivery: delivery, Repo: name(repo), Sender: "human", Branch: "main", Head: head}
}

func item(t *testing.T, r queue.Request) (c bot.CommentItem) {
	t.Helper()
	if r.Item == nil {
		t.Fatal("no item")
	}
	if err := json.Unmarshal(r.Item.Data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func policy(t *testing.T, text string) config.Repo {
	t.Helper()
	repo, err := config.ParseRepo(".odyssey.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return repo
}
