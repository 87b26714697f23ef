package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/watch"
)

// TestFault_D6_SweepConverges: what happened while nobody listened is found by
// one sweep, and only once.
func TestFault_D6_SweepConverges(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "b")
	s.comment("/refresh") // too long ago to count at first sight
	s.set(monday().Add(25 * time.Hour))
	recent := s.comment("/refresh") // while the bot had no store
	s.set(s.Now().Add(time.Minute))
	w := s.watcher(s.listed(), nil)
	s.sweep(w)
	first := []string{fmt.Sprintf("main:acme/a commands %d", recent.ID), "main:acme/a merges", "main:acme/b merges"}
	if diff := cmp.Diff(first, sorted(s.queue.asked())); diff != "" {
		t.Errorf("at first sight (-want +got):\n%s", diff)
	}

	s.set(monday().Add(26 * time.Hour)) // down for an hour
	c := s.comment("/refresh")
	s.comment("```\n/refresh\n```")
	s.push("b")
	s.set(monday().Add(27 * time.Hour))
	w = s.watcher(s.listed(), nil)
	s.sweep(w)
	want := []string{fmt.Sprintf("main:acme/a commands %d", c.ID), "main:acme/b merges"}
	if diff := cmp.Diff(want, sorted(s.queue.asked())); diff != "" {
		t.Errorf("after an hour (-want +got):\n%s", diff)
	}
	for range 3 {
		s.set(s.Now().Add(15 * time.Minute))
		s.sweep(w)
	}
	if diff := cmp.Diff([]string{}, s.queue.asked()); diff != "" {
		t.Errorf("with nothing new (-want +got):\n%s", diff)
	}
}

// TestSweep_calls: a repository with nothing to do costs two calls, one that
// was discovered costs one, and neither a write to the store.
func TestSweep_calls(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "b", "c")
	s.set(monday().Add(time.Hour))
	f := s.listed()
	f.Repositories = []string{"acme/a"}
	f.Discover = []config.Discovery{{Owner: "acme"}}
	w := s.watcher(f, nil)
	s.sweep(w)
	before := len(s.fake.Calls())
	written := s.queue.all("sweep")
	s.set(monday().Add(2 * time.Hour))
	s.sweep(w)
	got := map[string]int{}
	for _, call := range s.fake.Calls()[before:] {
		got[call.Method]++
	}
	if diff := cmp.Diff(map[string]int{"Repositories": 1, "CommentsSince": 3}, got); diff != "" {
		t.Errorf("discovered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(written, s.queue.all("sweep")); diff != "" {
		t.Errorf("memory (-want +got):\n%s", diff)
	}
	w = s.watcher(s.listed(), nil)
	before = len(s.fake.Calls())
	s.sweep(w)
	if n := s.calls(before); n != 6 {
		t.Errorf("%d calls for 3 listed repositories", n)
	}
}

// TestFault_D2_EventThenSweep: what an event told of, a sweep does not ask for
// again, nor what was pushed to other branches.
func TestFault_D2_EventThenSweep(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	s.set(monday().Add(time.Hour))
	s.sweep(w)
	s.queue.asked()

	s.set(monday().Add(2 * time.Hour))
	c := s.comment("/refresh")
	accept(t, w, commentEvent("a", c), true)
	accept(t, w, pushEvent("a", "1", s.push("a")), true)
	drain(t, s)
	s.set(monday().Add(3 * time.Hour))
	s.human["a"].Push(t, forgetest.Commit{Branch: "other", Files: map[string]forgetest.File{"x": {Content: "x"}}})
	s.set(monday().Add(4 * time.Hour))
	s.sweep(w)
	if ran := drain(t, s); len(ran) > 0 {
		t.Errorf("ran again: %v", ran)
	}
	// The same event under another id is a further look, and no further command.
	again := commentEvent("a", c)
	again.Delivery = "another"
	accept(t, w, again, true)
	if ran := drain(t, s); len(ran) > 0 {
		t.Errorf("ran again: %v", ran)
	}
}

