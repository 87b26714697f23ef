package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/queue"
)

func TestWorker_verdicts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	tests := []struct {
		name     string
		err      func(run int, attempt int) error
		runs     int
		attempts []int
		state    string
		text     string
	}{
		{"nil", func(int, int) error { return nil }, 1, []int{1}, queue.Done, ""},
		{"retried until it works", func(run, _ int) error {
			if run < 3 {
				return errors.New("not yet")
			}
			return nil
		}, 3, []int{1, 2, 3}, queue.Done, "not yet"},
		{"dead after all attempts", func(run, _ int) error { return fmt.Errorf("no %d\x00\xff", run) }, 3, []int{1, 2, 3}, queue.Dead, "no 3\uFFFD"},
		{"parked", func(int, int) error { return fmt.Errorf("wrapped: %w", queue.Park(errors.New("nonsense"))) }, 1, []int{1}, queue.Dead, "wrapped: nonsense"},
		{"later counts no attempt", func(run, _ int) error {
			if run <= 5 {
				return fmt.Errorf("wrapped: %w", queue.Later(time.Millisecond, errors.New("limit")))
			}
			return nil
		}, 6, []int{1, 1, 1, 1, 1, 1}, queue.Done, ""},
		{"a long error", func(int, int) error { return queue.Park(errors.New(long)) }, 1, []int{1}, queue.Dead, long[:1996] + "…"},
	}
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Attempts = 3; o.Workers = len(tests) })
		logs := map[string]*runLog{}
		for _, c := range tests {
			logs["gitea:"+c.name] = &runLog{}
		}
		work(t, q, func(_ context.Context, job queue.Job) error {
			for _, c := range tests {
				if "gitea:"+c.name == job.Subject {
					return c.err(logs[job.Subject].add(job), job.Attempt)
				}
			}
			return nil
		})
		for _, c := range tests {
			want(t, q, merges(c.name))
		}
		settled(t, q)
		for _, c := range tests {
			infos, err := q.Jobs(t.Context(), queue.Filter{Subject: "gitea:" + c.name, Kind: "merges"})
			if err != nil || len(infos) != 1 {
				t.Fatalf("%s: %+v, %v", c.name, infos, err)
			}
			var attempts []int
			for _, j := range logs["gitea:"+c.name].all() {
				attempts = append(attempts, j.Attempt)
			}
			i := infos[0]
			if d := cmp.Diff(c.attempts, attempts); d != "" || i.State != c.state || i.Error != c.text {
				t.Errorf("%s: %s%+v", c.name, d, i)
			}
			if len(i.Error) > 2000 || !utf8.ValidString(i.Error) {
				t.Errorf("%s: an error of %d bytes", c.name, len(i.Error))
			}
		}
	})
}

// What a job waits for is to be seen while it waits, and a request meanwhile
// does not wake it: a forge may have asked for silence.
func TestWorker_laterIsKept(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			if log.add(job) > 1 {
				return nil
			}
			return queue.Later(time.Hour, errors.New("the forge asks for silence"))
		})
		want(t, q, command("a/b", "1"))
		until(t, "it waits", func() bool { return len(log.all()) == 1 && len(jobs(t, q, queue.Waiting)) == 1 })
		want(t, q, command("a/b", "2"))
		i := jobs(t, q, queue.Waiting)[0]
		if i.Error != "the forge asks for silence" || time.Until(i.Scheduled) < 59*time.Minute || i.Attempt != 0 {
			t.Errorf("%+v", i)
		}
		if _, err := q.Retry(t.Context(), i.ID); err != nil { // somebody knows better
			t.Fatal(err)
		}
		settled(t, q)
		if got := log.all(); len(got) != 2 || !cmp.Equal(itemIDs(got[1]), []string{"1", "2"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

func TestRequest_delay(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		slow := merges("a/b")
		slow.Delay = time.Hour
		want(t, q, slow)
		first := jobs(t, q, queue.Waiting)[0]
		slow.Delay = 2 * time.Hour
		want(t, q, slow)
		if got := jobs(t, q, queue.Waiting); len(got) != 1 || !got[0].Scheduled.Equal(first.Scheduled) {
			t.Errorf("a later request moved %v to %+v", first.Scheduled, got)
		}
		slow.Delay = time.Minute
		want(t, q, slow)
		if d := time.Until(jobs(t, q, queue.Waiting)[0].Scheduled); d < 50*time.Second || d > time.Minute+time.Second {
			t.Errorf("a sooner request made it wait for %v", d)
		}
		if n := len(log.all()); n != 0 {
			t.Errorf("%d ran before their time", n)
		}
		want(t, q, merges("a/b"))
		settled(t, q)
		if n := len(log.all()); n != 1 {
			t.Errorf("%d ran", n)
		}
	})
}

// A panic is an error: it has no more attempts than another, and hurts nobody
// else. What it says may be secret.
func TestFault_R7_panic(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Attempts = 3 })
		var runs, good atomic.Int32
		work(t, q, func(_ context.Context, job queue.Job) error {
			switch job.Subject {
			case "gitea:bad/text":
				runs.Add(1)
				panic("s3cr3t")
			case "gitea:bad/nil":
				var m map[string]int
				m["x"] = 1 //nolint:staticcheck,govet // the panic is meant
			}
			good.Add(1)
			return nil
		})
		want(t, q, merges("bad/text"), merges("bad/nil"))
		for i := range 10 {
			want(t, q, merges(fmt.Sprintf("good/%d", i)))
		}
		settled(t, q)
		if runs.Load() != 3 || good.Load() != 10 {
			t.Errorf("%d panics, %d others", runs.Load(), good.Load())
		}
		got := map[string]string{}
		for _, i := range jobs(t, q, queue.Dead) {
			got[i.Subject] = i.Error
		}
		if d := cmp.Diff(map[string]string{
			"gitea:bad/text": "the job panicked: a string",
			"gitea:bad/nil":  "the job panicked: assignment to entry in nil map",
		}, got); d != "" {
			t.Error(d)
		}
	})
}

// Who ignores its time-out is cut off; the next attempt takes its place.
func TestWorker_timeout(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.JobTimeout = 100 * time.Millisecond; o.Attempts = 2 })
		var log runLog
		work(t, q, func(ctx context.Context, job queue.Job) error {
			log.add(job)
			<-ctx.Done()
			return ctx.Err()
		})
		want(t, q, merges("a/b"))
		settled(t, q)
		dead := jobs(t, q, queue.Dead)
		if len(dead) != 1 || dead[0].Error != "context deadline exceeded" || len(log.all()) != 2 {
			t.Errorf("dead %+v, ran %+v", dead, log.all())
		}
	})
}
