package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
)

const (
	voided  = "somebody has pushed to this pull request since you wrote this."
	untold  = "the forge does not tell me what this pull request was when you wrote this."
	allDone = "eyes rocket"
)

// unbound is a desk whose forge says of no comment at which head it was written,
// as GitHub does not, and whose clock is the test's.
type unbound struct {
	*desk
	clock time.Time
}

func newUnbound(t *testing.T) *unbound {
	t.Helper()
	u := &unbound{newDesk(t, ""), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	u.fake.SetClock(func() time.Time { return u.clock })
	u.git.commits[acme] = id(11)
	u.merges()
	u.pass()
	return u
}

func (u *unbound) pass() { u.clock = u.clock.Add(time.Second) }

// theirs opens a human's pull request.
func (u *unbound) theirs() int64 {
	u.t.Helper()
	u.push("feature", map[string]string{"a": "b"})
	pr, err := u.fake.CreateAs(u.t.Context(), u.human.Login(), u.repo, forge.NewPullRequest{Head: "feature", Base: "main", Title: "Mine"})
	must(u.t, err)
	u.pass()
	return pr.Number
}

// comments has the owner write a command, which the queue's item is of.
func (u *unbound) comments(number int64, body string) (int64, queue.Item) {
	u.t.Helper()
	comment := u.human.Comment(u.t, number, body)
	return comment, u.item(bot.CommentItem{Comment: comment, Number: number, Author: u.human.Login(), Body: body})
}

// last returns the newest comment on a pull request.
func (u *unbound) last(number int64) forge.Comment {
	u.t.Helper()
	all, err := u.fake.Comments(u.t.Context(), u.repo, number)
	must(u.t, err)
	return all[len(all)-1]
}

// S4: where no event says at which head a comment was written, the forge's own
// time of the push decides.
func TestFault_S4_HeadByTime(t *testing.T) {
	t.Parallel()
	u := newUnbound(t)
	own, theirs := u.one().Number, u.theirs()
	fork := u.human.ForkPullRequest(t, "x")
	u.pass()
	check := func(name string, number int64, body, reactions, want string, act func()) {
		t.Helper()
		comment, item := u.comments(number, body)
		act()
		u.hears(item)
		if got := u.reactions(comment); got != reactions || !strings.Contains(u.last(number).Body, want) {
			t.Errorf("%s: reactions %q, last comment %q", name, got, u.last(number).Body)
		}
		u.pass()
	}
	pushed := func(branch, text string, before bool) func() {
		return func() {
			if before {
				u.pass()
			}
			u.push(branch, map[string]string{"a": text})
		}
	}
	check("nobody pushed", theirs, "/refresh ./odoo", allDone, "up to date", func() {})
	check("a fork that nobody pushed to", fork, "/refresh ./odoo", allDone, "up to date", func() {})
	check("somebody pushed", theirs, "/refresh ./odoo", "confused eyes", voided, pushed("feature", "c", true))
	check("the same, looked at", theirs, "/refresh ./odoo", allDone, "up to date", func() {})
	check("somebody pushed in that second", theirs, "/refresh ./odoo", "confused eyes", voided, pushed("feature", "d", false))
	check("a hold is about no head", theirs, "/hold ./web\n/unhold ./web", allDone, "", pushed("feature", "e", true))
	if slices.ContainsFunc(u.fake.Calls(), func(c forgetest.Call) bool { return c.Method == "HeadSince" && c.Number == own }) {
		t.Error("the forge is asked about the bot's own pull request")
	}
	check("the bot pushed", own, "/refresh", allDone, "", func() {
		u.pass()
		u.git.commits[acme] = id(12)
		u.run("./odoo updated")
	})
	check("a human pushed to the bot's", own, "/rebase", "confused eyes", voided, pushed(branch, "f", true))
}

// S4: where the forge cannot tell, it is tried again, and then what the bot says
// it sees decides about the next comment. Nobody else can say that for it.
func TestFault_S4_HeadUntold(t *testing.T) {
	t.Parallel()
	u := newUnbound(t)
	number := u.theirs()
	head := func() string {
		pr, err := u.fake.PullRequest(t.Context(), u.repo, number)
		must(t, err)
		return pr.HeadSHA
	}
	u.fake.FailBefore(func(method string) error {
		if method == "HeadSince" {
			return forge.ErrTransient
		}
		return nil
	})
	_, item := u.comments(number, "/refresh ./odoo")
	if err := u.worker.Work(t.Context(), u.job("commands", 1, item)); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("error %v, want another attempt", err)
	}
	mark := func(head string) string {
		return fmt.Sprintf("Hm.\n\n<!-- odyssey head=%s -->\n<!-- odyssey reply=1 confused -->", head)
	}
	u.fake.As(forgetest.FakeStranger, u.name).Comment(t, number, mark(head()))
	u.pass()
	try := func(name, want string, reactions string) {
		t.Helper()
		comment, item := u.comments(number, "/refresh ./odoo")
		u.pass()
		must(t, u.worker.Work(t.Context(), u.job("commands", 3, item)))
		said := u.last(number).Body
		if got := u.reactions(comment); got != reactions || !strings.Contains(said, want) {
			t.Errorf("%s: reactions %q, last comment %q", name, got, said)
		}
		if want == untold && !strings.Contains(said, "It is at `"+head()+"` now") {
			t.Errorf("%s: the reply does not say %s: %q", name, head(), said)
		}
		u.pass()
	}
	try("a stranger's mark", untold, "confused eyes")
	try("said again", "up to date", allDone)
	u.push("feature", map[string]string{"a": "c"})
	u.pass()
	try("pushed since", untold, "confused eyes")
	try("and said again", "up to date", allDone)
	before, item := u.comments(number, "/refresh ./odoo") // written before the bot's next word
	u.push("feature", map[string]string{"a": "d"})
	u.pass()
	try("pushed once more", untold, "confused eyes")
	must(t, u.worker.Work(t.Context(), u.job("commands", 3, item)))
	if got := u.reactions(before); got != "confused eyes" {
		t.Errorf("a comment of before: reactions %q", got)
	}
}
