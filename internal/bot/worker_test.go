package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

func TestWorker_merges(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	var learned []string
	d.worker.Learned = func(_ context.Context, subject string, policy config.Repo) {
		learned = append(learned, fmt.Sprint(subject, " ", policy.PullRequests.Limit))
	}
	d.git.commits[acme] = id(11)
	r := d.merges()
	pr := d.one()
	started := r.Started
	want := bot.Report{
		Subject: "main:" + d.name.String(), Forge: "main", Repo: d.name.String(), WebURL: d.repo.WebURL, Kind: "merges", Started: started, Finished: r.Finished,
		Outcomes: []bot.Outcome{{Repo: d.name.String(), Group: "./odoo", Action: bot.Opened, Title: pr.Title, URL: pr.URL}},
		Destinations: []bot.DestinationReport{
			{Path: "./odoo", Merges: []bot.MergeReport{
				current("odoo", "17.0", "https://git.example.org/odoo.git", 1),
				{
					Remote: "acme", Ref: "17.0-fix", Locked: id(2), Newest: id(11), Behind: 1, Since: r.Finished, URL: "https://git.example.org/acme.git",
					Verdict: refresh.Proposed, Pull: refresh.Pull{URL: pr.URL, Title: pr.Title},
				},
			}},
			{Path: "./web", Merges: []bot.MergeReport{current("oca", "17.0", "https://git.example.org/web.git", 3)}},
		},
		Pulls: []bot.Pull{{URL: pr.URL, Title: pr.Title}},
	}
	if diff := cmp.Diff(want, r); diff != "" || !r.Finished.After(started) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What is not asked anew is carried over, and since when it is behind.
	since := r.Finished
	if got := d.merges().Destinations[0].Merges[1]; got.Behind != 1 || !got.Since.Equal(since) {
		t.Errorf("unchanged: %+v", got)
	}
	d.push(branch, map[string]string{"NOTES": "mine\n"})
	d.git.commits[acme] = id(12)
	if got := d.merges().Destinations[0].Merges[1]; got.Behind != -1 || !got.Since.Equal(since) || got.Newest != id(12) {
		t.Errorf("newer, not counted: %+v", got)
	}
	d.git.commits[acme] = id(2)
	if r := d.merges(); r.Destinations[0].Merges[1] != current("acme", "17.0-fix", "https://git.example.org/acme.git", 2) || len(r.Outcomes) != 1 {
		t.Errorf("current: %+v", r)
	}
	if diff := cmp.Diff([]string{want.Subject + " 10", want.Subject + " 10", want.Subject + " 10", want.Subject + " 10"}, learned); diff != "" {
		t.Errorf("learned (-want +got):\n%s", diff)
	}
}