// TestFault_D4_PushesOutOfOrder: no head is carried along, so that the order
// of deliveries does not matter; a sweep sees through the older one.
func TestFault_D4_PushesOutOfOrder(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	s.set(monday().Add(time.Hour))
	s.sweep(w)
	drain(t, s)
	older := s.push("a")
	s.set(monday().Add(2 * time.Hour))
	newer := s.push("a")
	accept(t, w, pushEvent("a", "2", newer), true)
	accept(t, w, pushEvent("a", "1", older), true)
	if diff := cmp.Diff([]string{"main:acme/a merges"}, drain(t, s)); diff != "" {
		t.Errorf("ran (-want +got):\n%s", diff)
	}
	s.set(monday().Add(3 * time.Hour))
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/a merges"}, drain(t, s)); diff != "" {
		t.Errorf("after the sweep (-want +got):\n%s", diff)
	}
}

// TestSweep_sameSecond: a forge says to the second when it was pushed to; what
// is pushed after a sweep has looked, in that second, is found all the same.
func TestSweep_sameSecond(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	s.sweep(w)
	s.set(monday().Add(time.Hour))
	s.push("a")
	s.sweep(w)
	s.queue.asked()
	s.set(s.Now().Add(time.Millisecond))
	s.push("a")
	c := s.comment("/refresh")
	s.sweep(w)
	want := []string{fmt.Sprintf("main:acme/a commands %d", c.ID), "main:acme/a merges"}
	if diff := cmp.Diff(want, sorted(s.queue.asked())); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	s.set(s.Now().Add(time.Minute))
	s.sweep(w)
	if asked := s.queue.asked(); len(asked) > 0 {
		t.Errorf("asked for %v", asked)
	}
}

