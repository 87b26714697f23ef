package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/queue"
)

func TestQueue_deliveryCausesJobs(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		if !accept(t, q, "1", merges("a/b"), command("a/b", "7")) {
			t.Error("a new delivery is not fresh")
		}
		accept(t, q, "2", merges("a/b"), command("a/b", "9"), command("a/b", "8"))
		if n := len(jobs(t, q, queue.Waiting)); n != 2 {
			t.Errorf("%d jobs wait; want one of a kind", n)
		}
		var log runLog
		work(t, q, func(ctx context.Context, job queue.Job) error {
			log.add(job)
			return job.Fence(ctx)
		})
		settled(t, q)
		got := map[string][]string{}
		for _, j := range log.all() {
			if j.Attempt != 1 || j.Subject != "gitea:a/b" {
				t.Errorf("job %+v", j)
			}
			got[j.Kind] = append(got[j.Kind], strings.Join(itemIDs(j), " "))
		}
		if d := cmp.Diff(map[string][]string{"merges": {""}, "commands": {"7 9 8"}}, got); d != "" {
			t.Error(d)
		}
		if n := len(jobs(t, q, queue.Done)); n != 2 {
			t.Errorf("%d jobs are done", n)
		}
		if err := q.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Fifty at once are one, also when they are committed together.
func TestFault_D1_sameDeliveryAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var (
			wg    sync.WaitGroup
			fresh atomic.Int32
		)
		for range 50 {
			wg.Go(func() {
				ok, err := q.Accept(t.Context(), queue.Delivery{Source: "gitea", ID: "x", Event: "push"}, merges("a/b"), command("a/b", "1"))
				if err != nil {
					t.Error(err)
				}
				if ok {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 {
			t.Errorf("%d of 50 are fresh", fresh.Load())
		}
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if got := log.all(); len(got) != 2 {
			t.Errorf("ran %v", got)
		}
	})
}

// An item that was had before causes nothing when it comes by another delivery.
func TestQueue_itemIsTakenOnce(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		accept(t, q, "1", command("a/b", "7"))
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if !accept(t, q, "2", command("a/b", "7")) {
			t.Error("another delivery is not fresh")
		}
		want(t, q, command("a/b", "7"))
		accept(t, q, "3", command("a/c", "7"))
		settled(t, q)
		if got := log.all(); len(got) != 2 || got[1].Subject != "gitea:a/c" {
			t.Errorf("ran %+v", got)
		}
	})
}

func TestFault_D5_requestDuringARun(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, merges("a/b"), command("a/b", "1"))
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			for _, j := range log.all() {
				if j.Kind == job.Kind {
					log.add(job)
					return nil
				}
			}
			log.add(job)
			for i := range 3 {
				id := fmt.Sprintf("%s during %d", job.Kind, i)
				if job.Kind == "merges" {
					accept(t, q, id, merges("a/b")) //nolint:contextcheck // a delivery has nothing to do with the job
				} else {
					accept(t, q, id, command("a/b", id)) //nolint:contextcheck // as above
				}
			}
			return nil
		})
		until(t, "four runs", func() bool { return len(log.all()) == 4 })
		settled(t, q)
		got := map[string][]string{}
		for _, j := range log.all() {
			got[j.Kind] = append(got[j.Kind], strings.Join(itemIDs(j), ","))
		}
		if d := cmp.Diff(map[string][]string{
			"merges":   {"", ""},
			"commands": {"1", "commands during 0,commands during 1,commands during 2"},
		}, got); d != "" {
			t.Error(d)
		}
	})
}

// A request during an attempt that fails is the next attempt's: no follow-up.
func TestQueue_requestDuringAFailedAttempt(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, command("a/b", "1"))
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			if log.add(job) == 1 {
				want(t, q, command("a/b", "2")) //nolint:contextcheck // it has nothing to do with the job
				return errors.New("no luck")
			}
			return nil
		})
		until(t, "two runs", func() bool { return len(log.all()) == 2 })
		settled(t, q)
		got := log.all()
		if len(got) != 2 || got[1].Attempt != 2 || got[1].ID != got[0].ID || !cmp.Equal(itemIDs(got[1]), []string{"1", "2"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

func TestFault_D3_redeliveryOfAFailedJob(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Attempts = 2 })
		var (
			fail atomic.Bool
			log  runLog
		)
		fail.Store(true)
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			if fail.Load() {
				return errors.New("no luck")
			}
			return nil
		})
		accept(t, q, "1", merges("a/b"), command("a/b", "7"))
		settled(t, q)
		dead := jobs(t, q, queue.Dead)
		if len(dead) != 2 || len(log.all()) != 4 {
			t.Fatalf("dead: %+v; ran %+v", dead, log.all())
		}
		for _, d := range dead {
			if d.Error != "no luck" || d.Attempt != 2 || d.Finished == nil {
				t.Errorf("dead job %+v", d)
			}
		}
		fail.Store(false)
		for range 3 { // the second and third find it waiting or done
			if accept(t, q, "1", merges("a/b"), command("a/b", "7"), merges("a/other")) {
				t.Error("a redelivery is fresh")
			}
		}
		settled(t, q)
		if accept(t, q, "1", merges("a/b"), command("a/b", "7")) {
			t.Error("a redelivery is fresh")
		}
		settled(t, q)
		got := log.all()[4:]
		if len(got) != 2 {
			t.Errorf("after the redelivery ran %+v", got)
		}
		for _, j := range got {
			if j.Kind == "commands" && !cmp.Equal(itemIDs(j), []string{"7"}) {
				t.Errorf("items %v", itemIDs(j))
			}
		}
	})
}