// A report lists the pull requests that are open: after a run that failed,
// beside commands, and where a destination is held.
func TestWorker_pulls(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.merges()
	pr := d.one()
	want := []bot.Pull{{URL: pr.URL, Title: pr.Title}}
	check := func(name string, r bot.Report) {
		t.Helper()
		if diff := cmp.Diff(want, r.Pulls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d.obeys("/hold ./odoo")
	check("after /hold", d.report("merges"))
	check("after /hold", d.report("commands"))
	check("held", d.merges())
	d.push("main", map[string]string{refresh.ConfigFile: "[]"})
	check("failed", d.merges())
	d.push("main", map[string]string{refresh.ConfigFile: ""})
	d.obeys("/unhold ./odoo\n/refresh all")
	if diff := cmp.Diff([]string{"/unhold ./odoo", "/refresh all"}, d.report("commands").Commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	check("after /refresh", d.report("merges"))
	d.git.commits[acme] = id(2)
	want = nil
	check("current again", d.merges())
	d.git.commits[acme] = id(12)
	d.obeys("/refresh ./odoo")
	pr = d.one()
	want = []bot.Pull{{URL: pr.URL, Title: pr.Title}}
	check("opened by a comment", d.report("merges"))
	d.git.commits[odoo] = id(13)
	updated := d.merges()
	pr = d.one()
	want = []bot.Pull{{URL: pr.URL, Title: pr.Title}}
	check("updated", updated)
}

// A file that is broken becomes one issue, which follows it and is closed when
// all is well. The report keeps what was known before.
func TestWorker_faults(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	before := d.merges().Destinations
	step := func(name string, files map[string]string, issues int, state forge.State, texts ...string) {
		t.Helper()
		d.push("main", files)
		for range 2 {
			r := d.merges()
			if (state == forge.Open) != (r.Error != "") {
				t.Errorf("%s: error %q", name, r.Error)
			}
			if diff := cmp.Diff(before, r.Destinations); diff != "" {
				t.Errorf("%s: destinations (-want +got):\n%s", name, diff)
			}
		}
		all := d.issues()
		if len(all) != issues || all[issues-1].State != state {
			t.Fatalf("%s: issues %+v", name, all)
		}
		for _, text := range texts {
			if !strings.Contains(all[issues-1].Body, text) {
				t.Errorf("%s: lacks %q: %s", name, text, all[issues-1].Body)
			}
		}
	}
	step("policy", map[string]string{refresh.ConfigFile: "merges: {grup: '@org'}\npullRequests: {limit: 0}\n"}, 1, forge.Open,
		"mended on `main`:\n\n- `.odyssey.yaml:1`: merges: unknown key \"grup\"<br>did you mean group?\n- `.odyssey.yaml:2`: ", "<!-- odyssey faults -->")
	step("another", map[string]string{refresh.ConfigFile: "", refresh.LockFile: "<<<<<<< a\n"}, 1, forge.Open, "- `repos.lock.yaml:1`: ")
	step("an unknown ref", map[string]string{refresh.LockFile: d.newest(), refresh.ReposFile: strings.Replace(repos, "oca 17.0", "oca 17.<b>@org#1", 1)}, 1, forge.Open, "- `repos.yaml:")
	if body := d.issues()[0].Body; strings.Contains(body, "<b>") || strings.Contains(body, "@o") || strings.Contains(body, "#1") {
		t.Errorf("quoted as it is: %s", body)
	}
	step("mended", map[string]string{refresh.ReposFile: repos}, 1, forge.Closed)
	step("again", map[string]string{refresh.ConfigFile: "[]"}, 2, forge.Open)
	step("and mended", map[string]string{refresh.ConfigFile: ""}, 2, forge.Closed)
	edits := 0
	for _, c := range d.fake.Writes() {
		if c.Method == "EditIssue" {
			edits++
		}
	}
	if edits != 4 {
		t.Errorf("%d edits, want 4", edits)
	}
	// A run without a queue prints them and writes no issue.
	d.push("main", map[string]string{refresh.ConfigFile: "[]"})
	if _, err := d.bot.Run(t.Context(), d.fake, d.name, bot.Demand{}); err == nil || len(d.issues()) != 2 {
		t.Errorf("error %v", err)
	}
}

// What an error means for the job.
func TestWorker_verdicts(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd")
	for _, test := range []struct {
		name   string
		err    error
		want   error // what Work returns, but for its text
		report string
	}{
		{"transient", forge.ErrTransient, forge.ErrTransient, "the forge or an upstream does not answer as it should; it is tried again"},
		{"limited", &forge.RateLimitError{RetryAfter: 7 * time.Minute}, queue.Later(7*time.Minute, errOdd), "the forge asks to wait before it takes more calls"},
		{"limited, for no time", &forge.RateLimitError{}, queue.Later(time.Second, errOdd), "the forge asks to wait before it takes more calls"},
		{"refused", forge.ErrUnauthorized, queue.Park(errOdd), "the forge refuses the bot's token, or its account may not do this"},
		{"fenced", queue.ErrFenced, queue.ErrFenced, "the run was stopped; it is done again"},
		{"cancelled", context.Canceled, context.Canceled, "the run was stopped; it is done again"},
		{"odd", errOdd, errOdd, "an internal error; the log says more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "")
			d.git.commits[acme] = id(11)
			d.fake.FailBefore(func(method string) error {
				if method == "CreatePullRequest" {
					return test.err
				}
				return nil
			})
			got := d.worker.Work(t.Context(), d.job("merges", 1))
			if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", test.want) && !errors.Is(got, test.want) || got == nil {
				t.Errorf("%T %v, want %T", got, got, test.want)
			}
			if wait, want := waitOf(got), waitOf(test.want); wait != want {
				t.Errorf("again after %s, want %s", wait, want)
			}
			if r := d.report("merges").Error; r != test.report {
				t.Errorf("report %q", r)
			}
			if len(d.waited) > 0 {
				t.Errorf("waited %v in the job", d.waited)
			}
		})
	}
	d := newDesk(t, "")
	for _, job := range []queue.Job{
		{Subject: "other:a/b", Kind: "merges"},
		{Subject: "main:a", Kind: "merges"},
		{Subject: "main:", Kind: "merges"},
		{Subject: "", Kind: "merges"},
		{Subject: "main:" + d.name.String(), Kind: "bake"},
		{Subject: "main:no/where", Kind: "merges"},
		{Subject: "main:no/where", Kind: "commands"},
	} {
		if got := d.worker.Work(t.Context(), job); fmt.Sprintf("%T", got) != fmt.Sprintf("%T", queue.Park(errOdd)) {
			t.Errorf("%+v: %T %v, want it parked", job, got, got)
		}
	}
}

// waitOf is the pause that a verdict of queue.Later asks for, as the queue
// keeps it to itself: "0x61c9f36800".
func waitOf(err error) string {
	_, wait, _ := strings.Cut(fmt.Sprintf("%#v", err), "after:")
	wait, _, _ = strings.Cut(wait, ",")
	return wait
}

// Reports that cannot be kept, or none at all, are no fault of the job.
func TestWorker_noReports(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.git.commits[acme] = id(11)
	d.kept.err = errors.New("full")
	must(t, d.worker.Work(t.Context(), d.job("merges", 1)))
	d.worker.Reports = nil
	must(t, d.worker.Work(t.Context(), d.job("merges", 1)))
	if reactions, _ := d.obeys("/refresh"); reactions != done || !strings.Contains(d.logged.String(), "report not kept") {
		t.Errorf("reactions %q", reactions)
	}
}

// An item that is no comment is left out, and the others are treated.
func TestWorker_badItem(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	number := d.human.OpenIssue(t, "A talk", "")
	comment, item := d.says(forgetest.FakeHuman, number, "/help")
	d.hears(queue.Item{ID: "1", Data: []byte("{")}, queue.Item{ID: "2", Data: []byte("{}")}, item)
	if got := d.reactions(comment); got != done {
		t.Errorf("reactions %q", got)
	}
}

// current is what is said of a merge that has nothing newer than commit n.
func current(remote, ref, url string, n int) bot.MergeReport {
	return bot.MergeReport{Remote: remote, Ref: ref, Locked: id(n), Newest: id(n), URL: url, Verdict: refresh.Current, Why: "nothing is newer"}
}
