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
	s.comment("a", "/refresh") // before the first sweep: does not count
	s.set(monday().Add(time.Minute))
	w := s.watcher(s.listed(), nil)
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/a merges", "main:acme/b merges"}, sorted(s.queue.asked())); diff != "" {
		t.Errorf("at first sight (-want +got):\n%s", diff)
	}

	s.set(monday().Add(time.Hour)) // down for an hour
	c := s.comment("a", "/refresh")
	s.comment("a", "```\n/refresh\n```")
	s.push("b")
	s.set(monday().Add(2 * time.Hour))
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
	c := s.comment("a", "/refresh")
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

// trouble is a forge on which some repositories fail.
type trouble struct {
	*forgetest.Fake
	fail  map[string]error // by repository
	hang  string           // a repository that does not answer
	rests map[string]bool  // archived ones
}

func (f *trouble) Repo(ctx context.Context, name forge.Name) (forge.Repo, error) {
	if name.Name == f.hang {
		<-ctx.Done()
		return forge.Repo{}, ctx.Err()
	}
	if err := f.fail[name.Name]; err != nil {
		return forge.Repo{}, err
	}
	repo, err := f.Fake.Repo(ctx, name)
	repo.Archived = f.rests[name.Name]
	return repo, err
}

// TestSweep_isolation: repositories that are broken, gone or slow hinder no
// other, and are shown.
func TestSweep_isolation(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "broken", "gone", "refused", "slow", "z")
	s.set(monday().Add(time.Hour))
	f := &trouble{Fake: s.fake, hang: "slow", fail: map[string]error{
		"broken": fmt.Errorf("read: %w: 500 hunter2", forge.ErrTransient), "gone": forge.ErrNotFound, "refused": forge.ErrUnauthorized,
	}}
	w := s.watcher(s.listed(), func(o *watch.Options) {
		o.Sources[0].Forge, o.Timeout = f, 3*time.Second
	})
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/a merges", "main:acme/z merges"}, sorted(s.queue.asked())); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, r := range w.Repositories() {
		got[r.Repo.Name] = r.Error
	}
	want := map[string]string{
		"a": "", "z": "", "broken": "the forge does not answer as it should", "slow": "it took too long",
		"gone": "not found, or the bot's account may not see it", "refused": "the forge refuses the token",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if stats := w.Stats()[0]; stats.Repositories != 6 || stats.Failing != 4 || stats.Errors != 4 || !stats.Last.Equal(s.Now()) {
		t.Errorf("%+v", stats)
	}
	f.fail, f.hang = nil, ""
	s.sweep(w)
	if stats := w.Stats()[0]; stats.Failing != 0 || stats.Errors != 4 {
		t.Errorf("mended: %+v", stats)
	}
}

// TestFault_F6_RefusedToken: a forge that refuses the token is left alone
// after a few calls, the job is parked, and asked for ever more seldom.
func TestFault_F6_RefusedToken(t *testing.T) {
	t.Parallel()
	repos := make([]string, 50)
	for i := range repos {
		repos[i] = fmt.Sprintf("r%02d", i)
	}
	s := newScene(t, repos...)
	s.set(monday().Add(time.Hour))
	s.fake.FailBefore(func(string) error { return forge.ErrUnauthorized })
	w := s.watcher(s.listed(), nil)
	stop := s.run(w)
	s.pass(t, s.Now(), 0)
	sweeps := 0
	for end := s.Now().Add(24 * time.Hour); s.Now().Before(end); {
		s.pass(t, s.Now().Add(15*time.Minute), 15*time.Minute)
		for _, job := range jobs(t, s, queue.Waiting) {
			if job.Kind != watch.Sweep {
				t.Fatalf("asked for %s of %s", job.Kind, job.Subject)
			}
			err := w.Work(t.Context(), queue.Job{Subject: job.Subject, Kind: job.Kind})
			if want := queue.Park(forge.ErrUnauthorized); !errors.Is(err, forge.ErrUnauthorized) || fmt.Sprintf("%T", err) != fmt.Sprintf("%T", want) {
				t.Fatalf("got %v (%T)", err, err)
			}
			if next := w.Next("main:acme/r00", watch.Merges); !next.IsZero() {
				t.Fatalf("looks for newer commits at %s", next)
			}
			if err := s.queue.Cancel(t.Context(), job.ID); err != nil {
				t.Fatal(err)
			}
			sweeps++
		}
	}
	stop()
	if sweeps < 3 || sweeps > 15 {
		t.Errorf("%d sweeps a day", sweeps)
	}
	if n := s.calls(0); n > sweeps*15 {
		t.Errorf("%d calls by %d sweeps of %d repositories", n, sweeps, len(repos))
	}
	s.fake.FailBefore(nil)
	s.sweep(w)
	if next := w.Next("main:", watch.Sweep).Sub(s.Now()); next > 30*time.Minute {
		t.Errorf("mended, and the next sweep is in %s", next)
	}
}

