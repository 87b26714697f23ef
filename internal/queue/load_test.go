package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/queue/queuetest"
)

// None is lost under load, while jobs run; BenchmarkAccept says how fast.
func TestAccept_underLoad(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var items atomic.Int32
		work(t, q, func(_ context.Context, job queue.Job) error {
			items.Add(int32(len(job.Items)))
			return nil
		})
		r, err := queuetest.Load{Rate: 100, Duration: 3 * time.Second}.Run(t.Context(), q, "a")
		t.Log(r)
		if err != nil || r.Fresh != r.Sent || r.Sent != 300 {
			t.Errorf("%v, %v", r, err)
		}
		settled(t, q)
		if items.Load() != 150 {
			t.Errorf("%d of 150 items ran", items.Load())
		}
		sound(t, s, q)
	})
}

// BenchmarkAccept is the sustained load of CONTRACT's figures: deliveries a
// second for 10 s while four jobs run at a time. -bench Accept -benchtime 1x.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		kind string
		rate int
	}{{"sqlite", 200}, {"postgres", 500}} {
		b.Run(c.kind, func(b *testing.B) {
			s := benchScene(b, c.kind)
			o := s.options()
			q, err := queue.Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- q.Work(ctx, workFunc(func(context.Context, queue.Job) error { return nil })) }()
			for b.Loop() {
				r, err := queuetest.Load{Rate: c.rate, Duration: 10 * time.Second}.Run(b.Context(), q, time.Now().String())
				if err != nil || r.Fresh != r.Sent {
					b.Fatalf("%v, %v", r, err)
				}
				b.Log(r)
				b.ReportMetric(r.Rate, "deliveries/s")
				b.ReportMetric(float64(r.P50.Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(r.P99.Microseconds())/1000, "p99-ms")
			}
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
			if err := q.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
