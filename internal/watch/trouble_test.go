package watch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/watch"
)

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
	s := newScene(t, "a", "broken", "gone", "moved", "refused", "slow", "z")
	s.set(monday().Add(time.Hour))
	f := &trouble{Fake: s.fake, hang: "slow", fail: map[string]error{
		"broken": fmt.Errorf("read: %w: 500 hunter2", forge.ErrTransient), "gone": forge.ErrNotFound, "refused": forge.ErrUnauthorized,
		"moved": &forge.MovedError{To: "acme/new"},
	}}
	w := s.watcher(s.listed(), func(o *watch.Options) {
		o.Sources[0].Forge, o.Timeout = f, 3*time.Second
	})
	start := time.Now()
	s.sweep(w)
	if took := time.Since(start); took > 25*time.Second {
		t.Errorf("took %s", took)
	}
	if diff := cmp.Diff([]string{"main:acme/a merges", "main:acme/z merges"}, sorted(s.queue.asked())); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, r := range w.Repositories() {
		got[r.Repo.Name] = r.Error
		if name := r.Repo.Name; r.Gone != (name == "gone" || name == "moved") {
			t.Errorf("%s: gone is %t", name, r.Gone)
		}
	}
	want := map[string]string{
		"a": "", "z": "", "broken": "the forge does not answer as it should", "slow": "it took too long",
		"moved": "the repository is called acme/new now; the bot's configuration has its old name",
		"gone":  "not found, or the bot's account may not see it", "refused": "the forge refuses the token, or its account may not do this",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if stats := w.Stats()[0]; stats.Repositories != 7 || stats.Failing != 5 || stats.Errors != 5 || !stats.Last.Equal(s.Now()) {
		t.Errorf("%+v", stats)
	}
	f.fail, f.hang = nil, ""
	s.sweep(w)
	if stats := w.Stats()[0]; stats.Failing != 0 || stats.Errors != 5 {
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
	few := s.listed()
	few.Repositories = few.Repositories[:2]
	err = s.watcher(few, nil).Work(t.Context(), queue.Job{Subject: "main:", Kind: watch.Sweep})
	if want := queue.Later(0, nil); fmt.Sprintf("%T", err) != fmt.Sprintf("%T", want) {
		t.Errorf("two repositories: got %v (%T)", err, err)
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
