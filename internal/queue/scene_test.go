package queue_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/postgrestest"
)

const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(child(role))
	}
	os.Exit(postgrestest.Main(m))
}

// scene is a store of one kind, empty at first, and the test that has it.
type scene struct {
	*testing.T
	kind string // "sqlite" or "postgres"
	path string
	url  string
}

// both runs a test on both stores: what the queue promises, it promises on
// either.
func both(t *testing.T, test func(s *scene)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(&scene{T: t, kind: "sqlite", path: filepath.Join(t.TempDir(), "queue %41?.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(&scene{T: t, kind: "postgres", url: postgrestest.URL(t)})
	})
}

// options are quick where the defaults are for people.
func (s *scene) options() queue.Options {
	return queue.Options{
		Path: s.path, URL: secret.New(s.url), Drain: 10 * time.Second, Lease: 3 * time.Second,
		RetryFirst: 20 * time.Millisecond, RetryMax: 40 * time.Millisecond,
	}
}

// open opens the store. change may be nil.
func (s *scene) open(t *testing.T, change func(o *queue.Options)) *queue.Queue {
	t.Helper()
	o := s.options()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	if change != nil {
		change(&o)
	}
	q, err := queue.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

type workFunc func(ctx context.Context, job queue.Job) error

func (f workFunc) Work(ctx context.Context, job queue.Job) error { return f(ctx, job) }

// work lets a queue work until the returned function is called, or the test
// ends.
func work(t *testing.T, q *queue.Queue, f workFunc) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Work(ctx, f) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("work: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// log is what ran.
type runLog struct {
	mu   sync.Mutex
	jobs []queue.Job
}

func (l *runLog) add(job queue.Job) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, job)
	return len(l.jobs)
}

func (l *runLog) all() []queue.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]queue.Job(nil), l.jobs...)
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// settled waits until no job waits or runs.
func settled(t *testing.T, q *queue.Queue) {
	t.Helper()
	until(t, "no job waits or runs", func() bool {
		return len(jobs(t, q, queue.Waiting, queue.Retrying, queue.Running)) == 0
	})
}

func jobs(t *testing.T, q *queue.Queue, states ...string) []queue.Info {
	t.Helper()
	infos, err := q.Jobs(t.Context(), queue.Filter{States: states})
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

func accept(t *testing.T, q *queue.Queue, id string, rs ...queue.Request) (fresh bool) {
	t.Helper()
	fresh, err := q.Accept(t.Context(), queue.Delivery{Source: "gitea", ID: id, Event: "push"}, rs...)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func want(t *testing.T, q *queue.Queue, rs ...queue.Request) {
	t.Helper()
	if err := q.Want(t.Context(), rs...); err != nil {
		t.Fatal(err)
	}
}

func retry(t *testing.T, q *queue.Queue, id int64) (by int64) {
	t.Helper()
	by, err := q.Retry(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func merges(repo string) queue.Request {
	return queue.Request{Subject: "gitea:" + repo, Kind: "merges"}
}

func command(repo, id string) queue.Request {
	data, _ := json.Marshal(map[string]string{"body": "/refresh " + id})
	return queue.Request{Subject: "gitea:" + repo, Kind: "commands", Item: &queue.Item{ID: id, Data: data}}
}

func itemIDs(job queue.Job) (ids []string) {
	for _, i := range job.Items {
		ids = append(ids, i.ID)
	}
	return ids
}

func benchScene(b *testing.B, kind string) *scene {
	b.Helper()
	if kind == "sqlite" {
		return &scene{kind: kind, path: filepath.Join(b.TempDir(), "queue.db")}
	}
	return &scene{kind: kind, url: postgrestest.URL(b)}
}

// postgresScene is for what only a shared store can do.
func postgresScene(t *testing.T) *scene {
	t.Helper()
	return &scene{T: t, kind: "postgres", url: postgrestest.URL(t)}
}
