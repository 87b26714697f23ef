package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/queue"
)

// Who is told to stop ends what it does, or puts it back as it was.
func TestFault_C10_drain(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Drain = 500 * time.Millisecond })
		want(t, q, merges("a/quick"), command("a/slow", "1"))
		var started atomic.Int32
		stop := work(t, q, func(ctx context.Context, job queue.Job) error {
			started.Add(1)
			if job.Kind == "merges" {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(300 * time.Millisecond):
					return nil
				}
			}
			<-ctx.Done()
			return fmt.Errorf("git fetch: signal: killed")
		})
		until(t, "both run", func() bool { return started.Load() == 2 })
		stop()
		if got := jobs(t, q, queue.Done); len(got) != 1 || got[0].Kind != "merges" {
			t.Errorf("done: %+v", got)
		}
		if got := jobs(t, q, queue.Waiting); len(got) != 1 || got[0].Attempt != 0 {
			t.Errorf("waiting: %+v", got)
		}
		sound(t, s, q)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if got := log.all(); len(got) != 1 || got[0].Attempt != 1 || !cmp.Equal(itemIDs(got[0]), []string{"1"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

// Who is told to stop while it starts has nothing to complain of.
func TestFault_C10_stoppedAtTheStart(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, merges("a/b"))
		for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			if err := q.Work(ctx, workFunc(func(context.Context, queue.Job) error { return nil })); err != nil {
				t.Errorf("after %v: %v", after, err)
			}
			cancel()
		}
	})
}

// A job that does not hear keeps nobody from stopping.
func TestFault_C10_jobThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		o := s.options()
		o.Drain = 100 * time.Millisecond
		q, err := queue.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want(t, q, merges("a/b"))
		ctx, cancel := context.WithCancel(t.Context())
		free := make(chan struct{})
		done := make(chan struct{})
		err = errors.Join(q.Work(ctx, workFunc(func(context.Context, queue.Job) error {
			defer close(done)
			cancel()
			<-free
			return nil
		})), q.Close())
		if err == nil || !strings.Contains(err.Error(), "a job does not end") {
			t.Errorf("it says %v", err)
		}
		close(free)
		<-done
		s.open(t, nil) // the file's lock is free again
	})
}
