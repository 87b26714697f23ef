package watch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/watch"
)

const subject = "main:acme/a"

// ticks returns those of the one repository: "07-06T04:00Z".
func (s *scene) ticks() []string {
	out := []string{}
	for _, tick := range s.queue.ticked() {
		out = append(out, strings.TrimPrefix(tick, subject+" merges "))
	}
	return out
}

func (s *scene) learn(w *watch.Watcher, text string) {
	s.t.Helper()
	if err := w.Learn(s.t.Context(), subject, policy(s.t, text)); err != nil {
		s.t.Fatal(err)
	}
}

// TestRun: a sweep at once and every quarter of an hour, and the schedule of
// a repository, which is the usual one until its policy was learned.
func TestRun(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	stop := s.run(w)
	s.pass(t, monday(), 0)
	if diff := cmp.Diff([]string{"main: sweep"}, s.queue.asked()); diff != "" {
		t.Errorf("at start (-want +got):\n%s", diff)
	}
	s.pass(t, monday().Add(9*time.Hour), 10*time.Minute)
	if diff := cmp.Diff([]string{"07-06T08:00Z", "07-06T12:00Z"}, s.ticks()); diff != "" {
		t.Errorf("usual (-want +got):\n%s", diff)
	}
	next := w.Next(subject, watch.Merges)
	if late := next.Sub(time.Date(2026, 7, 6, 16, 0, 0, 0, time.UTC)); late < 0 || late >= 15*time.Minute {
		t.Errorf("next is %s", next)
	}
	if next := w.Next("main:", watch.Sweep); !next.After(s.Now()) || next.After(s.Now().Add(16*time.Minute)) {
		t.Errorf("next sweep is %s", next)
	}
	// What is learned counts from now, and wakes the sleeper.
	s.learn(w, "merges: {schedule: 'CRON_TZ=Europe/Madrid 20 15 * * *', jitter: 0s}")
	s.held = nil
	if next, want := w.Next(subject, watch.Merges), time.Date(2026, 7, 6, 13, 20, 0, 0, time.UTC); !next.Equal(want) {
		t.Errorf("next is %s", next)
	}
	s.pass(t, monday().Add(24*time.Hour), 20*time.Minute)
	if diff := cmp.Diff([]string{"07-06T13:20Z"}, s.ticks()); diff != "" {
		t.Errorf("learned (-want +got):\n%s", diff)
	}
	stop()
	// Another process knows it too; never is never.
	w = s.watcher(s.listed(), nil)
	stop = s.run(w)
	s.pass(t, monday().Add(48*time.Hour), 30*time.Minute)
	if diff := cmp.Diff([]string{"07-07T13:20Z"}, s.ticks()); diff != "" {
		t.Errorf("another process (-want +got):\n%s", diff)
	}
	s.learn(w, "merges: {schedule: never}")
	s.held = nil
	s.pass(t, monday().Add(72*time.Hour), 30*time.Minute)
	s.learn(w, "merges: {enabled: false}")
	if ticks := s.ticks(); len(ticks) > 0 || !w.Next(subject, watch.Merges).IsZero() {
		t.Errorf("never: %v, next %s", ticks, w.Next(subject, watch.Merges))
	}
	stop()
}

// TestFault_D7_OneCatchUp: of the ticks that came while the bot was down, one
// is made up for.
func TestFault_D7_OneCatchUp(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	stop := s.run(w)
	s.pass(t, monday(), 0)
	s.learn(w, "merges: {schedule: '*/10 * * * *', jitter: 0s}")
	s.held = nil
	s.pass(t, monday().Add(25*time.Minute), time.Minute)
	stop()
	if diff := cmp.Diff([]string{"07-06T04:10Z", "07-06T04:20Z"}, s.ticks()); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	s.set(monday().Add(10 * 24 * time.Hour).Add(3 * time.Minute))
	for range 3 { // and three restarts
		stop = s.run(s.watcher(s.listed(), nil))
		s.pass(t, s.Now().Add(time.Minute), time.Minute)
		stop()
	}
	if diff := cmp.Diff([]string{"07-16T04:00Z"}, s.ticks()); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	stop = s.run(s.watcher(s.listed(), nil))
	s.pass(t, monday().Add(10*24*time.Hour).Add(12*time.Minute), time.Minute)
	stop()
	if diff := cmp.Diff([]string{"07-16T04:10Z"}, s.ticks()); diff != "" {
		t.Errorf("going on (-want +got):\n%s", diff)
	}
}