// TestFault_F3_RateLimit: nothing is called any more once the forge asks to
// wait; the next sweep goes on where this one stopped.
func TestFault_F3_RateLimit(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "b", "c", "d")
	s.set(monday().Add(time.Hour))
	w := s.watcher(s.listed(), func(o *watch.Options) { o.Jobs = 1 })
	left := 5
	s.fake.FailBefore(func(string) error {
		if left--; left < 0 {
			return &forge.RateLimitError{RetryAfter: 42 * time.Minute}
		}
		return nil
	})
	err := w.Work(t.Context(), queue.Job{Subject: "main:", Kind: watch.Sweep})
	if want := queue.Later(42*time.Minute, nil); fmt.Sprintf("%T", err) != fmt.Sprintf("%T", want) || !errors.Is(err, forge.ErrTransient) {
		t.Fatalf("got %v (%T)", err, err)
	}
	if n := s.calls(0); n != 6 {
		t.Errorf("%d calls, 5 of which were answered", n)
	}
	s.fake.FailBefore(nil)
	before := len(s.fake.Calls())
	s.set(s.Now().Add(42 * time.Minute))
	s.sweep(w)
	if first := s.fake.Calls()[before].Repo.Name; first != "c" {
		t.Errorf("goes on with %s", first)
	}
	if diff := cmp.Diff([]string{"main:acme/a merges", "main:acme/b merges", "main:acme/c merges", "main:acme/d merges"}, sorted(s.queue.asked())); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// TestSweep_down: when nothing answers, few are asked, and no attempt counts.
func TestSweep_down(t *testing.T) {
	t.Parallel()
	repos := make([]string, 30)
	for i := range repos {
		repos[i] = fmt.Sprintf("r%02d", i)
	}
	s := newScene(t, repos...)
	s.fake.FailBefore(func(string) error { return forge.ErrTransient })
	w := s.watcher(s.listed(), nil)
	err := w.Work(t.Context(), queue.Job{Subject: "main:", Kind: watch.Sweep})
	if want := queue.Later(0, nil); fmt.Sprintf("%T", err) != fmt.Sprintf("%T", want) {
		t.Fatalf("got %v (%T)", err, err)
	}
	if n := s.calls(0); n > 15 {
		t.Errorf("%d calls", n)
	}
	if !w.Stats()[0].Last.IsZero() {
		t.Error("counts as a sweep")
	}
	if err := w.Work(t.Context(), queue.Job{Subject: "other:", Kind: watch.Sweep}); err == nil {
		t.Error("sweeps a forge that is not configured")
	}
}

// TestSweep_resting: nothing is asked for in archived and empty repositories
// until they are that no more.
func TestSweep_resting(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	s.set(monday().Add(time.Hour))
	f := &trouble{Fake: s.fake, rests: map[string]bool{"a": true}}
	w := s.watcher(s.listed(), func(o *watch.Options) { o.Sources[0].Forge = f })
	s.sweep(w)
	s.sweep(w)
	if asked := s.queue.asked(); len(asked) > 0 {
		t.Errorf("asked for %v", asked)
	}
	if !w.Repositories()[0].Archived || !w.Next("main:acme/a", watch.Merges).IsZero() {
		t.Errorf("%+v, next %s", w.Repositories()[0], w.Next("main:acme/a", watch.Merges))
	}
	f.rests = nil
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/a merges"}, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
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
		s.comment("a", "/refresh ./before")
		w := s.watcher(s.listed(), nil)
		s.set(s.Now().Add(time.Second))
		s.sweep(w)
		s.queue.asked()
		var want []string
		for range 3 {
			s.set(s.Now().Add(time.Minute))
			want = append(want, fmt.Sprintf("main:acme/a commands %d", s.comment("a", "/refresh").ID))
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
