package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

const (
	fetchPoll     = 500 * time.Millisecond
	fetchCooldown = 50 * time.Millisecond
	doneKept      = 24 * time.Hour
	// stopGrace is how long cancelled jobs have until Work returns without them.
	stopGrace = 10 * time.Second
)

// Work does jobs, Options.Workers at a time, until ctx ends; then it takes no
// more, gives those that run Options.Drain to end, and cancels the rest, which
// run again later without an attempt counted. One Work at a time.
func (q *Queue) Work(ctx context.Context, w Worker) error {
	if q.o.Attach {
		return errors.New("work: the queue was opened for looking")
	}
	if !q.setWorking(true) {
		return errors.New("work: the queue is at work already")
	}
	defer q.setWorking(false)

	id := "odyssey-" + rand.Text()
	r, err := q.newRunner(id, w)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	if err := q.beat(ctx, id); err != nil {
		return startFailure(ctx, q.store.failure(err))
	}
	tendCtx, stopTending := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { q.tend(tendCtx, id) })
	defer wg.Wait()
	defer stopTending()

	// River is stopped by its Stop alone: when the deadline of the context that
	// it was started with passes, its listener tries again without a pause.
	if err := r.Start(context.WithoutCancel(ctx)); err != nil {
		return startFailure(ctx, q.store.failure(err))
	}
	<-ctx.Done()
	stopCtx, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), q.o.Drain+stopGrace)
	defer cancelStop()
	if err := r.Stop(stopCtx); err != nil {
		return errors.New("a job does not end although it was cancelled; it runs again later")
	}
	leaveCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	return q.leave(leaveCtx, id)
}

// startFailure is an error of a start; none when the process was to stop while
// it started.
func startFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it failed because of that
	}
	return fmt.Errorf("work: %w", err)
}

func (q *Queue) setWorking(on bool) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if on && q.working {
		return false
	}
	q.working = on
	return true
}

func (q *Queue) newRunner(id string, w Worker) (runner, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{q: q, inner: w}); err != nil {
		return nil, err
	}
	return q.store.runner(&river.Config{
		ID:                          id,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: q.o.Workers}},
		Workers:                     workers,
		MaxAttempts:                 q.o.Attempts,
		JobTimeout:                  q.o.JobTimeout,
		SoftStopTimeout:             max(q.o.Drain, time.Millisecond),
		FetchPollInterval:           fetchPoll,
		FetchCooldown:               fetchCooldown,
		CompletedJobRetentionPeriod: doneKept,
		CancelledJobRetentionPeriod: q.o.Keep,
		DiscardedJobRetentionPeriod: q.o.Keep,
		// Never: River gives a stuck job to another process under the same
		// number, so that what the first one does with it later would count.
		RescueStuckJobsAfter: math.MaxInt64 / 4,
	})
}

// pause is how long a job waits after that many failed attempts: it doubles,
// within bounds, give or take a fifth.
func (q *Queue) pause(attempts int) time.Duration {
	d := q.o.RetryMax
	if n := attempts - 1; n < 32 && q.o.RetryFirst < q.o.RetryMax>>n {
		d = q.o.RetryFirst << n
	}
	return jitter(d)
}

// jitter is a duration give or take a fifth.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*mathrand.Float64())) //nolint:gosec // it is no secret
}
