package queue_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/test/postgrestest"
)

// subjects watches that no two jobs of a subject run at the same time.
type subjects struct {
	mu       sync.Mutex
	busy     map[string]string // by subject, the kind that runs
	overlaps []string
	most     int // subjects at the same time
	runs     map[string]int
}

func (s *subjects) Work(ctx context.Context, job queue.Job) error {
	s.mu.Lock()
	if other, taken := s.busy[job.Subject]; taken {
		s.overlaps = append(s.overlaps, fmt.Sprintf("%s: %s beside %s", job.Subject, job.Kind, other))
	}
	s.busy[job.Subject] = job.Kind
	s.most = max(s.most, len(s.busy))
	s.runs[job.Subject+" "+job.Kind]++
	s.mu.Unlock()
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, job.Subject)
	return ctx.Err()
}

func newSubjects() *subjects { return &subjects{busy: map[string]string{}, runs: map[string]int{}} }

// check asks for jobs of three kinds on two subjects, several times, and
// watches them. Jobs of one kind are one job anyway.
func (s *subjects) check(t *testing.T, qs ...*queue.Queue) {
	t.Helper()
	for round := range 3 {
		for _, subject := range []string{"gitea:acme/one", "gitea:acme/two"} {
			for _, kind := range []string{"merges", "commands", "base"} {
				want(t, qs[round%len(qs)], queue.Request{Subject: subject, Kind: kind})
			}
		}
		settled(t, qs[0])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.overlaps) > 0 {
		t.Errorf("at the same time ran %q", s.overlaps)
	}
	if s.most < 2 {
		t.Error("the subjects waited for each other")
	}
	if len(s.runs) != 6 {
		t.Errorf("what ran is %v", s.runs)
	}
	for target, n := range s.runs {
		if n != 3 {
			t.Errorf("%s ran %d times, want 3", target, n)
		}
	}
	done, err := qs[0].Jobs(t.Context(), queue.Filter{States: []string{queue.Done}})
	if err != nil || len(done) != 18 {
		t.Errorf("%d jobs are done, %v", len(done), err)
	}
	for _, j := range done {
		if j.Attempt != 1 {
			t.Errorf("job %d needed %d attempts: waiting for its turn counts none", j.ID, j.Attempt)
		}
	}
}

func TestQueue_oneJobOfASubjectAtATime(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, nil)
		seen := newSubjects()
		work(s.T, q, seen.Work)
		seen.check(s.T, q)
	})
}

// R4: nor do they in several processes.
func TestFault_R4_oneJobOfASubjectAtATime(t *testing.T) {
	t.Parallel()
	s := postgresScene(t)
	seen := newSubjects()
	one, two := s.open(t, nil), s.open(t, nil)
	work(t, one, seen.Work)
	work(t, two, seen.Work)
	seen.check(t, one, two)
}

// A job that waits for its next attempt is not at work: another kind's turn
// comes meanwhile.
func TestQueue_turnOfAFailedJob(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, func(o *queue.Options) { o.RetryFirst, o.RetryMax = time.Hour, time.Hour })
		var commands atomic.Int32
		work(s.T, q, func(_ context.Context, job queue.Job) error {
			if job.Kind == "merges" {
				return errors.New("not now")
			}
			commands.Add(1)
			return nil
		})
		want(s.T, q, merges("acme/one"))
		until(s.T, "the first attempt failed", func() bool { return len(jobs(s.T, q, queue.Retrying)) == 1 })
		want(s.T, q, command("acme/one", "1"))
		until(s.T, "the command is done", func() bool { return commands.Load() == 1 })
	})
}

// Attempts whose ends could not be recorded leave their tokens behind. Jobs do
// not wait for each other's, for ever.
func TestQueue_turnAfterLostEnds(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, nil)
		want(s.T, q, merges("acme/one"), command("acme/one", "1"))
		if err := q.Exec(s.Context(), `UPDATE odyssey_target SET token = 'lost'`); err != nil {
			s.Fatal(err)
		}
		var ran atomic.Int32
		work(s.T, q, func(context.Context, queue.Job) error { ran.Add(1); return nil })
		until(s.T, "both have run", func() bool { return ran.Load() == 2 })
	})
}

// A kind that is asked for again and again lets another have its turn, after
// the run that goes on.
func TestQueue_turnOfWhoWaitsLongest(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, nil)
		var merged atomic.Bool
		var commands, first atomic.Int32 // runs, and those before the merges were asked for
		work(s.T, q, func(ctx context.Context, job queue.Job) error {
			if job.Kind == "merges" {
				merged.Store(true)
				return nil
			}
			n := commands.Add(1)
			if merged.Load() {
				return nil
			}
			if err := q.Want(ctx, command("acme/one", fmt.Sprint(n))); err != nil {
				return err
			}
			select {
			case <-time.After(1500 * time.Millisecond): // longer than a job looks away
			case <-ctx.Done():
			}
			if n == 2 {
				first.Store(n)
				return q.Want(ctx, merges("acme/one"))
			}
			return nil
		})
		want(s.T, q, command("acme/one", "0"))
		until(s.T, "the merges' turn comes", merged.Load)
		if n := commands.Load() - first.Load(); n > 2 {
			s.Errorf("%d more runs of commands came first", n)
		}
	})
}

// Nor do two of a subject run at once on a database whose transactions see
// nothing that was committed since they began.
func TestQueue_turnWithRepeatableRead(t *testing.T) {
	t.Parallel()
	s := postgresScene(t)
	parsed, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(parsed.Path, "/")
	if err := postgrestest.New(t).Exec(t.Context(), `ALTER DATABASE "`+name+`" SET default_transaction_isolation = 'repeatable read'`); err != nil {
		t.Fatal(err)
	}
	seen := newSubjects()
	one, two := s.open(t, nil), s.open(t, nil)
	work(t, one, seen.Work)
	work(t, two, seen.Work)
	seen.check(t, one, two)
}

// R7: a job that does not end keeps one worker from others, not one more for
// each time that its time is over.
func TestFault_R7_jobThatNeverEnds(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, func(o *queue.Options) {
			o.Workers, o.JobTimeout, o.Lease, o.Drain = 2, 200*time.Millisecond, 200*time.Millisecond, time.Second
		})
		never := make(chan struct{})
		var hanging, others atomic.Int32
		work(s.T, q, func(_ context.Context, job queue.Job) error {
			if job.Kind == "sweep" {
				hanging.Add(1)
				<-never
				return nil
			}
			others.Add(1)
			return nil
		})
		s.Cleanup(func() { close(never) }) // before work ends
		want(s.T, q, queue.Request{Subject: "gitea:", Kind: "sweep"})
		for n := range int32(8) {
			want(s.T, q, merges("acme/one"))
			until(s.T, "others go on", func() bool { return others.Load() > n })
			time.Sleep(300 * time.Millisecond)
		}
		if n := hanging.Load(); n != 1 {
			s.Errorf("%d attempts hang", n)
		}
	})
}
