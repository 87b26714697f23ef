package bot_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

// S3: who may not write is refused, with one reaction and one sentence, and
// nothing else is written. The permission is that of the moment.
func TestFault_S3_NoWriter(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	number := d.human.OpenIssue(t, "A talk", "")
	stranger := forgetest.FakeStranger
	first, item := d.says(stranger, number, "/refresh\n/hold ./odoo\n/help")
	d.hears(item)
	if got, reply := d.reactions(first), d.reply(number); got != "confused" || reply != "I take commands only from who may write to the repository." {
		t.Errorf("reactions %q, reply %q", got, reply)
	}
	for _, c := range d.fake.Writes() {
		if c.Method != "React" && c.Method != "AddComment" {
			t.Errorf("wrote %+v", c)
		}
	}
	d.human.SetPermission(t, stranger, forge.MayWrite)
	second, item := d.says(stranger, number, "/refresh ./odoo")
	d.human.SetPermission(t, stranger, forge.MayRead) // taken away before the job runs
	d.hears(item)
	if got := d.reactions(second); got != "confused" || len(d.open()) > 0 {
		t.Errorf("reactions %q, %d open", got, len(d.open()))
	}
	d.human.SetPermission(t, stranger, forge.MayWrite)
	third, item := d.says(stranger, number, "/refresh ./odoo")
	d.hears(item)
	if got := d.reactions(third); got != done || len(d.open()) != 1 {
		t.Errorf("reactions %q, %d open", got, len(d.open()))
	}
}

// S3: a forge that does not tell who may write makes nobody a writer.
func TestFault_S3_PermissionUnknown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.fake.FailBefore(func(method string) error {
		if method == "Permission" {
			return forge.ErrUnauthorized
		}
		return nil
	})
	reactions, reply := d.obeys("/refresh")
	if reactions != "confused" || !strings.HasPrefix(reply, "The forge does not tell me who may write here.") || len(d.open()) > 0 {
		t.Errorf("reactions %q, reply %q", reactions, reply)
	}
}

// S3: bots are not answered at all, the bot's own account first: nothing that
// it writes, or quotes, is a command.
func TestFault_S3_Bots(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.human.SetPermission(t, "robot", forge.MayWrite)
	d.fake.SetRobot("robot")
	number := d.human.OpenIssue(t, "A talk", "")
	for _, login := range []string{"robot", forgetest.FakeBot} {
		before := len(d.fake.Writes())
		comment, item := d.says(login, number, "/refresh")
		d.hears(item)
		if got := d.reactions(comment); got != "" || len(d.fake.Writes()) > before {
			t.Errorf("%s: reactions %q, wrote %+v", login, got, d.fake.Writes()[before:])
		}
	}
}

// S3: an edited comment is refused, whether it was edited before or after the
// event told of it; one that an event tells falsely of, too.
func TestFault_S3_Edited(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	for name, act := range map[string]func(comment int64, item *bot.CommentItem){
		"edited after the event": func(comment int64, _ *bot.CommentItem) { d.human.EditComment(t, comment, "/refresh ./odoo ") },
		"edited into a command": func(comment int64, item *bot.CommentItem) {
			d.human.EditComment(t, comment, "/refresh ./odoo")
			item.Body = "/refresh ./odoo"
		},
		"another text in the event": func(_ int64, item *bot.CommentItem) { item.Body = "/refresh ./web" },
	} {
		number := d.human.OpenIssue(t, "A talk", "")
		comment := d.human.Comment(t, number, "/refresh ./odoo")
		told := bot.CommentItem{Comment: comment, Number: number, Author: d.human.Login(), Body: "/refresh ./odoo"}
		act(comment, &told)
		d.hears(d.item(told))
		if got, reply := d.reactions(comment), d.reply(number); got != "confused" || reply != "This comment was edited, and I obey none that was. Write a new one." || len(d.open()) > 0 {
			t.Errorf("%s: reactions %q, reply %q", name, got, reply)
		}
	}
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(d.human.Login(), number, "/refresh ./odoo")
	d.human.EditComment(t, comment, "I changed my mind.")
	d.hears(item)
	if got := d.reactions(comment); got != "" || d.reply(number) != "" {
		t.Errorf("taken back by an edit: reactions %q, reply %q", got, d.reply(number))
	}
	deleted, item := d.says(d.human.Login(), number, "/refresh ./odoo")
	d.human.DeleteComment(t, deleted)
	d.hears(item)
	if d.reply(number) != "" || len(d.open()) > 0 {
		t.Errorf("deleted: reply %q", d.reply(number))
	}
}

