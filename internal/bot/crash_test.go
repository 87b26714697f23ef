package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// orders are comments that together do all that commands can do.
func orders() []string {
	return []string{
		"/refresh ./odoo", "/refresh ./odo", "/hold ./web\n/refresh all", "/unhold ./web\n/refresh ./web oca 17.0 --to " + id(9), "/rebase", "/refresh\n/refresh ./web\n/help",
	}
}

// aftermath is what there is to see after a job of commands.
type aftermath struct {
	Seen      state
	Locked    map[string]string
	Reactions []string
	Replies   []int
	Issues    []string
}

// obeyAll has the worker treat all orders in one job, again and again until it
// succeeds, and returns what came of it, after how many attempts and calls of
// the forge, and how many calls the first attempt made. The nth call fails as
// fail says.
func obeyAll(t *testing.T, fail func(n int, method string, after bool) error) (got aftermath, attempts, calls, first int) {
	t.Helper()
	d := newDesk(t, "")
	d.git.commits[acme], d.git.commits[web] = id(11), id(21)
	number := d.human.OpenIssue(t, "A talk", "")
	var items []queue.Item
	var ids []int64
	for _, body := range orders() {
		comment, item := d.says(forgetest.FakeHuman, number, body)
		ids, items = append(ids, comment), append(items, item)
	}
	hook := func(after bool) func(string) error {
		return func(method string) error {
			if !after {
				calls++
			}
			return fail(calls, method, after)
		}
	}
	err := errors.New("not done")
	for err != nil && attempts < 6 {
		attempts++
		d.fake.FailBefore(hook(false))
		d.fake.FailAfter(hook(true))
		err = d.worker.Work(t.Context(), d.job("commands", attempts, items...))
		if attempts == 1 {
			first = calls
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	got = aftermath{Seen: d.look(), Locked: map[string]string{}}
	for _, pr := range d.open() {
		got.Locked[pr.Head] = d.lockedOn(pr.Head)
	}
	all, err := d.fake.Comments(t.Context(), d.repo, number)
	must(t, err)
	for _, comment := range ids {
		got.Reactions = append(got.Reactions, d.reactions(comment))
		replies := 0
		for _, c := range all {
			if c.Author == forgetest.FakeBot && strings.Contains(c.Body, fmt.Sprintf("<!-- odyssey reply=%d ", comment)) {
				replies++
			}
		}
		got.Replies = append(got.Replies, replies)
	}
	for _, issue := range d.issues() {
		got.Issues = append(got.Issues, string(issue.State)+" "+issue.Title)
	}
	return got, attempts, calls, first
}

func TestCommands_allOrders(t *testing.T) {
	t.Parallel()
	got, attempts, calls, _ := obeyAll(t, func(int, string, bool) error { return nil })
	want := aftermath{
		Locked:    map[string]string{branch: "1 11 3", "odyssey/merge/web": "1 2 21"},
		Reactions: []string{done, confused, confused, done, confused, done},
		Replies:   []int{1, 1, 1, 1, 1, 1},
		Issues:    []string{"closed Odyssey: held destinations"},
	}
	want.Seen = got.Seen
	if diff := cmp.Diff(want, got); diff != "" || attempts != 1 {
		t.Errorf("%d attempts (-want +got):\n%s", attempts, diff)
	}
	if len(got.Seen.Open) != 2 {
		t.Errorf("open %q", got.Seen.Open)
	}
	t.Logf("%d calls", calls)
}

// F1, F2, C5, C6, C8: the process is killed at each call of the forge, before
// or after its effect: after the push, after the pull request, after the reply.
// The next attempt ends where an undisturbed one does: one branch, one pull
// request, one reply, one issue.
func TestFault_C8_CommandsKilledAtEachCall(t *testing.T) {
	t.Parallel()
	want, _, calls, _ := obeyAll(t, func(int, string, bool) error { return nil })
	errKilled := errors.New("killed")
	for n := 1; n <= calls; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, after %t", n, after), func(t *testing.T) {
				t.Parallel()
				var killed string
				got, attempts, _, _ := obeyAll(t, func(i int, method string, late bool) error {
					if i == n && late == after {
						killed = method
						return errKilled
					}
					return nil
				})
				if diff := cmp.Diff(want, got); diff != "" || killed != "" && attempts != 2 {
					t.Errorf("killed at %s, %d attempts (-want +got):\n%s", killed, attempts, diff)
				}
			})
		}
	}
}

// F1, F3, F6: a fault that passes, a limit, a refused token: the job ends, the
// forge is not called any more in it, and the next attempt goes on.
func TestFault_F1_CommandsFailAtEachCall(t *testing.T) {
	t.Parallel()
	want, _, calls, _ := obeyAll(t, func(int, string, bool) error { return nil })
	for class, fault := range []error{forge.ErrTransient, &forge.RateLimitError{RetryAfter: 7}} {
		for n := 1 + class; n <= calls; n += 2 {
			var failed string
			got, attempts, _, first := obeyAll(t, func(i int, method string, late bool) error {
				if i == n && !late {
					failed = method
					return fault
				}
				return nil
			})
			if diff := cmp.Diff(want, got); diff != "" || attempts != 2 || first != n {
				t.Errorf("%v at %s, call %d, %d calls in that attempt, %d attempts (-want +got):\n%s", fault, failed, n, first, attempts, diff)
			}
		}
	}
}

