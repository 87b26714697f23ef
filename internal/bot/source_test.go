package bot_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// pinned is a refresh.Source that has a file say what it is told, as that of
// base images does, without a registry.
type pinned struct {
	newest  string
	waiting string
	same    bool // nothing has changed since the last offer, which is not made again
	err     error
	passing error // of other groups
	asked   []refresh.Repository
}

const (
	pinFile   = "image.txt"
	pinBranch = "odyssey/base"
)

func (*pinned) Kind() refresh.Kind { return refresh.Base }

func (*pinned) Mine(branch string) bool { return branch == pinBranch }

func (p *pinned) Offer(ctx context.Context, r refresh.Repository) (refresh.Offer, error) {
	p.asked = append(p.asked, r)
	files, err := r.Tree.Files(ctx, []string{pinFile})
	if err := errors.Join(err, p.err); err != nil {
		return refresh.Offer{}, err
	}
	now, exists := files[pinFile]
	switch {
	case p.waiting != "":
		return refresh.Offer{Waiting: map[string]string{pinBranch: p.waiting}, Held: []refresh.Held{{Group: "base", Reason: p.waiting}}}, nil
	case p.same:
		return refresh.Offer{Idle: "nothing has changed", Waiting: map[string]string{pinBranch: ""}}, nil
	case !exists:
		return refresh.Offer{}, nil
	case string(now) == p.newest:
		return refresh.Offer{Idle: "every image is the newest", Gone: map[string]string{pinBranch: "the image is `" + p.newest + "` now"}}, nil
	}
	sum := sha256.Sum256([]byte(p.newest))
	target := hex.EncodeToString(sum[:])
	return refresh.Offer{Passing: p.passing, Drafts: []refresh.Draft{{
		Group: "base", Branch: pinBranch, Target: target, Newer: "a newer image", List: []string{p.newest},
		Files: []refresh.File{{Path: pinFile, Old: now, New: []byte(p.newest)}},
		Describe: func(context.Context) (refresh.Text, error) {
			return refresh.Text{Title: "Move to " + p.newest, Body: "It is newer.\n", Message: "Move to " + p.newest + "\n\n" + refresh.Trailer + target + "\n"}, nil
		},
	}}}, nil
}

// newPinnedDesk is a desk whose bot knows a source of base images beside the
// merges, in a repository with both.
func newPinnedDesk(t *testing.T, config string) (*desk, *pinned) {
	t.Helper()
	d := newDesk(t, config)
	p := &pinned{newest: "1"}
	d.bot.Sources = []refresh.Source{p}
	d.push("main", map[string]string{pinFile: "1"})
	return d, p
}

func (d *desk) works(kind string) bot.Report {
	d.t.Helper()
	must(d.t, d.worker.Work(d.t.Context(), d.job(kind, 1)))
	return d.report(kind)
}

// heads lists the branches and titles of the open pull requests.
func (d *desk) heads() string { return strings.Join(d.look().Open, ", ") }

// Each kind keeps its own pull requests: the other one's job leaves them alone,
// however they came to be outdated.
func TestSource_keepsItsOwn(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	d.run("idle")
	d.git.commits[acme], p.newest = id(11), "2"
	d.run("./odoo opened", "base opened")
	both := "odyssey/base Move to 2, odyssey/merge/odoo Refresh `./odoo`: acme 17.0-fix +1 commit"
	if d.heads() != both {
		t.Fatal(d.heads())
	}
	d.run("./odoo unchanged", "base unchanged")

	// What both propose is gone: each job closes its own.
	d.git.commits[acme], p.newest = id(2), "1"
	d.works("base")
	if got := d.heads(); !strings.HasPrefix(got, "odyssey/merge/odoo") || strings.Contains(got, pinBranch) {
		t.Error(got)
	}
	d.works("merges")
	if got := d.heads(); got != "" {
		t.Error(got)
	}
	comments, err := d.fake.Comments(t.Context(), d.repo, 2)
	must(t, err)
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "Closing: the image is `1` now.") {
		t.Errorf("%+v", comments)
	}
}

