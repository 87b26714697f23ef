package bot_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/refresh"
)

// A kind of refresh is held as a whole: what is open stays, nothing is asked, the
// forge merges nothing of it, and the dashboard says so.
func TestHoldKind(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "base: {automerge: true}")
	d.worker.Dashboards = true
	d.owner()
	p.newest = "2"
	d.works("base")
	d.wantArmed(true, byForge)
	if reactions, reply := d.obeys("/hold base"); reactions != "eyes rocket" || reply != "" {
		t.Errorf("held: %s, %q", reactions, reply)
	}
	d.wantArmed(false, "**No automerge:** `base` is held.")
	d.shows("- base: [pull request 1](https://forge.example.org/human/repo-1/pulls/1): held by human since 2026-11-23; /unhold base lifts that", "- [ ] <!-- odyssey do: /unhold base --> propose base again")
	if _, reply := d.obeys("/hold base"); !strings.Contains(reply, "it is held by human since") {
		t.Errorf("again: %q", reply)
	}
	p.newest = "3"
	asked := len(p.asked)
	if report := d.works("base"); report.Held == "" || report.Outcomes[0].Action != bot.Held || report.Outcomes[0].URL != d.one().URL || !strings.Contains(report.Outcomes[0].Reason, "held by human") {
		t.Errorf("%+v", report)
	}
	if _, reply := d.obeys("/refresh base"); !strings.Contains(reply, "stays as it is: held by human") {
		t.Errorf("refreshed: %q", reply)
	}
	if len(p.asked) != asked {
		t.Error("what is held is looked for")
	}
	d.git.commits[acme] = id(11) // merges go on
	d.run("./odoo opened", "base held")

	d.ticks("human", "/unhold base")
	d.shows("!/unhold base", "- base: the next run looks at it")
	d.works("base")
	if got := d.heads(); !strings.Contains(got, "odyssey/base Move to 3") {
		t.Error(got)
	}
	if _, reply := d.obeys("/unhold base"); reply != "`/unhold base` — nothing is held here." {
		t.Errorf("twice: %q", reply)
	}
}

// A destination of a kind's name is another thing, and what the bot does not make
// cannot be held.
func TestHoldKind_names(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	text := strings.Replace(repos, "./web:", "./base:", 1)
	d.push("main", map[string]string{refresh.ReposFile: text, refresh.LockFile: strings.Replace(d.newest(), "./web:", "./base:", 1)})
	d.git.commits[web], p.newest = id(21), "2"
	d.obeys("/hold ./base")
	d.run("./base held", "base opened")
	d.obeys("/hold base")
	d.obeys("/unhold ./base")
	d.run("./base opened", "base held")
	if _, reply := d.obeys("/hold python"); !strings.Contains(reply, "this bot makes no `python` refreshes.") {
		t.Errorf("reply %q", reply)
	}
	if _, reply := d.obeys("/unhold python"); !strings.Contains(reply, "it is not held. All: `base`.") {
		t.Errorf("reply %q", reply)
	}
}
