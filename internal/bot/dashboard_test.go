package bot_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// newBoard is a desk whose worker keeps dashboards.
func newBoard(t testing.TB, config string) *desk {
	t.Helper()
	d := newDesk(t, config)
	d.worker.Dashboards = true
	return d
}

// board returns the only dashboard there is.
func (d *desk) board() (found forge.Issue) {
	d.t.Helper()
	n := 0
	for _, issue := range d.issues() {
		if issue.Title == refresh.DashboardTitle {
			found, n = issue, n+1
		}
	}
	if n != 1 {
		d.t.Fatalf("%d dashboards, want 1", n)
	}
	return found
}

// shows compares what a dashboard holds.
func (d *desk) shows(texts ...string) {
	d.t.Helper()
	body := d.board().Body
	for _, text := range texts {
		if want, not := strings.CutPrefix(text, "!"); strings.Contains(body, want) == not {
			d.t.Errorf("%q in\n%s", text, body)
		}
	}
}

// ticks has somebody tick boxes, and the worker hear of it.
func (d *desk) ticks(login string, commands ...string) {
	d.t.Helper()
	issue := d.board()
	for _, c := range commands {
		issue.Body = refresh.Tick(issue.Body, c)
	}
	_, err := d.fake.EditIssue(d.t.Context(), d.repo, issue.Number, forge.Edit{Body: issue.Body})
	must(d.t, err)
	d.hears(d.ticked(login, false, commands...))
}

// ticked is the item of an event that somebody has ticked boxes.
func (d *desk) ticked(login string, robot bool, commands ...string) queue.Item {
	d.t.Helper()
	item := d.item(bot.CommentItem{Number: d.board().Number, Author: login, Bot: robot, Ticked: commands})
	item.ID = "issue " + login
	return item
}

// The dashboard is opened once, edited when something changes, and not written
// when nothing does.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.merges()
	d.shows("**3 sources: 3 current.**", "- [ ] <!-- odyssey do: /refresh all -->", "!/hold ./odoo")
	calls := len(d.fake.Calls())
	d.merges()
	for _, c := range d.fake.Calls()[calls:] {
		if c.Write {
			t.Errorf("nothing changed, and it called %+v", c)
		}
	}
	d.git.commits[acme] = id(11)
	d.merges()
	d.shows("1 in a pull request, 2 current", "[pull request ", "+1", "- [ ] <!-- odyssey do: /hold ./odoo -->")
	// Losing what is kept costs a call, and no second issue.
	clear(d.kept.values)
	d.merges()
	d.board()
}

// A tick is a command of who made it.
func TestDashboard_tick(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	d.ticks(forgetest.FakeHuman, "/hold ./odoo")
	d.shows("1 held, 2 current", "held by "+forgetest.FakeHuman, "- [ ] <!-- odyssey do: /unhold ./odoo -->", "![x]")
	if diff := d.report("commands").Commands; len(diff) != 1 || diff[0] != "/hold ./odoo" {
		t.Errorf("%q", diff)
	}
	d.ticks(forgetest.FakeHuman, "/unhold ./odoo", "/refresh all")
	d.shows("!held by", "[pull request ", "![x]")
}

// S3: who may not write is not obeyed, whatever he ticks; nor is a bot, nor what
// the dashboard does not offer.
func TestFault_S3_Tick(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	d.ticks("stranger", "/hold ./odoo")
	d.shows("I take commands only from", "ticked by stranger", "!1 held", "![x]")
	d.merges()
	issue := d.board()
	forged := strings.Replace(issue.Body, "- [ ] <!-- odyssey do: /refresh all -->", "- [x] <!-- odyssey do: /hold ./web -->", 1)
	_, err := d.fake.EditIssue(t.Context(), d.repo, issue.Number, forge.Edit{Body: forged})
	must(t, err)
	d.hears(d.ticked(forgetest.FakeHuman, false, "/hold ./web"))
	d.shows("!1 held")
	robot := d.ticked(forgetest.FakeHuman, true, "/hold ./odoo")
	_, err = d.fake.EditIssue(t.Context(), d.repo, issue.Number, forge.Edit{Body: refresh.Tick(issue.Body, "/hold ./odoo")})
	must(t, err)
	d.hears(robot)
	d.shows("I take commands only from people", "!1 held", "![x]")
}

// S3: what one has ticked is not obeyed as another's, who edits the issue after
// him.
func TestFault_S3_TickOfAnother(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	body := refresh.Tick(refresh.Tick(d.board().Body, "/hold ./odoo"), "/refresh ./odoo")
	_, err := d.fake.EditIssue(t.Context(), d.repo, d.board().Number, forge.Edit{Body: body})
	must(t, err)
	d.hears(d.ticked("stranger", false, "/hold ./odoo"), d.ticked(forgetest.FakeHuman, false, "/refresh ./odoo"))
	d.shows("ticked by stranger", "!1 held", "![x]")
	if got := d.report("commands").Commands; len(got) != 1 || got[0] != "/refresh ./odoo" {
		t.Errorf("obeyed were %q", got)
	}
}

// A destination that is called as a kind of refresh has boxes of its own.
func TestDashboard_bareName(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	bare := strings.NewReplacer("./odoo:", "enterprise:")
	d.push("main", map[string]string{refresh.ReposFile: bare.Replace(repos), refresh.LockFile: bare.Replace(d.newest())})
	d.git.commits[acme] = id(11)
	d.merges()
	d.ticks(forgetest.FakeHuman, "/hold ./enterprise")
	d.shows("1 held, 2 current")
}

// A tick that nobody has told of stays until somebody does.
func TestDashboard_tickKept(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	issue := d.board()
	_, err := d.fake.EditIssue(t.Context(), d.repo, issue.Number, forge.Edit{Body: refresh.Tick(issue.Body, "/refresh all")})
	must(t, err)
	d.git.commits[web] = id(12)
	d.merges()
	d.shows("2 in a pull request", "- [x] <!-- odyssey do: /refresh all -->")
}

// Who closes the dashboard has it stay closed; whom the policy forbids it, not.
func TestDashboard_closed(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	d.merges()
	_, err := d.fake.EditIssue(t.Context(), d.repo, d.board().Number, forge.Edit{State: forge.Closed})
	must(t, err)
	d.git.commits[acme] = id(11)
	d.merges()
	if issue := d.board(); issue.State != forge.Closed || strings.Contains(issue.Body, "pull request") {
		t.Errorf("%+v", issue)
	}

	d = newBoard(t, "")
	d.merges()
	d.push("main", map[string]string{refresh.ConfigFile: "dashboard: {enabled: false}\n"})
	d.merges()
	if issue := d.board(); issue.State != forge.Closed {
		t.Errorf("%+v", issue)
	}
	d.push("main", map[string]string{refresh.ConfigFile: ""})
	d.merges()
	if issue := d.board(); issue.State != forge.Open || !strings.Contains(issue.Body, "3 current") {
		t.Errorf("%+v", issue)
	}
}

// Where nobody is obeyed there is nothing to tick.
func TestDashboard_noCommands(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "commands: {enabled: false}\n")
	d.merges()
	d.shows("3 current", "![ ]", "!/refresh")
}