func TestSource_jobs(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "base: {labels: [image], enabled: true}\nmerges: {labels: [merge]}\n")
	d.git.commits[acme], p.newest = id(11), "2"
	d.merges()
	if got := d.one(); got.Head != branch {
		t.Errorf("a job for merges opened %s", got.Head)
	}
	r := d.works("base")
	if diff := cmp.Diff([]string{"base opened"}, inWords(r.Outcomes)); diff != "" || len(d.open()) != 2 {
		t.Errorf("%s, %s", diff, d.heads())
	}
	if pulls := d.report("merges").Pulls; len(pulls) != 2 { // the status page shows all of a repository
		t.Errorf("%+v", pulls)
	}
	if p.asked[len(p.asked)-1].Scheduled {
		t.Error("a push was taken for the schedule")
	}
	must(t, d.worker.Work(t.Context(), d.job("base", 1, queue.Item{ID: "schedule", Data: []byte("{}")})))
	if !p.asked[len(p.asked)-1].Scheduled {
		t.Error("the schedule was not told")
	}
	d.push("main", map[string]string{pinFile: "2"})
	if r = d.works("base"); cmp.Diff([]string{"base closed"}, inWords(r.Outcomes)) != "" {
		t.Errorf("%+v", r.Outcomes)
	}
	if r = d.works("base"); r.Idle != "every image is the newest" {
		t.Errorf("%+v", r)
	}
	d.push("main", map[string]string{refresh.ConfigFile: "base: {enabled: false}\n"})
	p.newest = "3"
	if r = d.works("base"); r.Idle != "base refreshes are not enabled in .odyssey.yaml" || len(d.open()) != 1 {
		t.Errorf("%+v, %s", r, d.heads())
	}
	if err := d.worker.Work(t.Context(), d.job("enterprise", 1)); err != nil {
		t.Error(err)
	}
}

// The limit counts what all kinds have open.
func TestSource_limit(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "pullRequests: {limit: 1}\n")
	p.newest = "2"
	d.run("base opened")
	d.git.commits[acme] = id(11)
	d.run("./odoo held", "base unchanged")
	d.push("main", map[string]string{pinFile: "2"})
	d.run("./odoo held", "base closed")
	d.run("./odoo opened")
	p.newest = "3"
	d.run("./odoo unchanged", "base held")
}

// Who closes a pull request does not want it; who asks for it does.
func TestSource_closed(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	p.newest = "2"
	d.run("base opened")
	closed := d.one()
	_, err := d.fake.EditPullRequest(t.Context(), d.repo, closed.Number, forge.Edit{State: forge.Closed})
	must(t, err)
	for _, o := range d.run("base held") {
		if !strings.Contains(o.Reason, "a newer image") {
			t.Error(o.Reason)
		}
	}
	_, item := d.says(forgetest.FakeHuman, closed.Number, "/refresh")
	d.hears(item)
	if d.heads() != "odyssey/base Move to 2" {
		t.Error(d.heads())
	}
	if !p.asked[len(p.asked)-1].Demanded || p.asked[0].Demanded {
		t.Error("who is waited for does not know")
	}
	p.newest = "3"
	d.run("base updated")
}