// TestFault_R3_Ticks: a schedule comes once a day on the days when clocks are
// changed, too, and a clock that is set back repeats nothing.
func TestFault_R3_Ticks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		start time.Time
		want  []string
	}{
		{"fold", time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), []string{"10-25T00:30Z", "10-26T01:30Z"}},
		{"gap", time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC), []string{"03-28T01:00Z", "03-29T00:30Z"}},
	} {
		s := newScene(t, "a")
		s.set(test.start)
		w := s.watcher(s.listed(), nil)
		stop := s.run(w)
		s.pass(t, test.start, 0)
		s.learn(w, "merges: {schedule: 'CRON_TZ=Europe/Madrid 30 2 * * *', jitter: 0s}")
		s.held = nil
		s.pass(t, test.start.Add(48*time.Hour), 25*time.Minute)
		if diff := cmp.Diff(test.want, s.ticks()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		// Back to before the last tick, and on.
		s.set(test.start.Add(24 * time.Hour))
		s.pass(t, test.start.Add(48*time.Hour), 25*time.Minute)
		stop()
		stop = s.run(s.watcher(s.listed(), nil))
		s.pass(t, test.start.Add(48*time.Hour), 25*time.Minute)
		stop()
		if diff := cmp.Diff([]string{}, s.ticks()); diff != "" {
			t.Errorf("%s, set back (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestRun_replicas: of several processes on a store, one asks.
func TestRun_replicas(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	for range 3 {
		w := s.watcher(s.listed(), nil)
		stop := s.run(w)
		s.pass(t, monday().Add(5*time.Hour), 10*time.Minute)
		stop()
		s.set(monday())
	}
	if diff := cmp.Diff([]string{"07-06T08:00Z"}, s.ticks()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRun_spread: many repositories neither begin at once nor come at once.
func TestRun_spread(t *testing.T) {
	t.Parallel()
	repos := make([]string, 100)
	for i := range repos {
		repos[i] = fmt.Sprintf("r%03d", i)
	}
	s := newScene(t, repos...)
	w := s.watcher(s.listed(), nil)
	s.sweep(w)
	delays := map[int]int{} // by 10 seconds
	for _, r := range s.queue.wants {
		delays[int(r.Delay/(10*time.Second))]++
	}
	if len(delays) != 10 {
		t.Errorf("first runs are within %d tens of the 100 seconds", len(delays))
	}
	next := map[int]int{} // by minutes
	for _, r := range repos {
		at := w.Next("main:acme/"+r, watch.Merges)
		next[at.Minute()]++
		if !at.Equal(w.Next("main:acme/"+r, watch.Merges)) {
			t.Error("the offset is not the same each time")
		}
	}
	most := 0
	for _, n := range next {
		most = max(most, n)
	}
	if len(next) != 15 || most > 20 {
		t.Errorf("schedules come in %d minutes, %d at most in one of them", len(next), most)
	}
}

// TestLearn_unwatched: a job that ends after its repository was left changes
// nothing.
func TestLearn_unwatched(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	if err := w.Learn(t.Context(), "main:acme/other", policy(t, "merges: {schedule: '@daily'}")); err != nil {
		t.Fatal(err)
	}
	s.learn(w, "") // what is usual is not kept either
	if kept := s.queue.all("policy"); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
	if !slices.Contains(subjects(w), subject) {
		t.Error("not watched")
	}
}

// TestFault_D7_NewSchedule: a schedule counts from when it was first known,
// also when the bot is down at its first time; what it would have come before
// that is not made up for.
func TestFault_D7_NewSchedule(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	restart := func(at time.Time) (w *watch.Watcher, stop func()) {
		s.set(at)
		w = s.watcher(s.listed(), nil)
		stop = s.run(w)
		s.pass(t, at, 0)
		return w, stop
	}
	_, stop := restart(monday())
	stop()
	w, stop := restart(monday().Add(5 * time.Hour))
	s.pass(t, s.Now().Add(20*time.Minute), time.Minute)
	if diff := cmp.Diff([]string{"07-06T08:00Z"}, s.ticks()); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
	s.learn(w, "merges: {schedule: '0 9 * * *', jitter: 0s}") // it is 09:20
	stop()
	for range 2 {
		_, stop = restart(s.Now())
		stop()
	}
	if diff := cmp.Diff([]string{}, s.ticks()); diff != "" {
		t.Errorf("before it was known (-want +got):\n%s", diff)
	}
	_, stop = restart(monday().Add(30 * time.Hour))
	stop()
	if diff := cmp.Diff([]string{"07-07T09:00Z"}, s.ticks()); diff != "" {
		t.Errorf("the next (-want +got):\n%s", diff)
	}
}

// R3: a clock that was far ahead for a while stops neither schedules nor
// sweeps, in the process that saw it and in the next.
func TestFault_R3_ClockFarAhead(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		s := newScene(t, "a")
		w := s.watcher(s.listed(), nil)
		stop := s.run(w)
		s.pass(t, monday().Add(time.Hour), 10*time.Minute)
		s.set(monday().AddDate(0, 2, 0))
		s.pass(t, s.Now(), 0)
		if restart {
			stop()
		}
		s.set(monday().Add(2 * time.Hour))
		if restart {
			w = s.watcher(s.listed(), nil)
			stop = s.run(w)
		}
		s.ticks()
		s.pass(t, monday().Add(9*time.Hour), 10*time.Minute)
		if diff := cmp.Diff([]string{"07-06T08:00Z", "07-06T12:00Z"}, s.ticks()); diff != "" {
			t.Errorf("restart %v (-want +got):\n%s", restart, diff)
		}
		if next := w.Next("main:", watch.Sweep); !next.After(s.Now().Add(-time.Minute)) || next.After(s.Now().Add(16*time.Minute)) {
			t.Errorf("restart %v: next sweep is %s", restart, next)
		}
		stop()
	}
}
