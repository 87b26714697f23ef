package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/queue"
)

func TestJobs_filterAndForm(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, merges("a/b"), merges("a/c"), command("a/b", "1"))
		for _, c := range []struct {
			f    queue.Filter
			want int
		}{
			{queue.Filter{}, 3},
			{queue.Filter{Subject: "gitea:a/b"}, 2},
			{queue.Filter{Subject: "gitea:a/b", Kind: "merges"}, 1},
			{queue.Filter{Subject: "gitea:a/b' OR 1=1 --"}, 0},
			{queue.Filter{Limit: 2}, 2},
			{queue.Filter{States: []string{queue.Dead, queue.Waiting}}, 3},
			{queue.Filter{States: []string{queue.Dead}}, 0},
		} {
			got, err := q.Jobs(t.Context(), c.f)
			if err != nil || len(got) != c.want {
				t.Errorf("%+v: %d jobs, %v; want %d", c.f, len(got), err, c.want)
			}
		}
		if _, err := q.Jobs(t.Context(), queue.Filter{States: []string{"available"}}); err == nil {
			t.Error("took a state that is not ours")
		}
		got := jobs(t, q)
		if got[0].ID < got[2].ID {
			t.Error("the newest is not the first")
		}
		text, err := json.Marshal(got[0])
		if err != nil || strings.Contains(string(text), "finished") || time.Since(got[0].Created) > time.Minute {
			t.Errorf("%s, %v", text, err)
		}
		stats, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]queue.Stat{{Kind: "commands", State: queue.Waiting, Count: 1}, {Kind: "merges", State: queue.Waiting, Count: 2}}, stats); d != "" {
			t.Error(d)
		}
	})
}

func TestJobs_cancelAndRetry(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, command("a/b", "1"))
		id := jobs(t, q)[0].ID
		if err := q.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if got := jobs(t, q, queue.Cancelled); len(got) != 1 || got[0].Finished == nil {
			t.Fatalf("%+v", jobs(t, q))
		}
		if err := q.Cancel(t.Context(), id); err == nil {
			t.Error("cancelled what is over")
		}
		want(t, q, command("a/b", "2"))
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if got := log.all(); len(got) != 1 || !cmp.Equal(itemIDs(got[0]), []string{"2"}) {
			t.Errorf("ran %+v", got)
		}
		again := retry(t, q, id)
		settled(t, q)
		if got := log.all(); len(got) != 2 || got[1].ID != again || again == id || !cmp.Equal(itemIDs(got[1]), []string{"1"}) {
			t.Errorf("ran %+v", got)
		}
		if _, err := q.Retry(t.Context(), again); err == nil || errors.Is(err, queue.ErrNoJob) {
			t.Errorf("retried what is done: %v", err)
		}
		_, retryErr := q.Retry(t.Context(), 4711)
		for _, err := range []error{retryErr, q.Cancel(t.Context(), 4711)} {
			if !errors.Is(err, queue.ErrNoJob) {
				t.Errorf("%v", err)
			}
		}
	})
}

// A dead job that is retried has its items and all its attempts again.
func TestJobs_retryDead(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Attempts = 2 })
		var (
			log  runLog
			fail atomic.Int32
		)
		fail.Store(2 + 1)
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			if fail.Add(-1) >= 0 {
				return errors.New("no luck")
			}
			return nil
		})
		want(t, q, command("a/b", "1"), command("a/b", "2"))
		settled(t, q)
		dead := jobs(t, q, queue.Dead)
		if len(dead) != 1 {
			t.Fatalf("dead: %+v", dead)
		}
		again := retry(t, q, dead[0].ID)
		settled(t, q)
		got := log.all()
		if len(got) != 4 || got[3].ID != again || got[2].Attempt != 1 || got[3].Attempt != 2 || !cmp.Equal(itemIDs(got[3]), []string{"1", "2"}) {
			t.Errorf("ran %+v", got)
		}
		if len(jobs(t, q, queue.Dead)) != 0 {
			t.Error("it is still dead")
		}
	})
}

// A dead job whose subject has another job meanwhile gives that one its items.
func TestJobs_retryDeadJoins(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var log runLog
		proceed := make(chan struct{})
		work(t, q, func(ctx context.Context, job queue.Job) error {
			switch log.add(job) {
			case 1:
				return queue.Park(errors.New("no luck"))
			case 2:
				select {
				case <-proceed:
				case <-ctx.Done():
				}
			}
			return nil
		})
		want(t, q, command("a/b", "1"))
		settled(t, q)
		want(t, q, command("a/b", "2"))
		until(t, "the other runs", func() bool { return len(log.all()) == 2 })
		retry(t, q, jobs(t, q, queue.Dead)[0].ID)
		close(proceed)
		until(t, "three runs", func() bool { return len(log.all()) == 3 })
		settled(t, q)
		if got := log.all(); len(got) != 3 || !cmp.Equal(itemIDs(got[2]), []string{"1"}) {
			t.Errorf("ran %+v", got)
		}
		if left := jobs(t, q, queue.Dead); len(left) != 0 {
			t.Errorf("still dead: %+v", left)
		}
	})
}

