package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
)

var drifted = strings.Repeat("a", 64)

// drifter is a bot.Importer of one bundle, which drifts.
type drifter struct {
	t      *testing.T
	fake   *forgetest.Fake
	mirror forge.Name
	human  forgetest.Human
	calls  []intake.Request
	fault  error // of a push
}

func (d *drifter) Prepare(_ context.Context, r intake.Request) (*intake.Result, error) {
	d.calls = append(d.calls, r)
	if r.Drift == drifted {
		return &intake.Result{SHA256: drifted, Head: strings.Repeat("b", 40)}, nil
	}
	return &intake.Result{SHA256: drifted, Stop: &intake.Stop{Kind: intake.Drift, Reason: "2 modules differ"}}, nil
}

func (d *drifter) Push(_ context.Context, branch, _, _ string) error {
	if d.fault == nil {
		d.human.Push(d.t, forgetest.Commit{Branch: branch, Files: map[string]forgetest.File{"sale/a": {Content: "a\n"}}})
	}
	return d.fault
}

// took says whether the last import was of the drift.
func (d *drifter) took() bool { return d.calls[len(d.calls)-1].Drift == drifted }

func newMirror(t *testing.T) (*desk, *drifter) {
	t.Helper()
	d := newDesk(t, "enterprise: {enabled: true}\n")
	mirror := forge.Name{Owner: "acme", Name: "enterprise"}
	d.fake.AddRepo(mirror)
	d.fake.SetPrivate(mirror, true)
	imp := &drifter{t: t, fake: d.fake, mirror: mirror, human: d.fake.As(forgetest.FakeHuman, mirror)}
	d.bot.Mirrors = []bot.Mirror{{Forge: d.fake, Subject: "main:" + d.name.String(), For: d.name, Name: mirror, Importer: imp}}
	return d, imp
}

// stopped is the bot's only open issue in the mirror.
func (d *drifter) stopped(t *testing.T) forge.Issue {
	t.Helper()
	var open []forge.Issue
	for _, i := range d.human.Issues(t) {
		if i.State == forge.Open && i.Author == forgetest.FakeBot {
			open = append(open, i)
		}
	}
	if len(open) != 1 {
		t.Fatalf("open issues: %+v", open)
	}
	return open[0]
}

// forge writes an acceptance into the issue's text, as who may edit it can.
func (d *drifter) forge(t *testing.T, comment, receipt int64) {
	t.Helper()
	issue := d.stopped(t)
	from, to := strings.Index(issue.Body, "accepted=["), strings.LastIndex(issue.Body, "]")
	mark := fmt.Sprintf(`accepted=[{"what":"drift","bundle":%q,"comment":%d,"receipt":%d,"by":"boss"}`, drifted, comment, receipt)
	d.human.EditIssue(t, issue.Number, forge.Edit{Body: issue.Body[:from] + mark + issue.Body[to:]})
}

// receipt is what the bot says when it takes somebody's word.
func receipt(bundle string, comment int64) string {
	return fmt.Sprintf("Accepted: the drift of the bundle with the SHA-256 %#q, and of no other.\n\n<!-- odyssey receipt=%d -->", bundle, comment)
}

