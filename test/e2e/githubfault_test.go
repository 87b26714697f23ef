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
	"github.com/nuobit/odyssey/internal/forge/forgetest"
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
	h.settled(s, "commands")
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

// D4: told of pushes in the wrong order, the bot ends at the newest.
func TestFault_D4_GitHubPushesOutOfOrder(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	s := h.serve()
	h.settled(s, "merges")
	h.grow("[FIX] stock: one")
	h.push("One", map[string]string{"README.md": "1\n", ".odyssey.yaml": "merges: {enabled: false}\n"})
	h.push("Two", map[string]string{"README.md": "2\n", ".odyssey.yaml": "merges: {enabled: true}\n"})
	older, newer := mail.nth(t, "push", 1), mail.nth(t, "push", 2)
	if !bytes.Contains(newer.body, []byte(h.head("main"))) {
		older, newer = newer, older
	}
	h.tell(newer, "")
	h.tell(older, "")
	h.eventually(func() string {
		if len(h.open()) != 1 {
			return "no pull request is opened"
		}
		return ""
	})
	h.settled(s, "merges")
	if pr := h.one(); pr.State != forge.Open {
		t.Errorf("%+v", pr)
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

// D6: what happened while the bot was down is found, and done once although
// GitHub is asked to deliver it again as well.
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
	s = h.serve()
	h.ends(comment, forge.Done)
	h.settled(s, "commands")
	h.one()
	if n := len(h.replies(issue)) - said; n != 1 {
		t.Errorf("the bot says %d things", n)
	}
}

// S1, S2: what is not signed, signed by SHA-1 alone, sent by another forge or
// too large is refused, and no job comes of it.
func TestFault_S1_S2_GitHubStrangers(t *testing.T) {
	h := newHub(t)
	mail := h.divert()
	s := h.serve()
	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.settled(s, "commands")
	h.human.Comment(t, issue, "/help")
	d := mail.nth(t, "issue_comment", 1)
	for name, c := range map[string]struct {
		change func(header http.Header)
		body   io.Reader
		want   int
	}{
		"unsigned":    {func(h http.Header) { h.Del("X-Hub-Signature-256") }, bytes.NewReader(d.body), http.StatusUnauthorized},
		"SHA-1 alone": {func(h http.Header) { h.Set("X-Hub-Signature", "sha1=00"); h.Del("X-Hub-Signature-256") }, bytes.NewReader(d.body), http.StatusUnauthorized},
		"another":     {func(http.Header) {}, bytes.NewReader(append([]byte(" "), d.body...)), http.StatusUnauthorized},
		"Gitea's":     {func(h http.Header) { h.Set("X-Gitea-Event", "issue_comment") }, bytes.NewReader(d.body), http.StatusUnauthorized},
		"endless":     {func(http.Header) {}, io.LimitReader(endless{}, 1<<30), http.StatusRequestEntityTooLarge},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.addr+"/webhooks/github", c.body)
		must(t, err)
		req.Header = d.header.Clone()
		req.Header.Del("Content-Length")
		c.change(req.Header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", name, resp.Status, c.want)
		}
	}
	if n := h.settled(s, "commands"); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// S3: who may not write, and who edits, is not obeyed.
func TestFault_S3_GitHubCommandByReader(t *testing.T) {
	h := newHub(t)
	h.settled(h.serve(), "merges") // the look at what is new to it
	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.grow("[FIX] stock: one")
	stranger := h.As(h.human.Stranger(), h.image)
	said := stranger.Comment(t, issue, "/refresh ./odoo")
	h.ends(said, forge.Confused)
	if replies := h.replies(issue); len(replies) != 1 || !strings.Contains(replies[0], "who may write") {
		t.Errorf("the bot says %q", replies)
	}
	edited := h.human.Comment(t, issue, "Hm.")
	h.human.EditComment(t, edited, "/refresh ./odoo")
	h.ends(h.human.Comment(t, issue, "/help"), forge.Done)
	if reactions := h.human.Reactions(t, edited); len(h.open()) > 0 || len(reactions) > 0 {
		t.Errorf("open are %+v, reactions to the edited comment %v", h.open(), reactions)
	}
	// The permission is asked for at that moment.
	h.human.SetPermission(t, stranger.Login(), forge.MayWrite)
	h.ends(stranger.Comment(t, issue, "/refresh ./odoo"), forge.Done)
	h.one()
}

// F8: a person who commits in the bot's name, with its message, keeps what they
// committed: GitHub has not signed it for the App.
func TestFault_F8_GitHubForgedCommitter(t *testing.T) {
	h := newHub(t)
	h.grow("[FIX] stock: one")
	h.run("./odoo opened")
	pr := h.one()
	made, err := h.owner.Branch(t.Context(), h.repo(), pr.Head)
	must(t, err)
	mine := h.human.Push(t, forgetest.Commit{
		Branch: pr.Head, Message: made.Message, Files: map[string]forgetest.File{"mine": {Content: "1\n"}},
		By: forge.Identity{Name: "odyssey-bot", Email: "odyssey-bot@users.noreply.localhost"},
	})[0]
	h.grow("[FIX] stock: two")
	h.run("./odoo held")
	if got := h.head(pr.Head); got != mine {
		t.Errorf("the branch is at %s, want the human's %s", got, mine)
	}
}

// S5: what a pull request changes of the policy counts for nothing before it is
// merged.
func TestFault_S5_GitHubPolicyOfTheDefaultBranch(t *testing.T) {
	h := newHub(t)
	h.push("Administrators only", map[string]string{".odyssey.yaml": "commands: {allow: [acme]}\n"})
	h.serve()
	h.grow("[FIX] stock: one")
	h.human.Push(t, forgetest.Commit{Branch: "feature", Message: "Me, too", Files: map[string]forgetest.File{
		".odyssey.yaml": {Content: "commands: {allow: write}\nmerges: {enabled: false}\n"},
	}})
	pr, err := h.owner.CreatePullRequest(t.Context(), h.repo(), forge.NewPullRequest{Head: "feature", Base: "main", Title: "Me, too"})
	must(t, err)
	second()
	writer := h.As("writer", h.image)
	h.human.SetPermission(t, "writer", forge.MayWrite)
	h.ends(writer.Comment(t, pr.Number, "/refresh ./odoo"), forge.Confused)
	fork := h.human.ForkPullRequest(t, "main")
	h.ends(writer.Comment(t, fork, "/refresh ./odoo"), forge.Confused)
	h.ends(h.human.Comment(t, pr.Number, "/refresh ./odoo"), forge.Done)
	own := slices.DeleteFunc(h.open(), func(pr forge.PullRequest) bool { return pr.Author != h.app.Login() })
	if len(own) != 1 {
		t.Errorf("the bot has opened %+v", own)
	}
}