func TestSource_commands(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	d.git.commits[acme], p.newest = id(11), "2"
	if reactions, reply := d.obeys("/refresh base"); reactions != done || !strings.Contains(reply, "opened") || d.heads() != "odyssey/base Move to 2" {
		t.Errorf("%s %q: %s", reactions, reply, d.heads())
	}
	if reactions, reply := d.obeys("/refresh all"); reactions != done || !strings.Contains(reply, "`./odoo`: opened") || !strings.Contains(reply, "`base`: ") {
		t.Errorf("%s %q", reactions, reply)
	}
	if reactions, reply := d.obeys("/refresh ./odoo"); reactions != done || strings.Contains(reply, "base") {
		t.Errorf("%s %q", reactions, reply)
	}
	if reactions, reply := d.obeys("/refresh enterprise"); reactions != confused || !strings.Contains(reply, "this bot makes no `enterprise` refreshes") {
		t.Errorf("%s %q", reactions, reply)
	}
	var number int64
	for _, pr := range d.open() {
		if pr.Head == pinBranch {
			number = pr.Number
		}
	}
	main := d.push("main", map[string]string{"README.md": "a push that does not matter\n"})
	_, item := d.says(forgetest.FakeHuman, number, "/rebase")
	d.hears(item)
	b, err := d.fake.Branch(t.Context(), d.repo, pinBranch)
	must(t, err)
	if !strings.Contains(b.Message, "Odyssey-Base: "+main) {
		t.Errorf("not made anew: %q", b.Message)
	}
	p.newest = "1"
	if reactions, reply := d.obeys("/refresh base"); reactions != done || !strings.Contains(reply, "closed") {
		t.Errorf("%s %q", reactions, reply)
	}
	if _, reply := d.obeys("/refresh base"); !strings.Contains(reply, "nothing to do: every image is the newest.") {
		t.Errorf("%q", reply)
	}
}

// What a source waits for leaves its pull request as it is.
func TestSource_waiting(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	p.newest = "2"
	d.run("base opened")
	p.waiting = "the registry is being moved"
	for _, o := range d.run("base held", "base held") {
		if o.Reason != p.waiting {
			t.Error(o.Reason)
		}
	}
	if d.heads() != "odyssey/base Move to 2" {
		t.Error(d.heads())
	}
}

// A kind's faults have an issue of their own, which the other kinds' jobs leave
// alone.
func TestSource_faults(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	p.err = &forge.FileError{Path: "Dockerfile", Reason: "is larger than 2 MiB"}
	d.works("base")
	d.merges()
	issues, err := d.fake.OwnIssues(t.Context(), d.repo)
	must(t, err)
	if len(issues) != 1 || issues[0].State != forge.Open || !strings.Contains(issues[0].Body, "I make no `base` refreshes in this repository until this is mended on `main`") {
		t.Fatalf("%+v", issues)
	}
	d.push("main", map[string]string{refresh.ReposFile: "x"})
	d.merges()
	p.err = nil
	d.works("base")
	issues, err = d.fake.OwnIssues(t.Context(), d.repo)
	must(t, err)
	var open []string
	for _, i := range issues {
		if i.State == forge.Open {
			open = append(open, i.Body)
		}
	}
	if len(open) != 1 || !strings.Contains(open[0], "repos.yaml") {
		t.Errorf("%q", open)
	}
	// One kind's trouble hinders no other.
	d.push("main", map[string]string{refresh.ReposFile: repos})
	p.err = refresh.ErrTransient
	d.git.commits[acme] = id(11)
	if _, err := d.bot.Run(t.Context(), d.fake, d.name, bot.Demand{}); !errors.Is(err, refresh.ErrTransient) || d.one().Head != branch {
		t.Errorf("%v, %s", err, d.heads())
	}
	if err := d.worker.Work(t.Context(), d.job("base", 1)); !errors.Is(err, refresh.ErrTransient) {
		t.Errorf("%v", err)
	}
}

// What cannot be looked at now keeps no draft of another from being proposed, and is
// asked for again.
func TestSource_passing(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "")
	p.newest, p.passing = "2", refresh.ErrTransient
	if err := d.worker.Work(t.Context(), d.job("base", 1)); !errors.Is(err, refresh.ErrTransient) {
		t.Errorf("the job ends with %v", err)
	}
	if pr := d.one(); pr.Head != pinBranch || pr.Title != "Move to 2" {
		t.Errorf("proposed: %+v", pr)
	}
	p.passing = nil
	if r := d.works("base"); len(r.Outcomes) != 1 || r.Outcomes[0].Action != bot.Unchanged || r.Error != "" {
		t.Errorf("when it has passed: %+v", r)
	}
}