// S4: a command is for the head that its author saw. Somebody else's push
// voids it; the bot's own does not.
func TestFault_S4_HeadMoved(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	own := d.one().Number
	d.push("feature", map[string]string{"a": "b"})
	theirs, err := d.fake.CreateAs(t.Context(), d.human.Login(), d.repo, forge.NewPullRequest{Head: "feature", Base: "main", Title: "Mine"})
	must(t, err)
	const refused = "somebody has pushed to this pull request since you wrote this. Look at it, and say it again."
	check := func(name string, number int64, body, reactions, want string, act func()) {
		t.Helper()
		comment, item := d.says(d.human.Login(), number, body)
		act()
		d.hears(item)
		all, err := d.fake.Comments(t.Context(), d.repo, number)
		must(t, err)
		if got := d.reactions(comment); got != reactions || !strings.Contains(all[len(all)-1].Body, want) {
			t.Errorf("%s: reactions %q, last comment %q", name, got, all[len(all)-1].Body)
		}
	}
	check("nobody pushed", own, "/refresh", done, "/refresh", func() {})
	check("the bot pushed", own, "/refresh", done, "/refresh", func() {
		d.git.commits[acme] = id(12)
		d.run("./odoo updated")
	})
	check("a human's pull request", theirs.Number, "/refresh ./odoo", confused, refused, func() { d.push("feature", map[string]string{"a": "c"}) })
	check("the same, unmoved", theirs.Number, "/refresh ./odoo", done, "up to date", func() {})
	check("a hold is about no head", theirs.Number, "/hold ./web\n/unhold ./web", done, "/hold", func() { d.push("feature", map[string]string{"a": "d"}) })
	check("a human pushed to the bot's", own, "/rebase", confused, refused, func() { d.push(branch, map[string]string{"a": "c"}) })
	fork := d.human.ForkPullRequest(t, "x")
	comment := d.human.Comment(t, fork, "/refresh ./odoo")
	d.hears(d.item(bot.CommentItem{Comment: comment, Number: fork, Author: d.human.Login(), Body: "/refresh ./odoo", Head: id(1)}))
	if got := d.reactions(comment); got != confused || !strings.Contains(d.reply(fork), refused) {
		t.Errorf("fork: reactions %q, reply %q", got, d.reply(fork))
	}
}

// S5: what a pull request from a fork, or any other branch, changes in
// .odyssey.yaml counts for nothing before it is merged.
func TestFault_S5_PolicyOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "commands: {allow: admin}\nmerges: {group: all}\n")
	d.git.commits[acme] = id(11)
	d.human.SetPermission(t, forgetest.FakeStranger, forge.MayWrite)
	fork := d.human.ForkPullRequest(t, "evil")
	d.push("evil", map[string]string{refresh.ConfigFile: "commands: {allow: write}\nmerges: {group: destination, reviewers: [stranger]}\n", refresh.ReposFile: "./x: {}\n"})
	theirs, err := d.fake.CreateAs(t.Context(), forgetest.FakeStranger, d.repo, forge.NewPullRequest{Head: "evil", Base: "main", Title: "Mine"})
	must(t, err)
	for _, number := range []int64{fork, theirs.Number} {
		comment, item := d.says(forgetest.FakeStranger, number, "/refresh all")
		d.hears(item)
		if got := d.reactions(comment); got != "confused" || d.reply(number) != "I take commands only from who may administer the repository." {
			t.Errorf("#%d: reactions %q, reply %q", number, got, d.reply(number))
		}
	}
	comment, item := d.says(d.human.Login(), theirs.Number, "/refresh ./odoo")
	d.hears(item)
	heads := ""
	for _, pr := range d.open() {
		if pr.Author == forgetest.FakeBot {
			heads += pr.Head
		}
	}
	if got := d.reactions(comment); got != done || heads != "odyssey/merge/all" {
		t.Errorf("reactions %q, open %q", got, heads)
	}
}

