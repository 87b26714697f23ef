package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/test/githubtest"
	"github.com/nuobit/odyssey/test/world"
)

// told is a delivery of a webhook.
type told struct {
	header http.Header
	body   []byte
}

// mailbox keeps deliveries, to be handed to the bot when and as often as a test
// wants.
type mailbox struct {
	mu  sync.Mutex
	all []told
}

// divert has the App's events end in a mailbox.
func (h *hub) divert() *mailbox {
	h.t.Helper()
	m := &mailbox{}
	server := httptest.NewServer(m)
	h.t.Cleanup(server.Close)
	h.app.SetHook(server.URL, hubSecret)
	return m
}

func (m *mailbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, told{r.Header.Clone(), body})
}

// last waits for the nth delivery, from 1, of an event.
func (m *mailbox) nth(t *testing.T, event string, n int) told {
	t.Helper()
	for range 500 {
		m.mu.Lock()
		all := slices.DeleteFunc(slices.Clone(m.all), func(d told) bool { return d.header.Get("X-Github-Event") != event })
		m.mu.Unlock()
		if len(all) >= n {
			return all[n-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there is no delivery %d of %s", n, event)
	return told{}
}

// tell hands a delivery to the bot, by another id unless that is "".
func (h *hub) tell(d told, id string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.addr+"/webhooks/github", bytes.NewReader(d.body))
	must(h.t, err)
	req.Header = d.header.Clone()
	if id != "" {
		req.Header.Set("X-Github-Delivery", id)
	}
	resp, err := http.DefaultClient.Do(req)
	must(h.t, err)
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		h.t.Fatalf("a delivery is answered with %s", resp.Status)
	}
}

var (
	jobsDone   = regexp.MustCompile(`(?m)^odyssey_job_duration_seconds_count\{kind="([a-z]+)",result="[a-z]+"\} ([0-9]+)$`)
	unfinished = regexp.MustCompile(`(?m)^odyssey_jobs\{kind="[a-z]+",state="(waiting|running)"\} [1-9]`)
)

// settled waits until the bot has nothing to do, and returns how many jobs of a
// kind it has done so far.
func (h *hub) settled(s *world.Server, kind string) (done int) {
	h.t.Helper()
	quiet := 0
	h.eventually(func() string {
		text, err := s.Get(h.t.Context(), "/metrics")
		if err != nil {
			return err.Error()
		}
		done = 0
		for _, line := range jobsDone.FindAllStringSubmatch(text, -1) {
			if n, err := strconv.Atoi(line[2]); err == nil && line[1] == kind {
				done += n
			}
		}
		if unfinished.MatchString(text) {
			quiet = 0
			return "there are jobs still"
		}
		if quiet++; quiet < 30 { // what the metrics tell is up to 2 s old
			return "it may be that there are jobs still"
		}
		return ""
	})
	return done
}

// once checks that a comment's command had one effect.
func (h *hub) once(issue, comment int64) {
	h.t.Helper()
	h.one()
	if replies := h.replies(issue); len(replies) != 1 {
		h.t.Errorf("the bot says %d things: %q", len(replies), replies)
	}
	mine := 0
	for _, r := range h.human.Reactions(h.t, comment) {
		if r == h.app.Login()+" "+string(forge.Done) {
			mine++
		}
	}
	if mine != 1 {
		h.t.Errorf("reactions %v", h.human.Reactions(h.t, comment))
	}
}

// D1: the same delivery, fifty times at once, has one effect. D2: so has the
// same event by another id.
func TestFault_D1_D2_GitHubRepeats(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	s := h.serve()
	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.grow("[FIX] stock: one")
	h.settled(s, "commands")
	comment := h.human.Comment(t, issue, "/refresh ./odoo")
	d := mail.nth(t, "issue_comment", 1)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { h.tell(d, "") })
	}
	group.Wait()
	h.ends(comment, forge.Done)
	if n := h.settled(s, "commands"); n != 1 {
		t.Errorf("%d jobs", n)
	}
	metrics, err := s.Get(t.Context(), "/metrics")
	must(t, err)
	for result, n := range map[string]int{"accepted": 1, "known": 49} {
		if line := fmt.Sprintf(`odyssey_deliveries_total{event="comment",forge="github",result=%q} %d`, result, n); !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	h.once(issue, comment)
	h.writes()
	h.tell(d, "another-id")
	if n := h.settled(s, "commands"); n != 1 {
		t.Errorf("told again, there are %d jobs", n)
	}
	if writes := h.writes(); len(writes) > 0 {
		t.Errorf("told again, the bot writes %v", writes)
	}
	h.once(issue, comment)
}

