package web_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/web"
	"github.com/nuobit/odyssey/test/browser"
)

const hostile = `</td></tr><script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(1)> @org/team` + "\u202Egnp.exe"

// TestPagesInBrowser looks at the pages as people do. The screenshots go to
// $ODYSSEY_ARTEFACTS, or nowhere.
func TestPagesInBrowser(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	populate(t, &o)
	server := httptest.NewServer(newServer(t, o).Status())
	defer server.Close()
	host, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("ODYSSEY_ARTEFACTS")
	if dir == "" {
		dir = t.TempDir()
	}
	b := browser.Start(t)
	for _, v := range []struct {
		name, path string
		width      int
		dark       bool
	}{
		{"overview-phone", "/", 390, false},
		{"overview-wide", "/", 1280, false},
		{"overview-dark", "/", 1280, true},
		{"overview-filtered", "/?state=failing&q=image", 390, true},
		{"repository-phone", "/repositories/gitea/acme/odoo-image", 390, false},
		{"repository-wide", "/repositories/gitea/acme/odoo-image", 1280, false},
		{"failing-phone", "/repositories/gitea/acme/broken-image", 390, true},
		{"hostile-phone", "/repositories/gitea/acme/hostile", 390, false},
		{"jobs-phone", "/jobs", 390, false},
		{"jobs-wide", "/jobs", 1280, false},
	} {
		page := b.Visit(t, browser.View{URL: server.URL + v.path, Width: v.width, Height: 844, Dark: v.dark})
		if err := os.WriteFile(filepath.Join(dir, "status-"+v.name+".png"), page.PNG, 0o666); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(page.Title, "· Odyssey") {
			t.Errorf("%s: title %q", v.name, page.Title)
		}
		if page.Client != v.width || page.Scroll > page.Client {
			t.Errorf("%s: the page is %d wide and shows %d of it; want all on %d", v.name, page.Scroll, page.Client, v.width)
		}
		if len(page.Console) > 0 || page.Dialogues > 0 {
			t.Errorf("%s: console %q, %d dialogues; want none", v.name, page.Console, page.Dialogues)
		}
		if len(page.Requests) < 2 { // the page and its style
			t.Errorf("%s: requests %q", v.name, page.Requests)
		}
		for _, r := range page.Requests {
			if u, err := url.Parse(r); err != nil || u.Host != host.Host {
				t.Errorf("%s: asks for %s; want nothing from elsewhere", v.name, r)
			}
		}
	}
}

// populate gives a server what a real one would have to show.
func populate(t testing.TB, o *web.Options) {
	t.Helper()
	s := &store{}
	o.Store, o.Reports, o.Jobs = s, s, s
	o.Now = func() time.Time { return noon }
	o.Version = "1.2.3"
	o.Next = func(subject, _ string) time.Time {
		if strings.HasSuffix(subject, "hostile") {
			return time.Time{}
		}
		return noon.Add(17 * time.Hour)
	}
	repos := []web.Repository{}
	add := func(forgeName, name string, r *bot.Report) {
		subject := forgeName + ":" + name
		repos = append(repos, web.Repository{Subject: subject, Forge: forgeName, Name: name, WebURL: "https://git.example.com/" + name})
		if r != nil {
			r.Subject, r.Forge, r.Repo, r.Kind = subject, forgeName, name, "merges"
			s.put(t, subject, "merges", r)
		}
	}
	add("gitea", "acme/odoo-image", behindReport(noon))
	add("gitea", "acme/odoo-image-accounting", current("every merge is at its newest commit"))
	add("gitea", "acme/a-repository-with-a-name-that-somebody-took-far-too-literally-and-never-shortened", current("every merge is at its newest commit"))
	add("gitea", "acme/broken-image", failing("repos.yaml:14: remote \"oca\" has no ref refs/heads/18.0-mig-account_reconcile_oca_with_a_long_name; name another one, or take the merge out\nrepos.lock.yaml:3: this is no object id\n  did you merge by hand? run: odyssey lock"))
	add("gitea", "acme/hostile", hostileReport())
	repos[len(repos)-1].WebURL = "javascript:alert(1)"
	add("forgejo", "verein/vereins-image", held())
	add("forgejo", "verein/warten", waiting())
	add("forgejo", "verein/fresh", nil)
	for i := range 14 {
		add("gitea", fmt.Sprintf("customers/customer-%02d", i), current("every merge is at its newest commit"))
	}
	o.Repositories = func() []web.Repository { return repos }
	said := behindReport(noon)
	said.Kind, said.Trigger, said.Commands = "commands", "comment by maria", []string{"/refresh ./odoo", "/hold ./addons/web"}
	said.Outcomes = said.Outcomes[:1]
	s.put(t, "gitea:acme/odoo-image", "commands", said)
	ended := noon.Add(-3 * time.Hour)
	s.jobs = []queue.Info{
		{ID: 4711, Subject: "gitea:acme/broken-image", Kind: "merges", State: queue.Dead, Attempt: 10, Created: ended.Add(-time.Hour), Scheduled: ended, Finished: &ended, Error: "git ls-remote https://github.com/OCA/account-financial-tools: exit status 128: fatal: unable to access: Could not resolve host: github.com"},
		{ID: 4712, Subject: "forgejo:", Kind: "sweep", State: queue.Dead, Attempt: 10, Created: ended, Scheduled: ended, Finished: &ended, Error: hostile},
		{ID: 4800, Subject: "gitea:customers/customer-03", Kind: "merges", State: queue.Running, Attempt: 1, Created: noon.Add(-40 * time.Second), Scheduled: noon.Add(-30 * time.Second)},
		{ID: 4801, Subject: "gitea:acme/odoo-image", Kind: "commands", State: queue.Waiting, Created: noon, Scheduled: noon.Add(10 * time.Second)},
		{ID: 4790, Subject: "gitea:acme/hostile", Kind: "merges", State: queue.Retrying, Attempt: 3, Created: ended, Scheduled: noon.Add(9 * time.Minute), Error: "502 Bad Gateway"},
	}
	s.stats = []queue.Stat{
		{Kind: "merges", State: queue.Dead, Count: 1},
		{Kind: "sweep", State: queue.Dead, Count: 1},
		{Kind: "merges", State: queue.Running, Count: 1},
		{Kind: "commands", State: queue.Waiting, Count: 1},
		{Kind: "merges", State: queue.Retrying, Count: 1},
	}
}