// TestSweep_comments: which comments are obeyed.
func TestSweep_comments(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	s.fake.SetRobot("robot")
	s.set(monday().Add(time.Hour))
	w := s.watcher(s.listed(), nil)
	s.sweep(w)
	s.queue.asked()
	s.set(monday().Add(2 * time.Hour))
	issue := s.human["a"].OpenIssue(t, "t", "b")
	good := s.human["a"].Comment(t, issue, "/refresh\n")
	s.fake.As("robot", name("a")).Comment(t, issue, "/refresh")
	if _, err := s.fake.AddComment(t.Context(), forge.Repo{Name: name("a")}, issue, "/refresh"); err != nil {
		t.Fatal(err)
	}
	edited := s.human["a"].Comment(t, issue, "hello")
	s.set(monday().Add(2*time.Hour + time.Minute))
	s.human["a"].EditComment(t, edited, "/refresh")
	late := s.human["a"].Comment(t, issue, "/help")
	s.sweep(w)
	want := []string{fmt.Sprintf("main:acme/a commands %d", good), fmt.Sprintf("main:acme/a commands %d", late)}
	if diff := cmp.Diff(want, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	// A comment that became visible later than one written after it.
	s.set(monday().Add(2*time.Hour + 30*time.Second))
	hidden := s.human["a"].Comment(t, issue, "/rebase")
	s.set(monday().Add(3 * time.Hour))
	s.sweep(w)
	if diff := cmp.Diff([]string{fmt.Sprintf("main:acme/a commands %d", hidden)}, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	// After a month nobody expects to be obeyed.
	s.human["a"].Comment(t, issue, "/hold ./odoo")
	s.set(monday().Add(31 * 24 * time.Hour))
	s.sweep(w)
	if diff := cmp.Diff([]string{}, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// TestFault_R3_ForgeClock: a forge whose clock is ten minutes behind, or
// ahead, loses no comment.
func TestFault_R3_ForgeClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		s := newScene(t, "a")
		s.fake.SetClock(func() time.Time { return s.Now().Add(off) })
		s.set(monday().Add(time.Hour))
		s.comment("/refresh ./before")
		w := s.watcher(s.listed(), nil)
		s.set(s.Now().Add(time.Second))
		s.sweep(w)
		s.queue.asked()
		var want []string
		for range 3 {
			s.set(s.Now().Add(time.Minute))
			want = append(want, fmt.Sprintf("main:acme/a commands %d", s.comment("/refresh").ID))
			s.push("a")
			want = append(want, "main:acme/a merges")
			s.set(s.Now().Add(time.Minute))
			s.sweep(w)
		}
		if diff := cmp.Diff(sorted(want), sorted(s.queue.asked())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", off, diff)
		}
	}
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}

func accept(t *testing.T, w *watch.Watcher, e forge.Event, want bool) {
	t.Helper()
	fresh, err := w.Accept(t.Context(), "main", e)
	if err != nil || fresh != want {
		t.Fatalf("accepted: %v, %v; want %v", fresh, err, want)
	}
}

// all returns a bucket as text.
func (r *recorder) all(bucket string) map[string]string {
	values, err := r.All(context.Background(), bucket)
	if err != nil {
		panic(err)
	}
	out := map[string]string{}
	for k, v := range values {
		out[k] = string(v)
	}
	return out
}

func jobs(t *testing.T, s *scene, states ...string) []queue.Info {
	t.Helper()
	infos, err := s.queue.Jobs(t.Context(), queue.Filter{States: states})
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// drain runs what waits and returns it: "main:acme/a merges", with the ids of
// items behind it.
func drain(t *testing.T, s *scene) []string {
	t.Helper()
	ran := []string{}
	if len(jobs(t, s, queue.Waiting)) == 0 {
		return ran
	}
	var mu sync.Mutex
	work(t, s, func(job queue.Job) {
		text := []string{job.Subject, job.Kind}
		for _, item := range job.Items {
			text = append(text, item.ID)
		}
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, strings.Join(text, " "))
	})
	return sorted(ran)
}

// work runs what waits.
func work(t *testing.T, s *scene, do func(job queue.Job)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.queue.Work(ctx, workFunc(func(_ context.Context, job queue.Job) error { do(job); return nil }))
	}()
	for end := time.Now().Add(time.Minute); len(jobs(t, s, queue.Waiting, queue.Retrying, queue.Running)) > 0; {
		if time.Now().After(end) {
			t.Fatal("the queue does not become empty")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type workFunc func(ctx context.Context, job queue.Job) error

func (f workFunc) Work(ctx context.Context, job queue.Job) error { return f(ctx, job) }

// again is a forge that can send deliveries again.
type again struct {
	*forgetest.Fake
	since []time.Time
	err   error
}

func (f *again) Redeliver(_ context.Context, since time.Time) (int, error) {
	f.since = append(f.since, since)
	return 1, f.err
}

// TestSweep_redelivers: a forge that can is asked to send again what failed;
// that it refuses hinders nothing.
func TestSweep_redelivers(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	f := &again{Fake: s.fake, err: forge.ErrUnauthorized}
	w := s.watcher(s.listed(), func(o *watch.Options) { o.Sources[0].Forge, o.Keep = f, 48*time.Hour })
	s.sweep(w)
	if len(f.since) != 1 || s.Now().Sub(f.since[0]) != 24*time.Hour {
		t.Errorf("asked for deliveries since %v", f.since)
	}
	if diff := cmp.Diff([]string{"main:acme/a merges"}, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// TestSweep_fenced: a sweep whose place another one has taken leaves that
// one's memory alone.
func TestSweep_fenced(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	err := w.Work(t.Context(), queue.Job{
		Subject: "main:", Kind: watch.Sweep, Fence: func(context.Context) error { return queue.ErrFenced },
	})
	if !errors.Is(err, queue.ErrFenced) {
		t.Errorf("got %v", err)
	}
	if kept := s.queue.all("sweep"); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
}