// M1, M2: what a comment says is quoted inert, and cut.
func TestFault_M1_Reply(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	for _, hostile := range []string{
		"@org/team", "<img/src=x>", "fixes#1", "```", "``x``", "<!--odyssey", "[x](https://evil.example)", "https://evil.example", "\u202egnp.exe",
		"<!-- odyssey reply=1 done -->", "</summary>", strings.Repeat("x", 249), "`" + strings.Repeat("#1`", 60), "GH-1", "!1",
	} {
		for _, body := range []string{"/hold " + hostile, "/refresh ./odoo " + hostile + " b", "/refresh ./odoo acme " + hostile, "/rebase " + hostile, "/unhold ./x\n/refresh " + hostile} {
			reactions, reply := d.obeys(body)
			if reactions != confused || reply == "" || len(reply) > 3000 {
				t.Errorf("%q: reactions %q, reply %q", body, reactions, reply)
			}
			for _, bad := range []string{"@o", "#1", "GH-1", "!1", "://evil", "<!--", "\u202e", "\n```"} {
				if strings.Contains(reply, bad) {
					t.Errorf("%q: the reply has %q: %s", body, bad, reply)
				}
			}
		}
	}
	// A megabyte is read, and a hundred commands are not all done.
	if reactions, reply := d.obeys(strings.Repeat("/hold ./odo\n", 80_000)); reactions != confused || len(reply) > 10_000 || !strings.Contains(reply, "I take 10 commands") {
		t.Errorf("reactions %q, %d bytes", reactions, len(reply))
	}
}

// M1: nor can a comment's quoted text pass for the mark of another's reply.
func TestFault_M1_ReplyMark(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	number := d.human.OpenIssue(t, "A talk", "")
	for n := range int64(3) { // each names the next comment, and is answered by one more
		comment, item := d.says(d.human.Login(), number, fmt.Sprintf("/hold <!-- odyssey reply=%d done -->", 3+2*n))
		d.hears(item)
		if got := d.reactions(comment); got != confused {
			t.Errorf("comment %d: reactions %q", comment, got)
		}
	}
	all, err := d.fake.Comments(t.Context(), d.repo, number)
	must(t, err)
	if len(all) != 6 {
		t.Errorf("%d comments", len(all))
	}
}

// S3: nobody else can say in the bot's name that a command was done.
func TestFault_S3_MarkOfAStranger(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(d.human.Login(), number, "/refresh ./odoo")
	d.fake.FailBefore(func(method string) error {
		if method == "Push" {
			return forge.ErrTransient
		}
		return nil
	})
	if err := d.worker.Work(t.Context(), d.job("commands", 1, item)); !errors.Is(err, forge.ErrTransient) || d.reactions(comment) != "eyes" {
		t.Fatalf("error %v, reactions %q", err, d.reactions(comment))
	}
	d.fake.FailBefore(nil)
	stranger := d.fake.As(forgetest.FakeStranger, d.name)
	stranger.Comment(t, number, fmt.Sprintf("Opened.\n\n<!-- odyssey reply=%d done -->", comment))
	stranger.React(t, comment, forge.Done)
	d.hears(item)
	if len(d.open()) != 1 || !strings.HasPrefix(d.reply(number), "`/refresh ./odoo` — `./odoo`: opened") {
		t.Errorf("%d open, reply %q", len(d.open()), d.reply(number))
	}
}

// T1: a secret in a fault's text reaches neither the reply nor the report nor
// the log.
func TestFault_T1_Worker(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry"
	d := newDesk(t, "")
	d.push("main", map[string]string{refresh.ReposFile: strings.Replace(repos, "https://git.example.org/web.git", "https://u:"+canary+"@git.example.org/web.git", 1)})
	_, reply := d.obeys("/refresh")
	d.merges()
	errOdd := errors.New("odd")
	d.push("main", map[string]string{refresh.ReposFile: repos})
	d.git.commits[acme] = id(11)
	d.fake.FailBefore(func(method string) error {
		if method == "Push" {
			return errOdd
		}
		return nil
	})
	if err := d.worker.Work(t.Context(), d.job("merges", 1)); !errors.Is(err, errOdd) {
		t.Errorf("error %v", err)
	}
	if got := d.report("merges").Error; got != "an internal error; the log says more" {
		t.Errorf("report %q", got)
	}
	all := reply + d.logged.String() + fmt.Sprint(d.issues())
	for _, value := range d.kept.values {
		all += string(value)
	}
	if strings.Contains(all, canary) {
		t.Errorf("a password is shown: %s", all)
	}
}
