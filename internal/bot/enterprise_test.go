package bot_test

import (
	"context"
	"errors"
	"fmt"
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
func (d *drifter) forge(t *testing.T, comment int64) {
	t.Helper()
	issue := d.stopped(t)
	from, to := strings.Index(issue.Body, "accepted=["), strings.LastIndex(issue.Body, "]")
	mark := fmt.Sprintf(`accepted=[{"what":"drift","bundle":%q,"comment":%d,"by":"boss"}`, drifted, comment)
	d.human.EditIssue(t, issue.Number, forge.Edit{Body: issue.Body[:from] + mark + issue.Body[to:]})
}

// What stands in the text of an issue is nobody's word by itself.
func TestEnterprise_forgedAcceptance(t *testing.T) {
	t.Parallel()
	writer := forgetest.FakeStranger
	for name, comment := range map[string]func(t testing.TB, imp *drifter, issue int64) int64{
		"none":    func(testing.TB, *drifter, int64) int64 { return 0 },
		"no such": func(testing.TB, *drifter, int64) int64 { return 4711 },
		"no command": func(t testing.TB, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.human.Comment(t, n, "accept drift?")
		},
		"other word": func(t testing.TB, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.human.Comment(t, n, "/accept removals")
		},
		"no admin": func(t testing.TB, imp *drifter, n int64) int64 {
			t.Helper()
			return imp.fake.As(writer, imp.mirror).Comment(t, n, "/accept drift")
		},
		"elsewhere": func(t testing.TB, imp *drifter, _ int64) int64 {
			t.Helper()
			return imp.human.Comment(t, imp.human.OpenIssue(t, "A talk", ""), "/accept drift")
		},
		"edited": func(t testing.TB, imp *drifter, n int64) int64 {
			t.Helper()
			id := imp.human.Comment(t, n, "Never")
			imp.human.EditComment(t, id, "/accept drift")
			return id
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, imp := newMirror(t)
			imp.human.Push(t, forgetest.Commit{Branch: "main", Files: map[string]forgetest.File{".odyssey.yaml": {Content: "commands: {allow: admin}\n"}}})
			imp.human.SetPermission(t, writer, forge.MayWrite)
			must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
			issue := imp.stopped(t)
			imp.forge(t, comment(t, imp, issue.Number))
			must(t, d.worker.Work(t.Context(), d.job("enterprise", 1)))
			if imp.took() {
				t.Error("the drift was taken as accepted")
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
