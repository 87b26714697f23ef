package bot_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	done     = "eyes rocket"
	confused = "confused eyes"
)

// What is said to each command, and what it does.
func TestCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		reactions  string
		reply      string // its beginning
		open       string // heads of the bot's pull requests then
	}{
		{"refresh", "/refresh", done, "`/refresh`:\n- `./odoo`: opened [Refresh ./odoo: acme 17.0-fix +1 commit](https://", branch + " odyssey/merge/web"},
		{"refresh all", "/refresh all", done, "`/refresh all`:\n- `./odoo`: opened", branch + " odyssey/merge/web"},
		{"destination", "Please:\n/refresh ./odoo\n", done, "`/refresh ./odoo` — `./odoo`: opened [Refresh", branch},
		{"merge", "/refresh odoo acme 17.0-fix", done, "`/refresh odoo acme 17.0-fix` — `./odoo`: opened", branch},
		{"to", "/refresh ./odoo --to " + id(9), done, "`/refresh ./odoo --to " + id(9) + "` — `./odoo`: opened", branch},
		{"nothing to do", "/refresh ./odoo odoo 17.0", done, "`/refresh ./odoo odoo 17.0` — nothing to do: every merge is at its newest commit.", ""},
		{"typing error", "/refresh ./odo", confused, "`/refresh ./odo` — there is no `./odo` here. Near: `./odoo`. All: `./odoo`, `./web`.", ""},
		{"no such merge", "/refresh ./odoo acme 17.0-fx", confused, "`/refresh ./odoo acme 17.0-fx` — there is no `./odoo acme 17.0-fx` here. Near: `./odoo acme 17.0-fix`", ""},
		{"unknown command", "/refesh", confused, "`/refesh` — there is no such command. Near: `/refresh`.", ""},
		{"kind that is not made", "/refresh python", confused, "`/refresh python` — this bot makes no `python` refreshes.", ""},
		{"short commit", "/refresh ./odoo --to 1601de2", confused, "`/refresh ./odoo --to 1601de2` — a commit goes after `--to`, by its whole id", ""},
		{"rebase in an issue", "/rebase", confused, "`/rebase` — I make only my own pull requests anew.", ""},
		{"unhold of nothing", "/unhold ./odoo", confused, "`/unhold ./odoo` — nothing is held here.", ""},
		{"hold of nothing", "/hold ./odo", confused, "`/hold ./odo` — there is no `./odo` here. Near: `./odoo`.", ""},
		{"two", "/refresh ./odoo\n/refresh ./web", done, "`/refresh ./odoo` — `./odoo`: opened", branch + " odyssey/merge/web"},
		{"one of two", "/refresh ./odoo\n/refresh ./wb", confused, "`/refresh ./odoo` — `./odoo`: opened", branch},
		{"none", "Have you tried /refresh?\n/usr/bin\n> /refresh\n", "", "", ""},
		{"help", "/help", done, "`/help` — one command a line, at its start, from who may write to the repository:\n\n- `/refresh`: ", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "")
			d.git.commits[acme], d.git.commits[web] = id(11), id(21)
			reactions, reply := d.obeys(test.body)
			if reactions != test.reactions || !strings.HasPrefix(reply, test.reply) || test.reply == "" && reply != "" {
				t.Errorf("reactions %q, reply %q", reactions, reply)
			}
			var heads []string
			for _, pr := range d.open() {
				heads = append([]string{pr.Head}, heads...)
			}
			if got := strings.Join(heads, " "); got != test.open {
				t.Errorf("open: %q", got)
			}
			if r := d.report("commands"); test.reactions != "" && r.Trigger != "comment by human" || r.Error != "" {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// On a pull request of the bot's, a command is about it, and the reply says no
// more than what one does not see there.
func TestCommands_onOwnPullRequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	pr := d.one()
	say := func(body, wantReactions, wantReply string) {
		t.Helper()
		comment, item := d.says(forgetest.FakeHuman, pr.Number, body)
		d.hears(item)
		if got := d.reactions(comment); got != wantReactions {
			t.Errorf("%s: reactions %q", body, got)
		}
		all, err := d.fake.Comments(t.Context(), d.repo, pr.Number)
		must(t, err)
		last, _, _ := strings.Cut(all[len(all)-1].Body, "\n\n<!--")
		if wantReply == "" && all[len(all)-1].ID != comment || wantReply != "" && last != wantReply {
			t.Errorf("%s: the last comment is %q", body, last)
		}
	}
	say("/refresh", done, "`/refresh` — `./odoo`: this pull request is up to date.")
	d.git.commits[acme], d.git.commits[web] = id(12), id(21)
	say("/refresh", done, "")
	if got := d.one(); d.lockedOn(got.Head) != "1 12 3" {
		t.Errorf("locked %s", d.lockedOn(got.Head))
	}
	d.push("main", map[string]string{"README.md": "news\n"})
	say("/rebase", done, "")
	say("/rebase", done, "`/rebase` — `./odoo`: this pull request is up to date.")
	d.push(branch, map[string]string{"NOTES": "mine\n"})
	say("/rebase", confused, "`/rebase` — somebody pushed to `"+branch+"`, and I leave that alone. Delete the branch to hand it back.")
	_, err := d.fake.EditPullRequest(t.Context(), d.repo, pr.Number, forge.Edit{State: forge.Closed})
	must(t, err)
	say("/rebase", confused, "`/rebase` — this pull request is closed.")
}

// A held destination is left alone until it is let go; what holds it is an
// issue that survives everything but its being closed.
func TestCommands_hold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme], d.git.commits[web] = id(11), id(21)
	d.merges()
	if reactions, reply := d.obeys("/hold ./odoo"); reactions != done || reply != "" {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	d.git.commits[acme], d.git.commits[web] = id(12), id(22)
	d.run("./odoo held", "./web updated")
	if got := d.lockedOn(branch); got != "1 11 3" {
		t.Errorf("the pull request moved to %s", got)
	}
	if reactions, reply := d.obeys("/hold odoo"); reactions != done || !strings.HasPrefix(reply, "`/hold odoo` — it is held by human since 2026-11-23") {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if reactions, reply := d.obeys("/refresh ./odoo"); reactions != confused || !strings.HasSuffix(reply, "; /unhold ./odoo lifts that.") {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if reactions, reply := d.obeys("/refresh ./odoo odoo 17.0 --to " + id(9)); reactions != confused || !strings.Contains(reply, "held by human") {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if r := d.merges(); !strings.HasPrefix(r.Destinations[0].Held, "held by human since 2026-11-23") || r.Destinations[1].Held != "" {
		t.Errorf("report %+v", r.Destinations)
	}
	_, _ = d.obeys("/hold ./web")
	issues := d.issues()
	if len(issues) != 1 || issues[0].State != forge.Open || !strings.Contains(issues[0].Body, "- `./odoo`, held by human since [2026-11-23](") || !strings.Contains(issues[0].Body, "- `./web`") {
		t.Fatalf("issues %+v", issues)
	}
	if reactions, reply := d.obeys("/unhold ./wb"); reactions != confused || reply != "`/unhold ./wb` — it is not held. Near: `./web`. All: `./odoo`, `./web`." {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if reactions, reply := d.obeys("/unhold ./odoo\n/unhold ./web"); reactions != done || reply != "" {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if issues := d.issues(); len(issues) != 1 || issues[0].State != forge.Closed || !strings.HasPrefix(issues[0].Body, "Nothing is held") {
		t.Errorf("issues %+v", issues)
	}
	if r := d.report("merges"); r.Destinations[0].Held != "" {
		t.Errorf("report %+v", r.Destinations)
	}
	d.run("./odoo updated", "./web unchanged")
	_, _ = d.obeys("/hold ./odoo")
	issues = d.issues()
	d.human.EditIssue(t, issues[len(issues)-1].Number, forge.Edit{State: forge.Closed})
	d.git.commits[acme] = id(13)
	d.run("./odoo updated", "./web unchanged")
}

// Who cannot write an issue of the bot's cannot forge a hold; who edits one may.
func TestHold_marks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	const mark = "<!-- odyssey holds [{\"dest\":\"./odoo\",\"by\":\"human\"}] -->\n"
	number := d.fake.As(forgetest.FakeStranger, d.name).OpenIssue(t, "Odyssey: held destinations", "x\n"+mark)
	d.fake.As(forgetest.FakeStranger, d.name).Comment(t, number, mark)
	d.run("./odoo opened")
	_, _ = d.obeys("/hold ./web")
	issue := d.issues()[0]
	d.human.EditIssue(t, issue.Number, forge.Edit{Body: "By hand.\r\n" + strings.TrimSpace(mark) + "\r\n"})
	d.git.commits[acme], d.git.commits[web] = id(12), id(21)
	d.run("./odoo held", "./web opened")
	d.human.EditIssue(t, issue.Number, forge.Edit{Body: "<!-- odyssey holds [{] -->"})
	d.run("./odoo updated", "./web unchanged")
}

// The policy says who may, and whether at all; that of the default branch.
func TestCommands_policy(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "commands: {enabled: false}\n")
	d.git.commits[acme] = id(11)
	calls := len(d.fake.Calls())
	if reactions, reply := d.obeys("/refresh"); reactions != "" || reply != "" || len(d.open()) > 0 {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	for _, c := range d.fake.Calls()[calls:] {
		if c.Write {
			t.Errorf("wrote %+v", c)
		}
	}
	d.push("main", map[string]string{refresh.ConfigFile: "commands: {allow: [ana]}\n"})
	if reactions, reply := d.obeys("/refresh"); reactions != "confused" || reply != "I take commands only from ana, with write permission." || len(d.open()) > 0 {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	d.push("main", map[string]string{refresh.ConfigFile: "commands: {allow: admin}\n"})
	if reactions, _ := d.obeys("/refresh"); reactions != done || len(d.open()) != 1 {
		t.Errorf("reactions %q", reactions)
	}
}

// A broken file is told where the command was, and in one issue.
func TestCommands_brokenFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "merges: {grup: all}\n")
	reactions, reply := d.obeys("/refresh")
	if reactions != confused || !strings.HasPrefix(reply, "`/refresh` — this must be mended first:\n- `.odyssey.yaml:1`: merges: unknown key \"grup\"") || !strings.Contains(reply, "[The issue about it](https://") {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
	if issues := d.issues(); len(issues) != 1 || !strings.Contains(issues[0].Body, "unknown key") {
		t.Errorf("issues %+v", issues)
	}
	if r := d.report("commands"); r.Error != "" {
		t.Errorf("report %+v", r)
	}
}