// D3, F6: a job that GitHub's refusal has parked is done when the delivery comes
// again, as GitHub sends it on demand.
func TestFault_D3_F6_GitHubRefusesThenRedelivers(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	s := h.serve()
	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.grow("[FIX] stock: one")
	h.settled(s, "commands")
	comment := h.human.Comment(t, issue, "/refresh ./odoo")
	d := mail.nth(t, "issue_comment", 1)
	h.Intercept(func(r *http.Request) *githubtest.Answer {
		if strings.HasSuffix(r.URL.Path, "/installation") || strings.HasSuffix(r.URL.Path, "/access_tokens") || strings.HasPrefix(r.UserAgent(), "odyssey") {
			return &githubtest.Answer{Status: http.StatusForbidden, Body: `{"message":"This installation has been suspended"}`}
		}
		return nil
	})
	h.tell(d, "")
	h.eventually(func() string {
		text, err := s.Get(t.Context(), "/metrics")
		if err != nil || !strings.Contains(text, `odyssey_jobs{kind="commands",state="dead"} 1`) {
			return "the job is not parked"
		}
		return ""
	})
	h.Requests()
	h.settled(s, "commands")
	if calls := h.Requests(); len(calls) > 3 { // a sweep's at most
		t.Errorf("it goes on calling: %+v", calls)
	}
	h.Intercept(nil)
	h.tell(d, "")
	h.ends(comment, forge.Done)
	h.settled(s, "commands")
	h.once(issue, comment)
}

// D4: told of pushes in the wrong order, the bot ends at the newest: neither at
// what it had seen before them nor at the one that it was told of last.
func TestFault_D4_GitHubPushesOutOfOrder(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	h.push("Nothing", map[string]string{".odyssey.yaml": "merges: {enabled: false}\n"})
	s := h.serve()
	h.settled(s, "merges")
	h.grow("[FIX] stock: one")
	h.push("One", map[string]string{".odyssey.yaml": "merges: {group: destination}\n"})
	h.push("Two", map[string]string{".odyssey.yaml": "merges: {group: all}\n"})
	var older, newer told
	for n := range 2 {
		if d := mail.nth(t, "push", n+2); bytes.Contains(d.body, []byte(`"after":"`+h.head("main")+`"`)) {
			newer = d
		} else {
			older = d
		}
	}
	for _, d := range []told{newer, older} {
		before := h.settled(s, "merges")
		h.tell(d, "")
		h.eventually(func() string {
			if h.settled(s, "merges") <= before {
				return "no job was done"
			}
			return ""
		})
		if pr := h.one(); pr.Head != "odyssey/merge/all" {
			t.Errorf("%+v", pr)
		}
	}
}

func (h *hub) head(branch string) string {
	h.t.Helper()
	b, err := h.owner.Branch(h.t.Context(), h.repo(), branch)
	must(h.t, err)
	return b.Head
}

// D5: pushes during a run cause one more, which sees what they brought.
func TestFault_D5_GitHubPushDuringARun(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	s := h.serve()
	before := h.settled(s, "merges")
	h.grow("[FIX] stock: one")
	h.push("One", map[string]string{"README.md": "1\n"})
	d := mail.nth(t, "push", 1)
	var once sync.Once
	newest := ""
	h.Intercept(func(r *http.Request) *githubtest.Answer {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") { // the run is nearly over
			once.Do(func() {
				newest = h.grow("[FIX] stock: two")
				for i := range 5 {
					h.tell(d, fmt.Sprint("during-", i))
				}
			})
		}
		return nil
	})
	h.tell(d, "")
	h.eventually(func() string {
		if open := h.open(); len(open) != 1 || newest == "" || !strings.Contains(h.locked(open[0].Head), newest) {
			return "what came during the run is not seen"
		}
		return ""
	})
	if n := h.settled(s, "merges") - before; n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
	h.one()
}

// D6: what happened while the bot was down is found by the sweep, and done once
// although GitHub delivers it again as well, when the bot asks for that.
func TestFault_D6_GitHubDownForAWhile(t *testing.T) {
	h := newHub(t)
	s := h.serve()
	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.ends(h.human.Comment(t, issue, "/help"), forge.Done)
	h.settled(s, "commands")
	s.Kill()
	said := len(h.replies(issue))
	h.grow("[FIX] stock: one")
	comment := h.human.Comment(t, issue, "/refresh ./odoo")
	h.eventually(func() string {
		all := h.Deliveries()
		if last := all[len(all)-1]; last.Status != http.StatusBadGateway {
			return fmt.Sprintf("delivered to nobody: %+v", last)
		}
		return ""
	})
	again := func(d githubtest.Delivery) bool {
		return d.Again && d.Event == "issue_comment" && d.Status/100 == 2
	}
	s = h.serve()
	h.ends(comment, forge.Done)
	if n := h.settled(s, "commands"); n != 1 || slices.ContainsFunc(h.Deliveries(), again) {
		t.Errorf("%d jobs, deliveries %+v", n, h.Deliveries())
	}
	s.Kill()
	h.AgeDeliveries(15 * time.Minute) // now it is due
	s = h.serve()
	h.eventually(func() string {
		if all := h.Deliveries(); !slices.ContainsFunc(all, again) {
			return fmt.Sprintf("nothing was delivered again: %+v", all)
		}
		return ""
	})
	if n := h.settled(s, "commands"); n != 0 {
		t.Errorf("%d jobs for what is done", n)
	}
	h.one()
	if n := len(h.replies(issue)) - said; n != 1 {
		t.Errorf("the bot says %d things", n)
	}
}
