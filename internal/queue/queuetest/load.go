// Package queuetest measures how a queue bears deliveries.
package queuetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
)

// Accepter is what is measured: a *queue.Queue.
type Accepter interface {
	Accept(ctx context.Context, d queue.Delivery, rs ...queue.Request) (fresh bool, err error)
}

// Load is deliveries at a steady rate, sent whether the ones before them were
// answered or not, as forges do.
type Load struct {
	Rate     int           // deliveries a second
	Duration time.Duration // for so long
	Subjects int           // repositories among which they are spread; 50
}

// Result is how a load was borne. A latency is the time from when a delivery
// was due until its commit, so that a queue that falls behind shows it.
type Result struct {
	Sent     int           // deliveries
	Fresh    int           // of them that were committed as new: all, or some were lost
	Rate     float64       // committed deliveries a second
	P50, P99 time.Duration // latencies
	Max      time.Duration
}

func (r Result) String() string {
	return fmt.Sprintf("%d of %d deliveries, %.0f/s, p50 %v, p99 %v, max %v", r.Fresh, r.Sent, r.Rate,
		r.P50.Round(10*time.Microsecond), r.P99.Round(10*time.Microsecond), r.Max.Round(10*time.Microsecond))
}

// Run sends the load. Every second delivery is a push, the others are comments
// with an item. run makes the deliveries' ids differ from those of other runs.
func (l Load) Run(ctx context.Context, q Accepter, run string) (Result, error) {
	if l.Rate <= 0 || l.Duration <= 0 {
		return Result{}, errors.New("a load needs a rate and a duration")
	}
	if l.Subjects <= 0 {
		l.Subjects = 50
	}
	total := int(l.Duration.Seconds() * float64(l.Rate))
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		took  []time.Duration
		fresh int
		errs  []error
	)
	start := time.Now()
	for i := range total {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
		if err := waitUntil(ctx, due); err != nil {
			errs = append(errs, err)
			break
		}
		wg.Go(func() {
			ok, err := q.Accept(ctx, queue.Delivery{Source: "load", ID: fmt.Sprintf("%s-%d", run, i), Event: "push"}, l.request(run, i))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			if ok {
				fresh++
			}
			if err != nil && len(errs) < 10 {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	whole := time.Since(start)
	if len(took) == 0 {
		return Result{}, errors.Join(errs...)
	}
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[min(int(share*float64(len(took))), len(took)-1)] }
	return Result{
		Sent: len(took), Fresh: fresh, Rate: float64(fresh) / whole.Seconds(),
		P50: at(0.5), P99: at(0.99), Max: took[len(took)-1],
	}, errors.Join(errs...)
}

func (l Load) request(run string, i int) queue.Request {
	subject := fmt.Sprintf("load:acme/odoo-%d", i%l.Subjects)
	if i%2 == 0 {
		return queue.Request{Subject: subject, Kind: "merges"}
	}
	return queue.Request{Subject: subject, Kind: "commands", Item: &queue.Item{
		ID: fmt.Sprintf("%s-%d", run, i), Data: json.RawMessage(`{"body":"/refresh ./odoo"}`),
	}}
}

func waitUntil(ctx context.Context, at time.Time) error {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