// What stands in the text of an issue is nobody's word by itself.
func TestEnterprise_forgedAcceptance(t *testing.T) {
	t.Parallel()
	writer := forgetest.FakeStranger
	word := func(t *testing.T, imp *drifter, n int64) int64 {
		t.Helper()
		return imp.human.Comment(t, n, "/accept drift")
	}
	taken := func(t *testing.T, imp *drifter, n, comment int64) int64 {
		t.Helper()
		return imp.fake.As(forgetest.FakeBot, imp.mirror).Comment(t, n, receipt(drifted, comment))
	}
	edited := func(t *testing.T, imp *drifter, id int64, text string) int64 {
		t.Helper()
		imp.human.EditComment(t, id, text)
		return id
	}
	elsewhere := func(t *testing.T, imp *drifter) int64 { t.Helper(); return imp.human.OpenIssue(t, "A talk", "") }
	for name, c := range map[string]struct {
		comment func(t *testing.T, imp *drifter, issue int64) int64
		receipt func(t *testing.T, imp *drifter, issue, comment int64) int64
		counts  bool
	}{
		"as it should be": {word, taken, true},
		"no word":         {func(*testing.T, *drifter, int64) int64 { return 0 }, taken, false},
		"no such word":    {func(*testing.T, *drifter, int64) int64 { return 4711 }, taken, false},
		"no command": {func(t *testing.T, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.human.Comment(t, n, "accept drift?")
		}, taken, false},
		"other word": {func(t *testing.T, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.human.Comment(t, n, "/accept removals")
		}, taken, false},
		"no admin": {func(t *testing.T, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.fake.As(writer, imp.mirror).Comment(t, n, "/accept drift")
		}, taken, false},
		"word elsewhere": {func(t *testing.T, imp *drifter, _ int64) int64 { t.Helper(); return word(t, imp, elsewhere(t, imp)) }, taken, false},
		"word edited": {func(t *testing.T, imp *drifter, n int64) int64 {
			t.Helper()
			return edited(t, imp, imp.human.Comment(t, n, "Never"), "/accept drift")
		}, taken, false},
		"not taken":       {word, func(*testing.T, *drifter, int64, int64) int64 { return 0 }, false},
		"no such receipt": {word, func(*testing.T, *drifter, int64, int64) int64 { return 4711 }, false},
		"receipt by somebody else": {word, func(t *testing.T, imp *drifter, n, comment int64) int64 {
			t.Helper()
			return imp.human.Comment(t, n, receipt(drifted, comment))
		}, false},
		"receipt for another bundle": {word, func(t *testing.T, imp *drifter, n, comment int64) int64 {
			t.Helper()
			return imp.fake.As(forgetest.FakeBot, imp.mirror).Comment(t, n, receipt(strings.Repeat("b", 64), comment))
		}, false},
		"receipt of another word": {word, func(t *testing.T, imp *drifter, n, comment int64) int64 {
			t.Helper()
			return taken(t, imp, n, comment+1)
		}, false},
		"receipt elsewhere": {word, func(t *testing.T, imp *drifter, _, comment int64) int64 {
			t.Helper()
			return taken(t, imp, elsewhere(t, imp), comment)
		}, false},
		"receipt edited": {word, func(t *testing.T, imp *drifter, n, comment int64) int64 {
			t.Helper()
			return edited(t, imp, imp.fake.As(forgetest.FakeBot, imp.mirror).Comment(t, n, "Hello"), receipt(drifted, comment))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, imp := newMirror(t)
			imp.human.Push(t, forgetest.Commit{Branch: "main", Files: map[string]forgetest.File{".odyssey.yaml": {Content: "commands: {allow: admin}\n"}}})
			imp.human.SetPermission(t, writer, forge.MayWrite)
			must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
			issue := imp.stopped(t)
			comment := c.comment(t, imp, issue.Number)
			imp.forge(t, comment, c.receipt(t, imp, issue.Number, comment))
			must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
			if imp.took() != c.counts {
				t.Errorf("the drift was taken as accepted: %t", imp.took())
			}
			if c.counts {
				return
			}
			if got := imp.stopped(t); got.Body != issue.Body {
				t.Errorf("the issue says\n%s", got.Body)
			}
		})
	}
}

// A word that was given lasts until the pull request has it, whatever fails before.
func TestEnterprise_acceptanceOutlivesFault(t *testing.T) {
	t.Parallel()
	d, imp := newMirror(t)
	must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
	issue := imp.stopped(t)
	imp.fault = errors.New("boom")
	said := imp.human.Comment(t, issue.Number, "/accept drift")
	item := d.item(bot.CommentItem{Comment: said, Number: issue.Number, Author: forgetest.FakeHuman, Body: "/accept drift", Created: time.Now()})
	job := queue.Job{ID: 2, Subject: "main:" + imp.mirror.String(), Kind: "commands", Attempt: 1, Items: []queue.Item{item}}
	if err := d.worker.Work(t.Context(), job); err == nil || !imp.took() {
		t.Fatalf("took the drift: %t; failed with %v", imp.took(), err)
	}
	if got := imp.stopped(t); got.Number != issue.Number {
		t.Errorf("another issue is open: %+v", got)
	}
	imp.fault = nil
	for range 2 {
		must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
		if !imp.took() {
			t.Error("the word is lost")
		}
	}
	repo, err := d.fake.Repo(t.Context(), imp.mirror)
	must(t, err)
	pulls, err := d.fake.OpenPullRequests(t.Context(), repo)
	must(t, err)
	if len(pulls) != 1 || !strings.Contains(pulls[0].Body, "Accepted by [") {
		t.Errorf("pull requests: %+v", pulls)
	}
	all, err := d.fake.Comments(t.Context(), repo, issue.Number)
	must(t, err)
	if n := len(slices.DeleteFunc(all, func(c forge.Comment) bool { return c.Body != receipt(drifted, said) })); n != 1 {
		t.Errorf("%d receipts", n)
	}
	if all := imp.human.Issues(t); len(all) != 1 || all[0].State != forge.Closed {
		t.Errorf("issues: %+v", all)
	}
}

// Who closes the issue about a bundle has read it: it comes back when somebody asks.
func TestEnterprise_issueClosed(t *testing.T) {
	t.Parallel()
	d, imp := newMirror(t)
	d.bot.Memory = d.kept
	must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
	imp.human.EditIssue(t, imp.stopped(t).Number, forge.Edit{State: forge.Closed})
	for range 2 {
		must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
	}
	if all := imp.human.Issues(t); len(all) != 1 {
		t.Errorf("%d issues", len(all))
	}
	if got := d.report("enterprise").Outcomes; len(got) != 1 || got[0].Action != bot.Held || got[0].Reason != "2 modules differ" {
		t.Errorf("outcomes: %+v", got)
	}
	_, reply := d.obeys("/refresh enterprise")
	if imp.stopped(t); !strings.Contains(reply, "2 modules differ") {
		t.Errorf("the reply says %q", reply)
	}
}