// F6: a token that is refused parks the job; nothing was done twice when the
// operator has it tried again.
func TestFault_F6_CommandsParked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(forgetest.FakeHuman, number, "/refresh")
	for _, method := range []string{"Repo", "Reactions", "Comment", "React"} {
		d.fake.FailBefore(func(called string) error {
			if called == method {
				return forge.ErrUnauthorized
			}
			return nil
		})
		err := d.worker.Work(t.Context(), d.job("commands", 1, item))
		if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", queue.Park(errors.New("x"))) {
			t.Errorf("%s: %T %v", method, err, err)
		}
		if got := d.report("commands").Error; got != "the forge refuses the bot's token, or its account may not do this" {
			t.Errorf("%s: report %q", method, got)
		}
	}
	d.fake.FailBefore(nil)
	d.hears(item)
	if got := d.reactions(comment); got != done || len(d.open()) != 1 {
		t.Errorf("reactions %q", got)
	}
}

// What the forge refuses in the middle of a command is told, where it can be.
func TestCommands_refusedByTheForge(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.fake.FailBefore(func(method string) error {
		if method == "Push" {
			return forge.ErrUnauthorized
		}
		return nil
	})
	if reactions, reply := d.obeys("/refresh"); reactions != confused || reply != "`/refresh` — the forge does not let me; that is for the operator of this bot to mend." {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
}

// Who waits for a word gets one, when attempts do not help.
func TestCommands_patience(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd")
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.fake.FailBefore(func(method string) error {
		if method == "Push" {
			return errOdd
		}
		return nil
	})
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(forgetest.FakeHuman, number, "/refresh")
	for attempt := 1; attempt < 3; attempt++ {
		if err := d.worker.Work(t.Context(), d.job("commands", attempt, item)); !errors.Is(err, errOdd) || d.reactions(comment) != "eyes" {
			t.Errorf("attempt %d: error %v, reactions %q", attempt, err, d.reactions(comment))
		}
	}
	must(t, d.worker.Work(t.Context(), d.job("commands", 3, item)))
	if reply := d.reply(number); d.reactions(comment) != confused || reply != "`/refresh` — this failed for a reason inside of me; the operator's log says more." || !strings.Contains(d.logged.String(), "err=") {
		t.Errorf("reactions %q, reply %q, log %s", d.reactions(comment), reply, d.logged.String())
	}
}

// F8: a human pushes to the bot's branch at each moment of a command: the
// commits stay.
func TestFault_F8_HumanAtEachCallOfACommand(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"/refresh", "/rebase"} {
		for n, more := 1, true; more; n++ {
			d := newDesk(t, "")
			d.git.commits[acme] = id(11)
			d.merges()
			d.git.commits[acme] = id(12)
			d.push("main", map[string]string{"README.md": "news\n"})
			comment, item := d.says(forgetest.FakeHuman, d.one().Number, body)
			calls, mine := 0, ""
			d.fake.FailBefore(func(string) error {
				if calls++; calls == n {
					mine = d.push(branch, map[string]string{"NOTES": "mine\n"})
				}
				return nil
			})
			d.hears(item)
			d.fake.FailBefore(nil)
			if mine != "" && d.head() != mine {
				t.Errorf("%s, call %d: the branch is at %s, the human's commit was %s", body, n, d.head(), mine)
			}
			if got := d.reactions(comment); got != done && got != confused || len(d.open()) != 1 {
				t.Errorf("%s, call %d: reactions %q", body, n, got)
			}
			more = mine != ""
		}
	}
}

// R5: an attempt that is no longer the one that counts writes nothing, whenever
// it finds out.
func TestFault_R5_Fenced(t *testing.T) {
	t.Parallel()
	for n, more := 0, true; more; n++ {
		d := newDesk(t, "merges: {reviewers: [human]}\n")
		d.git.commits[acme] = id(11)
		number := d.human.OpenIssue(t, "A talk", "")
		_, item := d.says(forgetest.FakeHuman, number, "/hold ./web\n/refresh\n/unhold ./web")
		asked := 0
		d.fence = func(context.Context) error {
			if asked++; asked > n {
				return queue.ErrFenced
			}
			return nil
		}
		err := d.worker.Work(t.Context(), d.job("commands", 1, item))
		if got := len(d.fake.Writes()); got != min(n, asked) {
			t.Errorf("%d writes, %d were allowed: %+v", got, n, d.fake.Writes())
		}
		if more = asked > n; more && !errors.Is(err, queue.ErrFenced) {
			t.Errorf("fenced after %d: error %v", n, err)
		}
	}
}

// The failpoints are after every write, by the method's name.
func TestWorker_crash(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	var points []string
	d.worker.Crash = func(point string) { points = append(points, point) }
	_, _ = d.obeys("/hold ./web\n/refresh\n/unhold ./web")
	_, _ = d.obeys("/refresh ./odoo")
	d.git.commits[acme] = id(12)
	d.merges()
	d.git.commits[acme] = id(2)
	d.merges()
	var writes []string
	for _, c := range d.fake.Writes() {
		writes = append(writes, c.Method)
	}
	if diff := cmp.Diff(writes, points); diff != "" || !slices.Contains(points, "CreatePullRequest") || !slices.Contains(points, "AddComment") || !slices.Contains(points, "DeleteBranch") {
		t.Errorf("(-writes +points):\n%s", diff)
	}
}

// A dry run writes nothing, whatever is demanded.
func TestDryRun_writesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.worker.Forges["main"] = bot.DryRun(d.fake)
	_, _ = d.obeys("/hold ./web\n/refresh")
	d.push("main", map[string]string{refresh.ConfigFile: "[]"})
	d.merges()
	if writes := d.fake.Writes(); len(writes) > 0 {
		t.Errorf("wrote %+v", writes)
	}
}
