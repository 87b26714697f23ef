package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
)

// checking is a forge with checks.
type checking struct {
	*forgetest.Fake
	shown []forge.Check
	err   error
}

func (c *checking) Check(_ context.Context, _ forge.Repo, check forge.Check) error {
	c.shown = append(c.shown, check)
	return c.err
}

// took returns the one check since the last call.
func (c *checking) took(t *testing.T) forge.Check {
	t.Helper()
	if len(c.shown) != 1 {
		t.Fatalf("%d checks, want one: %+v", len(c.shown), c.shown)
	}
	one := c.shown[0]
	c.shown = nil
	return one
}

func newChecking(t *testing.T) (*desk, *checking) {
	t.Helper()
	d := newDesk(t, "")
	c := &checking{Fake: d.fake}
	d.worker.Forges = map[string]bot.Forge{"main": c}
	return d, c
}

// Beside the commit that a run read stands what came of it.
func TestWorker_checks(t *testing.T) {
	t.Parallel()
	d, c := newChecking(t)
	head := func() string {
		t.Helper()
		main, err := d.fake.Branch(t.Context(), d.repo, "main")
		must(t, err)
		return main.Head
	}
	want := func(what string, end forge.Conclusion, title, summary string) {
		t.Helper()
		got := c.took(t)
		if got.Name != "odyssey" || got.Head != head() || got.Conclusion != end || got.Title != title || !strings.Contains(got.Summary, summary) {
			t.Errorf("%s: %+v, want %s %q at %s with %q", what, got, end, title, head(), summary)
		}
	}
	d.merges()
	want("nothing moved", forge.Neutral, "Nothing to do", "Every merge is at its newest commit.\n")
	d.git.commits[acme] = id(11)
	d.merges()
	want("opened", forge.Succeeded, "One pull request changed", "- `./odoo`: opened, [")
	d.merges()
	want("unchanged", forge.Neutral, "Nothing to do", "- `./odoo`: unchanged")

	d.push("main", map[string]string{"repos.yaml": "./odoo: @everybody\n"})
	d.merges()
	got := c.took(t)
	if got.Conclusion != forge.Failed || got.Head != head() || !strings.Contains(got.Summary, "`repos.yaml:1`") || strings.Contains(got.Summary, " @everybody") {
		t.Errorf("a broken file: %+v", got)
	}
}

// A run that a comment asked for is shown, too: that nothing was to be done, or
// what was. What did not run is not.
func TestWorker_checksOfCommands(t *testing.T) {
	t.Parallel()
	d, c := newChecking(t)
	for _, step := range []struct {
		body, summary string
		act           func()
		end           forge.Conclusion
	}{
		{"/refresh ./odoo", "", func() {}, forge.Neutral},
		{"/refresh ./odoo", "- `./odoo`: opened, [", func() { d.git.commits[acme] = id(11) }, forge.Succeeded},
		{"/refresh ./web\n/refresh ./odoo", "- `./odoo`: unchanged", func() {}, forge.Neutral},
		{"/hold ./web", "", func() {}, ""},
		{"/refresh ./nowhere", "", func() {}, ""},
		{"/help", "", func() {}, ""},
		{"/refresh ./odoo", "`repos.yaml:1`", func() { d.push("main", map[string]string{"repos.yaml": "./odoo: 1\n"}) }, forge.Failed},
	} {
		step.act()
		d.obeys(step.body)
		if step.end == "" {
			if len(c.shown) > 0 {
				t.Errorf("%q: %+v", step.body, c.shown)
			}
			continue
		}
		got := c.took(t)
		if got.Conclusion != step.end || !strings.Contains(got.Summary, step.summary) || !strings.HasSuffix(got.Summary, "\nAsked for by a comment of `human`.\n") {
			t.Errorf("%q: %+v, want %s with %q", step.body, got, step.end, step.summary)
		}
	}
}

// What the check is about does not depend on it, and nothing is shown where
// the bot has no part.
func TestWorker_checksAreNotEssential(t *testing.T) {
	t.Parallel()
	d, c := newChecking(t)
	c.err = fmt.Errorf("github: %w", forge.ErrUnauthorized)
	d.merges()
	c.took(t)

	d.push("main", map[string]string{".odyssey.yaml": "merges:\n  enabled: false\n"})
	d.merges()
	if len(c.shown) != 0 {
		t.Errorf("where merges are off: %+v", c.shown)
	}

	d, c = newChecking(t)
	d.fake.FailBefore(func(method string) error {
		if method == "OpenPullRequests" {
			return forge.ErrTransient
		}
		return nil
	})
	if err := d.worker.Work(t.Context(), d.job("merges", 1)); !errors.Is(err, forge.ErrTransient) || len(c.shown) != 0 {
		t.Errorf("a run that is tried again: %v, %+v", err, c.shown)
	}
	d.fake.FailBefore(nil)
	d.fence = func(context.Context) error { return queue.ErrFenced }
	_ = d.worker.Work(t.Context(), d.job("merges", 1))
	if len(c.shown) != 0 {
		t.Errorf("behind the fence: %+v", c.shown)
	}
}
