package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nuobit/odyssey/internal/web"
)

var pagePaths = []string{
	"/", "/?state=failing", "/?q=image&forge=gitea&page=2", "/jobs", "/style.css", "/icon/good.svg", "/icon/bad.svg",
	"/repositories/gitea/acme/odoo-image", "/repositories/gitea/acme/hostile", "/repositories/gitea/acme/broken-image",
	"/repositories/forgejo/verein/fresh", "/repositories/forgejo/verein/vereins-image", "/repositories/forgejo/verein/warten",
	"/api/status.json", "/api/jobs.json", "/metrics", "/healthz", "/readyz",
}

func populated(t testing.TB) http.Handler {
	t.Helper()
	o := options(t.Output())
	populate(t, &o)
	s := newServer(t, o)
	s.Started()
	return s.Status()
}

// names returns the repositories of the overview in their order.
func names(page string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`class="name"><a href="/repositories/([^"]+)">`).FindAllStringSubmatch(page, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestOverview(t *testing.T) {
	t.Parallel()
	h := populated(t)
	page := get(h, "/").Body.String()
	want := []string{
		"gitea/acme/broken-image",      // failing
		"forgejo/verein/vereins-image", // for 40 days
		"gitea/acme/odoo-image",        // for 12 days
		"forgejo/verein/warten",        // for 5 hours
		"gitea/acme/hostile",           // for 1 hour
		"forgejo/verein/fresh",         // not run yet
		"gitea/acme/a-repository-with-a-name-that-somebody-took-far-too-literally-and-never-shortened", // by name
		"gitea/acme/odoo-image-accounting",
	}
	if got := names(page); len(got) != 22 || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("order:\n%s\nwant first:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, text := range []string{
		"<strong>for 40 days</strong>", "2 of 2 merges, up to 41 commits",
		"<strong>for 5 h</strong> <span class=\"lag\">1 of 1 merge</span>", // not known how many
		"minimumAge is 24h", "no ref refs/heads/18.0-mig", "@karl reverted",
		`href="https://git.example.com/acme/odoo-image/pulls/118"`, ">#118</a>",
		"12 min ago", "in 17 h", `<time datetime="2026-11-24T05:00:00Z" title="24 Nov 2026, 05:00:00 UTC">`,
		`<span class="number">1</span> <span class="word">Failing</span>`,
		`<span class="number">2</span> <span class="word">In review</span>`,
		`<span class="number">1</span> <span class="word">Not run yet</span>`,
		`<span class="alarm">2`, `/icon/bad.svg`, "odyssey-bot 1.2.3", "As of 23 Nov 2026, 12:00:00 UTC",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the overview lacks %q", text)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	h := populated(t)
	for path, want := range map[string]string{
		"/?state=failing":             "gitea/acme/broken-image",
		"/?q=VEREIN&state=new":        "forgejo/verein/fresh",
		"/?forge=forgejo&q=image":     "forgejo/verein/vereins-image",
		"/?q=accounting":              "gitea/acme/odoo-image-accounting",
		"/?q=%3Cscript%3E":            "",
		"/?state=nonsense":            "",
		"/?q=customer-03&page=99":     "gitea/customers/customer-03",
		"/?q=customer-03&page=-1":     "gitea/customers/customer-03",
		"/?q=customer-03&page=nought": "gitea/customers/customer-03",
	} {
		w := get(h, path)
		if got := strings.Join(names(w.Body.String()), " "); w.Code != http.StatusOK || got != want {
			t.Errorf("GET %s: %d %q; want %q", path, w.Code, got, want)
		}
		if want == "" && !strings.Contains(w.Body.String(), "No repository fits") {
			t.Errorf("GET %s says nothing of it", path)
		}
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	h := populated(t)
	for path, texts := range map[string][]string{
		"/repositories/gitea/acme/odoo-image": {
			`<span class="badge review">In review</span>`, "because of schedule", "for 12 days, 3 of 7 merges, up to 41 commits",
			"<code>./odoo</code>", "0000000000</code>", "4d4d4d4d4d</code>", `title="` + sha(77) + `"`, "41 commits", "current",
			"waits for the release", "somebody pushed to odyssey/merge/addons-web", "minimumAge is 24h",
			`href="https://git.example.com/acme/odoo-image"`, "Comment commands", "Waiting",
		},
		"/repositories/gitea/acme/broken-image":      {"Why it fails", "repos.yaml:14", "odyssey-bot jobs retry 4711", "Could not resolve host"},
		"/repositories/forgejo/verein/fresh":         {"No run over the merges has ended yet", "Not run yet"},
		"/repositories/forgejo/verein/vereins-image": {"Why nothing was done", "@karl reverted", `<span class="badge held">Held</span>`},
		"/jobs": {
			"odyssey-bot jobs retry 4711", "odyssey-bot jobs retry 4712", "Tries again", "502 Bad Gateway", "Running",
			"Sweep", "in 9 min", "Given up <span class=\"number alarm\">2</span>",
		},
	} {
		page := get(h, path).Body.String()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("GET %s lacks %q", path, text)
			}
		}
	}
	for path, want := range map[string]int{
		"/repositories/gitea/acme/none": 404, "/repositories/forgejo/acme/odoo-image": 404, "/none": 404,
		"/repositories/gitea/acme%2Fodoo-image/x": 404, "/icon/..%2Fstyle.css": 404, "/jobs/": 404,
	} {
		if w := get(h, path); w.Code != want {
			t.Errorf("GET %s: %d; want %d", path, w.Code, want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/jobs", http.NoBody)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /jobs: %d; want 405", w.Code)
	}
}

// Text from outside stays text: no element, attribute or address of it.
func TestFault_M1_PagesEscape(t *testing.T) {
	t.Parallel()
	h := populated(t)
	for _, path := range []string{"/", "/jobs", "/repositories/gitea/acme/hostile", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"} {
		w := get(h, path)
		doc, err := html.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		bdi := 0
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && strings.ContainsRune(n.Data, '\u202E') {
				t.Errorf("GET %s: turns the direction of writing in %q", path, n.Data)
			}
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "script", "img", "iframe", "style", "object", "svg", "base":
				t.Errorf("GET %s: has <%s>", path, n.Data)
			case "bdi":
				bdi++
			}
			for _, a := range n.Attr {
				scheme, _, has := strings.Cut(a.Val, ":")
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style":
					t.Errorf("GET %s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
				case (a.Key == "href" || a.Key == "src" || a.Key == "action") && has && scheme != "https":
					t.Errorf("GET %s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
				}
			}
		}
		if !strings.Contains(path, "?") && bdi == 0 {
			t.Errorf("GET %s: text from outside is not kept apart", path)
		}
	}
	for _, path := range []string{"/api/status.json", "/api/jobs.json"} {
		body := get(h, path).Body.String()
		for _, text := range []string{"<script", "\u202E", "javascript:"} {
			if strings.Contains(body, text) {
				t.Errorf("%s has %q", path, text)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := populated(t)
	for _, path := range pagePaths {
		w := get(h, path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
		} {
			if got := w.Header().Get(name); w.Code != http.StatusOK || got != want {
				t.Errorf("GET %s: %d, %s: %q", path, w.Code, name, got)
			}
		}
		if w.Header().Get("Content-Type") == "" {
			t.Errorf("GET %s: no Content-Type", path)
		}
	}
}

// A page of a stranger whose name points here reads no page and no JSON;
// probes and scrapes, of machines, may come under any name.
func TestHosts(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	o.Hosts = []string{"bot.example.com"}
	s := newServer(t, o)
	s.Started()
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8081": 200, "LOCALHOST:1": 200, "localhost.": 200,
		"127.0.0.1:8081": 200, "[::1]:8081": 200, "[::1]": 200, "10.2.3.4": 200,
		"bot.example.com": 200, "Bot.Example.com:443": 200,
		"evil.example": 421, "evil.example:8081": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"x.bot.example.com": 421, "": 421, "127.1": 421, "localhost:1:2": 421,
		"[fe80::1]:8081": 200, "[fe80::1%evil.example]:8081": 421, "fe80::1%evil.example": 421,
	} {
		for _, path := range []string{"/", "/metrics", "/api/status.json", "/healthz", "/readyz"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.Host = host
			w := httptest.NewRecorder()
			s.Status().ServeHTTP(w, r)
			if strings.HasSuffix(path, "z") || path == "/metrics" {
				if w.Code != http.StatusOK {
					t.Errorf("%s under %q: %d", path, host, w.Code)
				}
				continue
			}
			if w.Code != want {
				t.Errorf("%s under %q: %d; want %d", path, host, w.Code, want)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	h := populated(t)
	var status struct {
		Generated    time.Time
		Repositories []struct {
			Name, State, Reason string
			LagSeconds          int
			LagCommits          *int
			PullRequests        []struct{ URL, Label string }
		}
	}
	if err := json.Unmarshal(get(h, "/api/status.json").Body.Bytes(), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Repositories) != 22 || !status.Generated.Equal(noon) {
		t.Fatalf("%d repositories at %s", len(status.Repositories), status.Generated)
	}
	r := status.Repositories[2]
	if r.Name != "acme/odoo-image" || r.State != "review" || r.LagSeconds != 12*24*3600 || *r.LagCommits != 41 || len(r.PullRequests) != 2 {
		t.Errorf("third repository: %+v", r)
	}
	if r := status.Repositories[3]; r.LagCommits != nil || r.LagSeconds != 5*3600 {
		t.Errorf("where the commits are not known: %+v", r)
	}
	var jobs struct {
		Counts map[string]int
		Jobs   []struct{ ID int64 }
	}
	if err := json.Unmarshal(get(h, "/api/jobs.json").Body.Bytes(), &jobs); err != nil {
		t.Fatal(err)
	}
	if jobs.Counts["dead"] != 2 || len(jobs.Jobs) != 5 || jobs.Jobs[0].ID != 4711 {
		t.Errorf("jobs: %+v", jobs)
	}
	for _, path := range []string{"/", "/jobs", "/repositories/gitea/acme/odoo-image"} {
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		req.Host = "localhost"
		req.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("GET %s, wanting JSON: %s", path, w.Header().Get("Content-Type"))
		}
	}
}

// While the store does not answer, the pages show what was known and say so,
// and ask it no more often than every two seconds.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := options(&log)
	populate(t, &o)
	now := noon
	o.Now = func() time.Time { return now }
	s, ok := o.Reports.(*store)
	if !ok {
		t.Fatal("not the store of the tests")
	}
	server := newServer(t, o)
	server.Started()
	h := server.Status()

	s.fail(errors.New("connect to postgres://bot:canary-7f3a@db/odyssey: refused"))
	for _, path := range []string{"/", "/jobs", "/repositories/gitea/acme/odoo-image"} {
		if w := get(h, path); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "does not answer") || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("GET %s without a store: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/readyz", "/api/status.json", "/api/jobs.json"} {
		if w := get(h, path); w.Code != http.StatusServiceUnavailable || w.Body.String() != "the store does not answer\n" {
			t.Errorf("GET %s without a store: %d %q", path, w.Code, w.Body)
		}
	}
	if w := get(h, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("/healthz without a store: %d", w.Code)
	}
	if w := get(h, "/metrics"); !strings.Contains(w.Body.String(), "odyssey_store_up 0") {
		t.Error("the metrics say nothing of it")
	}

	s.fail(nil)
	now = now.Add(3 * time.Second)
	if w := get(h, "/"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "does not answer") {
		t.Errorf("after the store came back: %d", w.Code)
	}
	reads := s.reads
	for range 50 {
		get(h, "/")
		get(h, "/metrics")
	}
	if s.reads != reads {
		t.Errorf("the store was read %d times in no time", s.reads-reads)
	}

	s.fail(errors.New("gone"))
	now = now.Add(3 * time.Second)
	if w := get(h, "/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "This is what was known at <time") || len(names(w.Body.String())) != 22 {
		t.Errorf("when the store went: %d", w.Code)
	}
}

// A thousand repositories are shown at once, a hundred on a page.
func TestThousandRepositories(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	s := &store{}
	o.Store, o.Reports, o.Jobs = s, s, s
	o.Now = func() time.Time { return noon }
	var repos []web.Repository
	for i := range 1000 {
		name := fmt.Sprintf("acme/image-%04d", i)
		repos = append(repos, web.Repository{Subject: "gitea:" + name, Forge: "gitea", Name: name})
		s.put(t, "gitea:"+name, "merges", behindReport(noon.Add(-time.Duration(i)*time.Hour)))
	}
	o.Repositories = func() []web.Repository { return repos }
	h := newServer(t, o).Status()
	began := time.Now()
	first := get(h, "/").Body.String()
	took := time.Since(began)
	if got := names(first); len(got) != 100 || got[0] != "gitea/acme/image-0999" {
		t.Errorf("%d on the first page, first %v", len(got), got[:1])
	}
	if !strings.Contains(first, "Page 1 of 10, 1000 repositories") || !strings.Contains(first, `href="/?page=2"`) {
		t.Error("no way to the next page")
	}
	if last := names(get(h, "/?page=10").Body.String()); len(last) != 100 || last[99] != "gitea/acme/image-0000" {
		t.Errorf("last page: %d", len(last))
	}
	t.Logf("first page after %s", took)
	if took > 5*time.Second { // 50 ms; the bound is for the race detector on a busy machine
		t.Errorf("the first page took %s", took)
	}
}
