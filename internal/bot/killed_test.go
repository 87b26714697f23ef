package bot_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
)

// killedAfter has the worker killed after the first call of a method, in the
// job of a command and in one of its own, and checks that the next attempt
// finds what there is.
func killedAfter(t *testing.T, method string) {
	t.Helper()
	errKilled := errors.New("killed")
	for _, kind := range []string{"merges", "commands"} {
		d := newDesk(t, "")
		d.git.commits[acme] = id(11)
		number := d.human.OpenIssue(t, "A talk", "")
		comment, item := d.says(forgetest.FakeHuman, number, "/refresh ./odoo")
		d.fake.FailAfter(func(called string) error {
			if called == method {
				return errKilled
			}
			return nil
		})
		if err := d.worker.Work(t.Context(), d.job(kind, 1, item)); !errors.Is(err, errKilled) {
			t.Errorf("%s: error %v", kind, err)
		}
		d.fake.FailAfter(nil)
		must(t, d.worker.Work(t.Context(), d.job(kind, 2, item)))
		pushes, created := 0, 0
		for _, c := range d.fake.Writes() {
			switch c.Method {
			case "Push":
				pushes++
			case "CreatePullRequest":
				created++
			}
		}
		if pushes != 1 || created != 1 || len(d.open()) != 1 {
			t.Errorf("%s: %d pushes, %d pull requests", kind, pushes, created)
		}
		if kind == "commands" && (d.reactions(comment) != done || !strings.Contains(d.reply(number), d.one().URL)) {
			t.Errorf("reactions %q, reply %q", d.reactions(comment), d.reply(number))
		}
	}
}

// C5: killed after the push, before the pull request: the branch is used again.
func TestFault_C5_KilledAfterPush(t *testing.T) {
	t.Parallel()
	killedAfter(t, "Push")
}

// C6: killed after the pull request: it is found by its head. F2: so it is when
// only the answer was lost.
func TestFault_C6_KilledAfterPullRequest(t *testing.T) {
	t.Parallel()
	killedAfter(t, "CreatePullRequest")
}

// F2: a reply whose answer was lost is found, and not made twice.
func TestFault_F2_ReplyLost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(forgetest.FakeHuman, number, "/help")
	d.fake.FailAfter(func(method string) error {
		if method == "AddComment" {
			return forge.ErrTransient
		}
		return nil
	})
	if err := d.worker.Work(t.Context(), d.job("commands", 1, item)); !errors.Is(err, forge.ErrTransient) || d.reactions(comment) != "eyes" {
		t.Errorf("error %v, reactions %q", err, d.reactions(comment))
	}
	d.hears(item)
	before := len(d.fake.Writes())
	d.hears(item) // the event once more, by another way
	if d.reactions(comment) != done || d.reply(number) == "" || len(d.fake.Writes()) != before {
		t.Errorf("reactions %q, reply %q", d.reactions(comment), d.reply(number))
	}
}

// F3: while the forge limits calls, the job waits in the queue as long as the
// forge says, and no attempt counts.
func TestFault_F3_JobWaits(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	number := d.human.OpenIssue(t, "A talk", "")
	_, item := d.says(forgetest.FakeHuman, number, "/help")
	d.fake.FailBefore(func(string) error { return &forge.RateLimitError{RetryAfter: 90 * time.Second} })
	for _, kind := range []string{"merges", "commands"} {
		calls := len(d.fake.Calls())
		err := d.worker.Work(t.Context(), d.job(kind, 1, item))
		if waitOf(err) != waitOf(queue.Later(90*time.Second, err)) || waitOf(err) == "" || len(d.fake.Calls()) != calls+1 {
			t.Errorf("%s: %#v after %d calls", kind, err, len(d.fake.Calls())-calls)
		}
	}
}
