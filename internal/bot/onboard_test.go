package bot_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// newStranger is a scene without a policy, whose bot offers one.
func newStranger(t testing.TB) *scene {
	t.Helper()
	s := newScene(t, unconfigured)
	s.bot.Onboard = true
	return s
}

// A repository without a policy gets one pull request that adds it, beside the
// refreshes that the defaults allow; merged, it is never asked again.
func TestOnboard(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	s.git.commits[acme] = id(11)
	s.run("./odoo opened", ".odyssey.yaml opened")
	s.run("./odoo unchanged", ".odyssey.yaml unchanged")
	var pr forge.PullRequest
	for _, one := range s.open() {
		if one.Head == refresh.OnboardingBranch {
			pr = one
		}
	}
	if pr.Title != "Configure Odyssey" || !strings.Contains(pr.Body, "1 merge of them could move now") {
		t.Errorf("%+v", pr)
	}
	proposed, err := s.fake.File(t.Context(), s.repo, pr.Head, refresh.ConfigFile)
	must(t, err)
	if want, _ := config.Example(); string(proposed) != string(want) {
		t.Errorf("proposed is\n%s", proposed)
	}
	s.human.Merge(t, pr.Number)
	s.run("./odoo unchanged")
}

// Who closes it says no: nothing more is done, but what a person asks for.
func TestOnboard_refused(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	s.run(".odyssey.yaml opened")
	_, err := s.fake.EditPullRequest(t.Context(), s.repo, s.one().Number, forge.Edit{State: forge.Closed})
	must(t, err)
	s.git.commits[acme] = id(11)
	for range 2 {
		if done := s.run("idle"); !strings.Contains(done[0].Reason, "was closed") {
			t.Errorf("%+v", done)
		}
	}
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{Destinations: []string{"./odoo"}})
	must(t, err)
	if got := inWords(outcomes); len(got) != 1 || got[0] != "./odoo opened" {
		t.Errorf("a command: %q", got)
	}
	// A policy of their own counts as yes.
	s.push("main", map[string]string{refresh.ConfigFile: ""})
	s.run("./odoo unchanged")
}

// Who writes a policy of their own needs that of the pull request no more.
func TestOnboard_writtenByHand(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	s.run(".odyssey.yaml opened")
	s.push("main", map[string]string{refresh.ConfigFile: "version: 1\n"})
	s.run("configure closed")
	s.run("idle")
	if len(s.open()) != 0 {
		t.Errorf("%+v", s.open())
	}
}

// Without the bot's being told to, nobody is asked.
func TestOnboard_off(t *testing.T) {
	t.Parallel()
	s := newScene(t, unconfigured)
	s.run("idle")
}
