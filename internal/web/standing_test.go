package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/web"
)

const one = "gitea:acme/odoo-image"

// watching is the status handler of a server that watches one repository, of
// which it has these reports and jobs.
func watching(t *testing.T, reports []bot.Report, jobs ...queue.Info) http.Handler {
	t.Helper()
	o := options(t.Output())
	s := &store{jobs: jobs}
	for _, r := range reports {
		s.put(t, one, r.Kind, r)
	}
	o.Store, o.Reports, o.Jobs = s, s, s
	o.Now = func() time.Time { return noon }
	o.Version = "1.2.3 (commit " + strings.Repeat("0123456789", 4) + ", go1.26)"
	o.ConfigFile = "/etc/odyssey/odyssey.yaml"
	o.Repositories = func() []web.Repository {
		return []web.Repository{{Subject: one, Forge: "gitea", Name: "acme/odoo-image"}}
	}
	return newServer(t, o).Status()
}

const onePage = "/repositories/gitea/acme/odoo-image"

// standing is what /api/status.json says of the one repository.
func standing(t *testing.T, h http.Handler) (r struct {
	State, Reason  string
	Merges, Behind int
	LastRun        time.Time
	Held           []string
	PullRequests   []struct{ Label string }
	Destinations   []bot.DestinationReport
	Runs           []bot.Report
},
) {
	t.Helper()
	var all struct{ Repositories []json.RawMessage }
	if err := json.Unmarshal(get(h, "/api/status.json").Body.Bytes(), &all); err != nil || len(all.Repositories) != 1 {
		t.Fatalf("%d repositories, %v", len(all.Repositories), err)
	}
	if err := json.Unmarshal(all.Repositories[0], &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// shows fails unless each text is on a page as often as it says.
func shows(t *testing.T, page string, times map[string]int) {
	t.Helper()
	for text, want := range times {
		if got := strings.Count(page, text); got != want {
			t.Errorf("%q is there %d times; want %d", text, got, want)
		}
	}
}

func destinations(held string) []bot.DestinationReport {
	return []bot.DestinationReport{
		{Path: "./odoo", Merges: merges(1, 0, noon)},
		{Path: "./oca/web", Merges: merges(1, 0, noon)},
		{Path: "./oca/server-tools", Merges: merges(1, 1, noon.Add(-time.Hour)), Held: held},
	}
}

var twoPulls = []bot.Pull{
	{URL: "https://git.example.com/acme/odoo-image/pulls/7", Title: "Refresh ./odoo"},
	{URL: "https://git.example.com/acme/odoo-image/pulls/9", Title: "Refresh ./oca/server-tools"},
}

// Comments and runs look at the same merges: each is counted once, and the
// newest word counts.
func TestCommandsAndMerges(t *testing.T) {
	t.Parallel()
	const hold = "held by maria since 2026-11-23; /unhold ./oca/server-tools lifts that"
	// As the bot keeps them: what a comment changed is in both reports.
	run := bot.Report{
		Kind: "merges", Started: noon.Add(-3 * time.Hour), Finished: noon.Add(-3 * time.Hour),
		Destinations: destinations(hold), Pulls: twoPulls,
	}
	said := bot.Report{
		Kind: "commands", Trigger: "comment by maria", Commands: []string{"/refresh ./odoo", "/hold ./oca/server-tools"},
		Started: noon.Add(-10 * time.Minute), Finished: noon.Add(-10 * time.Minute),
		Outcomes:     []bot.Outcome{{Group: "./odoo", Action: bot.Opened, Title: "Refresh ./odoo", URL: twoPulls[0].URL}},
		Destinations: destinations(hold), Pulls: twoPulls,
	}
	h := watching(t, []bot.Report{run, said})
	r := standing(t, h)
	if r.State != "review" || r.Merges != 3 || r.Behind != 1 || len(r.Destinations) != 3 || len(r.Held) != 1 || len(r.PullRequests) != 2 {
		t.Errorf("%+v", r)
	}
	if !r.LastRun.Equal(said.Finished) {
		t.Errorf("last run %s; want that of the comment", r.LastRun)
	}
	if len(r.Runs) != 2 || r.Runs[0].Destinations != nil || r.Runs[1].Pulls != nil {
		t.Errorf("runs: %+v", r.Runs)
	}
	shows(t, get(h, onePage).Body.String(), map[string]int{
		"1 of 3 merges": 1, "<h3><code>./oca/server-tools</code>": 1, "<h3><code>./odoo</code>": 1, "<dd><code>./oca/server-tools</code></dd>": 1,
		"<dt>Open pull requests</dt><dd>2</dd>": 1, ">Refresh ./odoo<": 1, ">Refresh ./oca/server-tools<": 1, "opened #7": 1, "opened #9": 0,
		"<h2 id=\"comments\">Comment commands</h2>": 1, "<bdi>comment by maria</bdi>": 1, "<code><bdi>/hold ./oca/server-tools</bdi></code>": 1,
	})

	// The newest report counts even if the other one could not be renewed.
	run.Destinations, run.Pulls = destinations("")[:1], nil
	if r = standing(t, watching(t, []bot.Report{run, said})); r.Merges != 3 || len(r.PullRequests) != 2 || len(r.Held) != 1 {
		t.Errorf("an older report on merges: %+v", r)
	}

	// A later run has the newer word: the destination is gone, a pull request merged.
	run.Finished, run.Destinations, run.Pulls = noon.Add(-time.Minute), destinations("")[:2], twoPulls[:1]
	r = standing(t, watching(t, []bot.Report{run, said}))
	if r.Merges != 2 || r.Behind != 0 || len(r.Held) != 0 || len(r.PullRequests) != 1 {
		t.Errorf("after a run: %+v", r)
	}

	// Who asks for help runs nothing.
	said.Outcomes, said.Commands, said.Finished = nil, []string{"/help"}, noon
	if r = standing(t, watching(t, []bot.Report{run, said})); !r.LastRun.Equal(run.Finished) {
		t.Errorf("last run %s; want %s", r.LastRun, run.Finished)
	}
	// And who comments before the first run ended is heard all the same.
	h = watching(t, []bot.Report{{Kind: "commands", Trigger: "comment by maria", Finished: noon, Destinations: destinations(hold), Pulls: twoPulls}})
	if r = standing(t, h); r.Merges != 3 || len(r.PullRequests) != 2 {
		t.Errorf("commands alone: %+v", r)
	}
	shows(t, get(h, onePage).Body.String(), map[string]int{"<h3><code>./odoo</code>": 1, "Not run yet": 1})
}

// What a comment's run mended is not failing any more, whatever was wrong
// before; and a failed run takes away no pull request.
func TestFaultsAndMending(t *testing.T) {
	t.Parallel()
	failed := bot.Report{
		Kind: "merges", Finished: noon.Add(-time.Hour), Destinations: destinations(""), Pulls: twoPulls,
		Error: "repos.yaml:3: remote \"oca\" has no ref x\n  did you mean y?\nrepos.yaml:9: <b>more</b>",
	}
	said := bot.Report{Kind: "commands", Trigger: "comment by maria", Finished: noon.Add(-2 * time.Hour), Destinations: destinations("")}
	h := watching(t, []bot.Report{failed, said})
	if r := standing(t, h); r.State != "failing" || r.Merges != 3 || len(r.PullRequests) != 2 {
		t.Errorf("failed: %+v", r)
	}
	shows(t, get(h, onePage).Body.String(), map[string]int{
		"<li class=\"words\"><bdi>repos.yaml:3": 1, "did you mean y?</bdi></li>": 1, "<li class=\"words\"><bdi>repos.yaml:9: &lt;b&gt;more": 1, "repos.yaml:3": 1,
	})
	shows(t, get(h, "/").Body.String(), map[string]int{">2 faults, the first: <bdi>repos.yaml:3: remote": 1})

	failed.Error = "" // the bot takes it out after a comment's run that went well
	said.Finished = noon.Add(-time.Minute)
	if r := standing(t, watching(t, []bot.Report{failed, said})); r.State == "failing" || r.Reason != "" {
		t.Errorf("mended: %+v", r)
	}
}

// While nothing is known of a repository no lag is claimed, and what fails can
// be seen without the pages.
func TestMetricsOfFailing(t *testing.T) {
	t.Parallel()
	fault := bot.Report{Kind: "merges", Finished: noon, Error: "repos.yaml:3: no"}
	body := get(watching(t, []bot.Report{fault}), "/metrics").Body.String()
	if !strings.Contains(body, `odyssey_repositories{forge="gitea",state="failing"} 1`) || !strings.Contains(body, `odyssey_repositories{forge="gitea",state="current"} 0`) {
		t.Error("the failing repository is not counted")
	}
	if strings.Contains(body, "\nodyssey_refresh_lag") {
		t.Error("a lag that nobody knows")
	}
	fault.Destinations = destinations("")
	if body = get(watching(t, []bot.Report{fault}), "/metrics").Body.String(); !strings.Contains(body, `odyssey_refresh_lag_seconds{forge="gitea",repository="acme/odoo-image"} 3600`) {
		t.Error("the lag that is known is not told")
	}
}

// Jobs say when they are tried next, and how the operator does it before.
func TestJobsOfOne(t *testing.T) {
	t.Parallel()
	job := queue.Info{ID: 29, Subject: one, Kind: "merges", State: queue.Retrying, Attempt: 2, Scheduled: noon.Add(25 * time.Second)}
	dead := queue.Info{ID: 30, Subject: one, Kind: "merges", State: queue.Dead, Attempt: 10, Scheduled: noon.Add(-time.Hour)}
	h := watching(t, nil, job, dead)
	for _, path := range []string{"/jobs", onePage} {
		page := get(h, path).Body.String()
		if !strings.Contains(page, `Next try <time datetime="2026-11-23T12:00:25Z" title="23 Nov 2026, 12:00:25 UTC">in 25 s</time>`) {
			t.Errorf("GET %s does not say when the job is tried next", path)
		}
		if !strings.Contains(page, "<code>odyssey-bot jobs retry 30 --config /etc/odyssey/odyssey.yaml</code>") {
			t.Errorf("GET %s does not say how to try again", path)
		}
		if !strings.Contains(page, "odyssey-bot 1.2.3 (commit 012345678901, go1.26)") {
			t.Errorf("GET %s: the version is not short", path)
		}
	}
}

// What there is nothing at is told on a page, to programs in a line.
func TestNowhere(t *testing.T) {
	t.Parallel()
	h := watching(t, nil)
	w := get(h, "/nowhere")
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<h1>No such page</h1>") || !strings.Contains(w.Body.String(), "width=device-width") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for path, accept := range map[string]string{"/api/nowhere.json": "*/*", "/nowhere": "application/json"} {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Host = "localhost"
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusNotFound || w.Body.String() != "there is no such address\n" {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}

// A repository that a sweep could not find fails, however well its last run
// went.
func TestStanding_gone(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	s := &store{}
	s.put(t, one, "merges", bot.Report{Subject: one, Forge: "gitea", Repo: "acme/odoo-image", Kind: "merges", Finished: noon})
	o.Store, o.Reports, o.Jobs = s, s, s
	o.Now = func() time.Time { return noon }
	const why = "the repository is called acme/<b>new</b> now; the bot's configuration has its old name"
	o.Repositories = func() []web.Repository {
		return []web.Repository{{Subject: one, Forge: "gitea", Name: "acme/odoo-image", Gone: why}}
	}
	h := newServer(t, o).Status()
	if got := standing(t, h); got.State != "failing" || got.Reason != why {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
	if body := get(h, onePage).Body.String(); !strings.Contains(body, "is called acme/&lt;b&gt;new&lt;/b&gt; now") {
		t.Error("the page does not say so, or not escaped")
	}
}
