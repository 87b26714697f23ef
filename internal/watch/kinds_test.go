package watch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/watch"
)

func allKinds(o *watch.Options) { o.Kinds = refresh.Kinds() }

// listener is a recorder that notes what deliveries ask for.
type listener struct {
	*recorder
	heard []string
}

func (l *listener) Accept(ctx context.Context, d queue.Delivery, rs ...queue.Request) (bool, error) {
	for _, r := range rs {
		l.heard = append(l.heard, r.Subject+" "+r.Kind)
	}
	return l.recorder.Accept(ctx, d, rs...)
}

// What an event asks for is of the kinds that the policy wants, or of the one
// that it is about.
func TestKinds_events(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	l := &listener{recorder: s.queue}
	w := s.watcher(s.listed(), func(o *watch.Options) { allKinds(o); o.Queue = l })
	asks := func(what string, e forge.Event, want ...string) {
		t.Helper()
		e.Repo, e.Delivery, l.heard = name("a"), what, nil
		accept(t, w, e, true)
		if d := cmp.Diff(want, l.heard); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	closed := func(branch string) forge.Event {
		return forge.Event{Kind: forge.EventPullRequest, Type: "pull_request", Sender: "human", Branch: branch}
	}
	asks("push", pushEvent("a", "", "h1"), subject+" merges", subject+" base", subject+" python")
	asks("closed base", closed("odyssey/base"), subject+" base")
	asks("closed lock", closed("odyssey/python"), subject+" python")
	asks("a workflow hands in", forge.Event{Kind: forge.EventPush, Type: "push", Sender: "bot", Branch: "odyssey/python-lock/" + strings.Repeat("0f", 16), Head: "h1"}, subject+" python")
	asks("a workflow ended", forge.Event{Kind: forge.EventWorkflow, Type: "workflow_run", Sender: "bot", Branch: "main", Workflow: "python-lock.yml"}, subject+" python")
	asks("closed merge", closed("odyssey/merge/odoo"), subject+" merges")
	asks("closed retirement", closed("odyssey/retire/odoo"), subject+" merges")
	asks("closed another", closed("odyssey/deploy/x"), subject+" merges")
	s.learn(w, "base: {enabled: false}\nenterprise: {enabled: true}\nmerges: {enabled: false}\n")
	e := forge.Event{Kind: forge.EventWorkflow, Type: "workflow_run", Repo: name("a"), Delivery: "w", Sender: "alice", Branch: "main"}
	accept(t, w, e, false)                                   // of a push
	e.Workflow, e.Branch = "python-lock.yml", "odyssey/base" // of another branch
	accept(t, w, e, false)
	asks("push with a policy", pushEvent("a", "", "h2"), subject+" merges", subject+" python", subject+" enterprise")
}

// Each kind has its schedule; what is enabled is looked at once, and what is
// disabled no more.
func TestKinds_schedules(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), allKinds)
	next := func(kind refresh.Kind) time.Time { return w.Next(subject, string(kind)) }
	stop := s.run(w)
	s.pass(t, monday(), 0)
	if at := next(refresh.Base); at.IsZero() || at.Weekday() != time.Monday || at.Sub(s.Now()) > 8*24*time.Hour {
		t.Errorf("base is next at %s", at)
	}
	if at := next(refresh.Enterprise); !at.IsZero() {
		t.Errorf("enterprise is not enabled, and next at %s", at)
	}
	s.learn(w, "enterprise: {enabled: true, schedule: never}\nbase: {enabled: false}\npython: {schedule: '30 12 * * *', jitter: 0s}\n")
	if got := s.queue.asked(); !slices.Contains(got, subject+" enterprise") {
		t.Errorf("what is enabled now is not looked at: %v", got)
	}
	if !next(refresh.Base).IsZero() || !next(refresh.Enterprise).IsZero() {
		t.Error("what is disabled, or never, is next at some time")
	}
	s.held = nil
	s.pass(t, monday().Add(13*time.Hour), 30*time.Minute)
	stop()
	// The schedule alone has the Python lock resolved whatever has changed.
	var scheduled []string
	for _, job := range jobs(t, s, queue.Waiting) {
		if job.Kind == string(refresh.Python) {
			scheduled = append(scheduled, job.Subject)
		}
	}
	if d := cmp.Diff([]string{subject}, scheduled); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// Another process knows it, too.
	other := s.watcher(s.listed(), allKinds)
	stop = s.run(other)
	s.pass(t, monday().Add(14*time.Hour), 30*time.Minute)
	stop()
	if at := other.Next(subject, string(refresh.Python)); at.Hour() != 12 || at.Minute() != 30 || !other.Next(subject, string(refresh.Base)).IsZero() {
		t.Errorf("another process has python at %s", at)
	}
}

// TestSweep_running: while a run of a workflow is under way, a sweep looks after
// it, for no webhook may tell of its end.
func TestSweep_running(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "b")
	w := s.watcher(s.listed(), allKinds)
	s.sweep(w)
	drain(t, s)
	if err := s.queue.Put(t.Context(), refresh.RunBucket, "acme/b", []byte("odyssey/python-lock/x")); err != nil {
		t.Fatal(err)
	}
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/b python"}, drain(t, s)); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if err := w.Learn(t.Context(), "main:acme/b", config.Repo{}); err != nil {
		t.Fatal(err)
	}
	drain(t, s)
	s.sweep(w)
	if ran := drain(t, s); len(ran) > 0 {
		t.Errorf("asked for %v though the policy wants no locks", ran)
	}
	if err := w.Learn(t.Context(), "main:acme/b", config.DefaultRepo()); err != nil {
		t.Fatal(err)
	}
	drain(t, s)
	if err := s.queue.Put(t.Context(), refresh.RunBucket, "acme/b", nil); err != nil {
		t.Fatal(err)
	}
	s.sweep(w)
	if ran := drain(t, s); len(ran) > 0 {
		t.Errorf("asked for %v though it has ended", ran)
	}
}