func TestJobs_cancelRunning(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var log runLog
		work(t, q, func(ctx context.Context, job queue.Job) error {
			if log.add(job) > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		want(t, q, command("a/b", "1"))
		until(t, "it runs", func() bool { return len(log.all()) == 1 })
		want(t, q, command("a/b", "2"))
		id := jobs(t, q, queue.Running)[0].ID
		if err := q.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		until(t, "two runs", func() bool { return len(log.all()) == 2 })
		settled(t, q)
		if got := jobs(t, q, queue.Cancelled); len(got) != 1 || got[0].ID != id {
			t.Errorf("cancelled: %+v", got)
		}
		if got := log.all(); len(got) != 2 || !cmp.Equal(itemIDs(got[1]), []string{"2"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

// A job that fails before it hears that it is cancelled is cancelled as well,
// and at once.
func TestJobs_cancelWhileItFails(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Lease = time.Hour })
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			if log.add(job) > 1 {
				return nil
			}
			if err := q.Cancel(t.Context(), job.ID); err != nil { //nolint:contextcheck // the job's own ends by it
				t.Error(err)
			}
			return errors.New("no luck")
		})
		want(t, q, command("a/b", "1"))
		until(t, "it is cancelled", func() bool { return len(jobs(t, q, queue.Cancelled)) == 1 })
		sound(t, s, q)
		retry(t, q, log.all()[0].ID)
		settled(t, q)
		if got := log.all(); len(got) != 2 || !cmp.Equal(itemIDs(got[1]), []string{"1"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

// Beside the process that works, another may look and repair.
func TestOpen_attach(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		o := s.options()
		o.Attach = true
		if q, err := queue.Open(t.Context(), o); err == nil {
			t.Error("attached to a store that is not there")
			_ = q.Close()
		}
		q := s.open(t, nil)
		var log runLog
		work(t, q, func(ctx context.Context, job queue.Job) error {
			if log.add(job) == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		})
		want(t, q, merges("a/b"))
		until(t, "it runs", func() bool { return len(log.all()) == 1 })

		beside := s.open(t, func(o *queue.Options) { o.Attach = true })
		if err := beside.Work(t.Context(), nil); err == nil {
			t.Error("it works")
		}
		running := jobs(t, beside, queue.Running)
		if len(running) != 1 {
			t.Fatalf("%+v", running)
		}
		if err := beside.Cancel(t.Context(), running[0].ID); err != nil {
			t.Fatal(err)
		}
		settled(t, q)
		retry(t, beside, running[0].ID)
		settled(t, q)
		if len(jobs(t, q, queue.Done)) != 1 {
			t.Errorf("%+v", jobs(t, q))
		}
	})
}

// What River still writes of a dead job's end, a little later, does not end the
// job that retries it.
func TestJobs_retryAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, nil)
		var ran atomic.Int32
		stop := work(s.T, q, func(_ context.Context, _ queue.Job) error {
			if ran.Add(1) == 1 {
				return queue.Park(errors.New("no luck"))
			}
			return nil
		})
		want(s.T, q, command("a/b", "1"))
		settled(s.T, q)
		stop()
		dead := jobs(s.T, q, queue.Dead)[0].ID
		retry(s.T, q, dead)
		if err := q.Exec(s.Context(), `UPDATE river_job SET state = 'completed', finalized_at = CURRENT_TIMESTAMP WHERE id = $1`, dead); err != nil {
			s.Fatal(err)
		}
		work(s.T, q, func(_ context.Context, _ queue.Job) error {
			ran.Add(1)
			return nil
		})
		settled(s.T, q)
		if n := ran.Load(); n != 2 {
			s.Errorf("it ran %d times", n)
		}
	})
}

// Retry loses none of a job's items, however many one run takes: neither those
// of two dead jobs, nor those of a cancelled one.
func TestJobs_retryManyItems(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		q := s.open(s.T, nil)
		var rs []queue.Request
		for i := range 2500 {
			rs = append(rs, command("acme/many", strconv.Itoa(i)))
		}
		want(s.T, q, rs...)
		if err := q.Cancel(s.Context(), jobs(s.T, q, queue.Waiting)[0].ID); err != nil {
			s.Fatal(err)
		}
		var well atomic.Bool
		var mu sync.Mutex
		seen := map[string]bool{}
		work(s.T, q, func(_ context.Context, job queue.Job) error {
			if !well.Load() {
				return queue.Park(errors.New("the token is refused"))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, i := range job.Items {
				seen[job.Subject+" "+i.ID] = true
			}
			return nil
		})
		for k := range 2 {
			rs = nil
			for i := range 600 {
				rs = append(rs, command("acme/one", strconv.Itoa(k*600+i)))
			}
			want(s.T, q, rs...)
			until(s.T, "it is dead", func() bool { return len(jobs(s.T, q, queue.Dead)) == k+1 })
		}
		well.Store(true)
		for _, j := range jobs(s.T, q, queue.Dead, queue.Cancelled) {
			retry(s.T, q, j.ID)
		}
		settled(s.T, q)
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != 2500+1200 {
			s.Errorf("%d of 3700 items were treated", len(seen))
		}
	})
}
