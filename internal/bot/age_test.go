package bot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
)

// memory is a refresh.Memory.
type memory map[string][]byte

func (m memory) Put(_ context.Context, bucket, key string, value []byte) error {
	m[bucket+" "+key] = value
	return nil
}

func (m memory) Get(_ context.Context, bucket, key string) ([]byte, error) {
	return m[bucket+" "+key], nil
}

// aged is a scene with a policy that has commits wait for an hour, and a clock
// that stands still.
func aged(t *testing.T) (s *scene, wait func(time.Duration)) {
	t.Helper()
	s = newScene(t, "merges: {minimumAge: 1h}")
	now := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	s.bot.Now, s.bot.Memory = func() time.Time { return now }, memory{}
	return s, func(d time.Duration) { now = now.Add(d) }
}

// proposed is the number of the acme commit on the bot's branch.
func (s *scene) proposed() string {
	s.t.Helper()
	_, after, _ := strings.Cut(s.look().Branches[branch], "\n  - acme ")
	return strings.TrimLeft(after[:min(7, len(after))], "0")
}

func TestMinimumAge(t *testing.T) {
	t.Parallel()
	s, wait := aged(t)
	s.git.commits[acme] = id(11)
	outcomes := s.run("./odoo held")
	if want := "acme 17.0-fix: its newest commit is known since 2026-11-23 06:00 UTC; minimumAge has it wait until 2026-11-23 07:00 UTC"; outcomes[0].Reason != want {
		t.Errorf("reason %q", outcomes[0].Reason)
	}
	wait(59 * time.Minute)
	s.run("./odoo held")
	wait(time.Minute)
	s.run("./odoo opened")

	// What comes then waits in its turn, and what is proposed stays.
	s.git.commits[acme] = id(12)
	s.run("./odoo unchanged")
	wait(30 * time.Minute)
	s.git.commits[acme] = id(13)
	s.run("./odoo unchanged")
	if got := s.proposed(); got != "11" {
		t.Errorf("proposed: %s", got)
	}
	wait(30 * time.Minute)
	s.run("./odoo updated")
	if got := s.proposed(); got != "12" {
		t.Errorf("proposed: %s", got)
	}
	wait(30 * time.Minute)
	s.run("./odoo updated")
	if got := s.proposed(); got != "13" {
		t.Errorf("proposed: %s", got)
	}
}

// A command that names the merge does not wait, and what it has opened stays.
func TestMinimumAge_command(t *testing.T) {
	t.Parallel()
	s, _ := aged(t)
	s.git.commits[acme] = id(11)
	s.run("./odoo held")
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "./odoo held")
	s.demand(only("./odoo", "acme", "17.0-fix", ""), "./odoo opened")
	s.run("./odoo unchanged")
}

// rewritten is a bot.Git that takes all commits for unrelated.
type rewritten struct{ *upstreams }

func (r rewritten) Histories(ctx context.Context, url string, ranges []git.Range) ([]git.History, error) {
	all, err := r.upstreams.Histories(ctx, url, ranges)
	for i := range all {
		all[i].Behind = 1
	}
	return all, err
}

func TestMinimumAge_otherwise(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(s *scene, wait func(time.Duration))
		want    string // part of the reason
	}{
		"nobody remembers": {func(s *scene, _ func(time.Duration)) { s.bot.Memory = nil }, "nobody remembers"},
		"somebody else's value": {func(s *scene, _ func(time.Duration)) {
			for key := range s.bot.Memory.(memory) { //nolint:errcheck,forcetypeassert // it is made above
				s.bot.Memory.(memory)[key] = []byte("{") //nolint:errcheck,forcetypeassert // as above
			}
		}, "known since 2026-11-23 06:00"},
		"the clock was ahead": {func(_ *scene, wait func(time.Duration)) { wait(-24 * time.Hour) }, "known since 2026-11-22 06:00"},
		"rewritten since": {func(s *scene, wait func(time.Duration)) {
			wait(2 * time.Hour)
			s.git.commits[acme] = id(12)
			s.bot.Git = rewritten{s.git}
		}, "known since 2026-11-23 08:00"},
		"gone back": {func(s *scene, wait func(time.Duration)) {
			wait(30 * time.Minute)
			s.git.commits[acme] = id(12)
			s.run("./odoo held")
			s.git.commits[acme] = id(11)
		}, "known since 2026-11-23 06:30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, wait := aged(t)
			s.git.commits[acme] = id(11)
			s.run("./odoo held")
			test.prepare(s, wait)
			if outcomes := s.run("./odoo held"); !strings.Contains(outcomes[0].Reason, test.want) {
				t.Errorf("reason %q, want %q", outcomes[0].Reason, test.want)
			}
		})
	}
}

var _ refresh.Memory = memory(nil)