// A dead command takes no later one with it, and does not come back when a
// sweep finds it again.
func TestQueue_deadItemStaysOut(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			if len(job.Items) > 0 && job.Items[0].ID == "poison" {
				return queue.Park(errors.New("cannot be done"))
			}
			return nil
		})
		want(t, q, command("a/b", "poison"))
		settled(t, q)
		want(t, q, command("a/b", "poison"))
		want(t, q, command("a/b", "good"))
		settled(t, q)
		got := log.all()
		if len(got) != 2 || !cmp.Equal(itemIDs(got[1]), []string{"good"}) {
			t.Errorf("ran %+v", got)
		}
	})
}

func TestFault_D7_oneCatchUpTick(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		noon := time.Date(2026, 3, 29, 12, 0, 0, 123456789, time.UTC)
		if last, err := q.LastTick(t.Context(), "k"); err != nil || !last.IsZero() {
			t.Errorf("last tick %v, %v", last, err)
		}
		tick := func(at time.Time) (ticked int32) {
			var (
				wg sync.WaitGroup
				n  atomic.Int32
			)
			for range 8 {
				wg.Go(func() {
					ok, err := q.Tick(t.Context(), "k", at, merges("a/b"))
					if err != nil {
						t.Error(err)
					}
					if ok {
						n.Add(1)
					}
				})
			}
			wg.Wait()
			return n.Load()
		}
		// An hour with a tick each minute was slept through: who wakes asks for
		// the last one, and the others are before it.
		for _, c := range []struct {
			at   time.Time
			want int32
		}{
			{noon, 1},
			{noon, 0},
			{noon.Add(time.Hour), 1},
			{noon.Add(59 * time.Minute), 0},
			{noon.Add(time.Hour), 0},
			{noon.Add(time.Hour + 1), 1},
		} {
			if got := tick(c.at); got != c.want {
				t.Errorf("%v ticked %d times; want %d", c.at, got, c.want)
			}
		}
		if last, err := q.LastTick(t.Context(), "k"); err != nil || !last.Equal(noon.Add(time.Hour+1)) {
			t.Errorf("last tick %v, %v", last, err)
		}
		if n := len(jobs(t, q, queue.Waiting)); n != 1 {
			t.Errorf("%d jobs wait", n)
		}
	})
}

func TestQueue_values(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		binary := []byte("a\x00\xff")
		for key, value := range map[string][]byte{"one": []byte("first"), "two": binary, "none": nil} {
			if err := q.Put(t.Context(), "report", key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Put(t.Context(), "report", "one", []byte("second")); err != nil {
			t.Fatal(err)
		}
		if err := q.Put(t.Context(), "other", "one", []byte("else")); err != nil {
			t.Fatal(err)
		}
		all, err := q.All(t.Context(), "report")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string][]byte{"one": []byte("second"), "two": binary, "none": {}}, all); d != "" {
			t.Error(d)
		}
		if got, err := q.Get(t.Context(), "report", "two"); err != nil || !cmp.Equal(got, binary) {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := q.Get(t.Context(), "report", "three"); err != nil || got != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := q.Put(t.Context(), "report", "large", make([]byte, 1<<20+1)); err == nil {
			t.Error("a value of more than 1 MiB was taken")
		}
	})
}

// Names come from outside. What one database takes and the other does not is
// refused before it spoils the transaction of others.
func TestQueue_hostileNames(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		good := "'; DROP TABLE odyssey_item; -- $1 ?1 %s ❤ 'x"
		for _, bad := range []string{"", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 501)} {
			if _, err := q.Accept(t.Context(), queue.Delivery{Source: "gitea", ID: bad, Event: "push"}); err == nil {
				t.Errorf("a delivery %q was taken", bad)
			}
			if err := q.Want(t.Context(), queue.Request{Subject: bad, Kind: "merges"}); err == nil {
				t.Errorf("a subject %q was taken", bad)
			}
			if err := q.Want(t.Context(), command("a/b", bad)); err == nil {
				t.Errorf("an item %q was taken", bad)
			}
			if _, err := q.Tick(t.Context(), bad, time.Now()); err == nil {
				t.Errorf("a tick %q was taken", bad)
			}
		}
		for _, bad := range []string{"", "{", "\"\xff\"", `"` + strings.Repeat("x", 64<<10) + `"`} {
			r := command("a/b", "1")
			r.Item.Data = []byte(bad)
			if err := q.Want(t.Context(), r); err == nil {
				t.Errorf("data %.20q were taken", bad)
			}
		}
		r := command(good, good)
		r.Item.Data = []byte(`"\u0000 ` + good + `"`)
		r.Kind = good
		accept(t, q, good, r)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if got := log.all(); len(got) != 1 || got[0].Kind != good || got[0].Items[0].ID != good || string(got[0].Items[0].Data) != string(r.Item.Data) {
			t.Errorf("ran %+v", got)
		}
	})
}
