package github_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing")

const hookSecret = "canary-hook-7f3a9d"

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	_, _ = mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func receiver(t testing.TB) *github.Receiver {
	t.Helper()
	r, err := github.NewReceiver(secret.New(hookSecret))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// delivery is a signed delivery of a body.
func delivery(eventType, body string) (http.Header, []byte) {
	return http.Header{
		"X-Github-Delivery":   {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"X-Github-Event":      {eventType},
		"X-Hub-Signature-256": {sign(body)},
		"Content-Type":        {"application/json"},
	}, []byte(body)
}

// TestExamples: all that GitHub documents is understood. The golden file says
// as what.
func TestExamples(t *testing.T) {
	t.Parallel()
	r := receiver(t)
	var got strings.Builder
	count := map[string]int{}
	for _, example := range githubtest.Examples(t) {
		count[example.Event]++
		name := fmt.Sprintf("%s %d", example.Event, count[example.Event])
		header, body := delivery(example.Event, string(example.Payload))
		event, err := r.Receive(header, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if event.Type != example.Event || event.Delivery != header.Get("X-Github-Delivery") {
			t.Errorf("%s: type %q, delivery %q", name, event.Type, event.Delivery)
		}
		if event.Kind == forge.EventIgnored {
			continue
		}
		fmt.Fprintf(&got, "%s: %s\n", name, summary(event, example.Payload))
	}
	if n := len(count); n < 50 {
		t.Errorf("there are examples of %d events", n)
	}
	path := filepath.Join("testdata", "examples.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// summary is an event on one line, after the action that it was made of.
func summary(e forge.Event, payload []byte) string {
	var p struct{ Action string }
	_ = json.Unmarshal(payload, &p)
	words := []string{strings.TrimSpace(p.Action + " is " + string(e.Kind))}
	add := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" && text != "/" && text != "false" {
			words = append(words, name+" "+text)
		}
	}
	add("repo", e.Repo)
	add("sender", e.Sender)
	add("branch", e.Branch)
	add("head", e.Head)
	add("number", e.Number)
	add("author", e.Author)
	if c := e.Comment; c.ID != 0 {
		add("comment", c.ID)
		add("on", c.Number)
		add("pull", c.OnPull)
		add("by", c.Author)
		add("bot", c.Bot)
		add("says", fmt.Sprintf("%q", c.Body))
		add("at", c.Created.Format(time.RFC3339))
		add("edited", c.Edited())
		add("url", c.URL)
	}
	return strings.Join(words, ", ")
}

const (
	head = "0123456789abcdef0123456789abcdef01234567"
	none = "0000000000000000000000000000000000000000"
	repo = `"repository":{"id":1,"full_name":"acme/odoo-image"},"sender":{"login":"alice","type":"User"}`

	comment = `{"action":"created",` + repo + `,"issue":{"number":3,"pull_request":{"url":"x"}},"comment":{"id":7,"user":{"login":"alice","type":"User"},` +
		`"body":"/refresh","html_url":"https://github.com/x","created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}`
)

// TestReceive: what the examples do not have, or not so that the difference
// shows.
func TestReceive(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	told := forge.Comment{ID: 7, Number: 3, OnPull: true, Author: "alice", Body: "/refresh", URL: "https://github.com/x", Created: at, Updated: at}
	byBot := told
	byBot.Bot, byBot.OnPull = true, false
	name := forge.Name{Owner: "acme", Name: "odoo-image"}
	pull := func(repo string) string {
		return `{"action":"synchronize","number":5,` + repo + `,"pull_request":{"head":{"ref":"topic","sha":"` + head + `","repo":{"id":1}},"base":{}}}`
	}
	for title, c := range map[string]struct {
		event, body string
		want        forge.Event
	}{
		"comment":                     {"issue_comment", comment, forge.Event{Kind: forge.EventComment, Number: 3, Comment: told}},
		"comment of a bot, no pull":   {"issue_comment", strings.NewReplacer(`"type":"User"},"body"`, `"type":"Bot"},"body"`, `,"pull_request":{"url":"x"}`, "").Replace(comment), forge.Event{Kind: forge.EventComment, Number: 3, Comment: byBot}},
		"edited comment":              {"issue_comment", strings.Replace(comment, "created\"", "edited\"", 1), forge.Event{}},
		"comment of nobody":           {"issue_comment", strings.Replace(comment, `"user":{"login":"alice","type":"User"}`, `"user":null`, 1), forge.Event{}},
		"push":                        {"push", `{"ref":"refs/heads/a/b","before":"` + none + `","after":"` + head + `",` + repo + `}`, forge.Event{Kind: forge.EventPush, Branch: "a/b", Head: head}},
		"tag":                         {"push", `{"ref":"refs/tags/v1","before":"` + none + `","after":"` + head + `",` + repo + `}`, forge.Event{}},
		"branch deleted":              {"push", `{"ref":"refs/heads/a","before":"` + head + `","after":"` + none + `",` + repo + `}`, forge.Event{}},
		"pull request":                {"pull_request", pull(repo), forge.Event{Kind: forge.EventPullRequest, Number: 5, Head: head, Branch: "topic"}},
		"pull request of a fork":      {"pull_request", pull(strings.Replace(repo, `"id":1`, `"id":2`, 1)), forge.Event{Kind: forge.EventPullRequest, Number: 5, Head: head}},
		"pull request of a gone fork": {"pull_request", strings.Replace(pull(repo), `"repo":{"id":1}`, `"repo":null`, 1), forge.Event{Kind: forge.EventPullRequest, Number: 5, Head: head}},
		"check to be made again": {
			"check_run", `{"action":"rerequested",` + repo + `,"check_run":{"head_sha":"` + head + `","check_suite":{"head_branch":"main"}}}`,
			forge.Event{Kind: forge.EventRerun, Head: head, Branch: "main"},
		},
		"all checks to be made again": {
			"check_suite", `{"action":"rerequested",` + repo + `,"check_suite":{"head_sha":"` + head + `","head_branch":"main"}}`,
			forge.Event{Kind: forge.EventRerun, Head: head, Branch: "main"},
		},
		"checks of a fork to be made again": {
			"check_suite", `{"action":"rerequested",` + repo + `,"check_suite":{"head_sha":"` + head + `","head_branch":null}}`,
			forge.Event{Kind: forge.EventRerun, Head: head},
		},
		"all checks made": {"check_suite", `{"action":"completed",` + repo + `,"check_suite":{"head_sha":"` + head + `","head_branch":"main"}}`, forge.Event{}},
		"check made":      {"check_run", `{"action":"completed",` + repo + `,"check_run":{"head_sha":"` + head + `"}}`, forge.Event{}},
		"issue closed":    {"issues", `{"action":"closed",` + repo + `,"issue":{"number":4,"user":{"login":"odyssey[bot]"}}}`, forge.Event{Kind: forge.EventIssue, Number: 4, Author: "odyssey[bot]"}},
		"issue opened":    {"issues", `{"action":"opened",` + repo + `,"issue":{"number":4,"user":{"login":"alice"}}}`, forge.Event{}},
		"issue ticked":    {"issues", `{"action":"edited","changes":{"body":{"from":"- [ ] a"}},` + repo + `,"issue":{"number":4,"body":"- [x] a","user":{"login":"odyssey[bot]"}}}`, forge.Event{Kind: forge.EventIssue, Number: 4, Author: "odyssey[bot]", Text: "- [x] a", Before: "- [ ] a"}},
		"issue of nobody": {"issues", `{"action":"closed",` + repo + `,"issue":{"number":4,"user":null}}`, forge.Event{Kind: forge.EventIssue, Number: 4}},
		"workflow ended": {
			"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"head_sha":"` + head + `","head_branch":"main","head_repository":{"id":1}}}`,
			forge.Event{Kind: forge.EventWorkflow, Head: head, Branch: "main"},
		},
		"workflow that somebody started ended": {
			"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"event":"workflow_dispatch","path":".github/workflows/python-lock.yml@main","head_sha":"` + head + `","head_branch":"main","head_repository":{"id":1}}}`,
			forge.Event{Kind: forge.EventWorkflow, Head: head, Branch: "main", Workflow: "python-lock.yml"},
		},
		"workflow of an odd name": {
			"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"event":"workflow_dispatch","path":"x/../$(id).yml","head_sha":"` + head + `","head_branch":"main","head_repository":{"id":1}}}`,
			forge.Event{Kind: forge.EventWorkflow, Head: head, Branch: "main"},
		},
		"workflow of a fork": {
			"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"head_sha":"` + head + `","head_branch":"main","head_repository":{"id":2}}}`,
			forge.Event{Kind: forge.EventWorkflow, Head: head},
		},
		"edited":  {"repository", `{"action":"edited",` + repo + `,"changes":{"repository":{"name":{"from":"x"}}}}`, forge.Event{Kind: forge.EventRepository}},
		"deleted": {"repository", `{"action":"deleted",` + repo + `}`, forge.Event{}},
	} {
		header, body := delivery(c.event, c.body)
		got, err := receiver(t).Receive(header, body)
		if err != nil {
			t.Errorf("%s: %v", title, err)
		}
		c.want.Type, c.want.Delivery, c.want.Repo, c.want.Sender = c.event, header.Get("X-Github-Delivery"), name, "alice"
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
	for changes, before := range map[string]string{
		`"action":"renamed","changes":{"repository":{"name":{"from":"before"}}}`:                             "acme/before",
		`"action":"transferred","changes":{"owner":{"from":{"user":{"login":"ann"}}}}`:                       "ann/odoo-image",
		`"action":"transferred","changes":{"owner":{"from":{"organization":{"login":"their"},"user":null}}}`: "their/odoo-image",
		`"action":"renamed"`: "acme/odoo-image",
		`"action":"renamed","changes":{"repository":{"name":{"from":".github"}}}`:      "acme/odoo-image", // was not watched
		`"action":"renamed","changes":{"repository":{"name":{"from":"../x"}}}`:         "acme/odoo-image",
		`"action":"transferred","changes":{"owner":{"from":{"user":{"login":"a b"}}}}`: "acme/odoo-image",
	} {
		header, body := delivery("repository", "{"+changes+","+repo+"}")
		got, err := receiver(t).Receive(header, body)
		if err != nil || got.Kind != forge.EventRepository || got.Repo.String() != before {
			t.Errorf("%s: %+v, error %v; want %s", changes, got, err, before)
		}
	}
	for title, c := range map[string]struct {
		event, body string
		want        forge.EventKind
	}{
		"App installed":      {"installation", `{"action":"created","repositories":[{"full_name":"acme/a"}],"sender":{"login":"alice"}}`, forge.EventRepository},
		"repositories added": {"installation_repositories", `{"action":"added","sender":{"login":"alice"}}`, forge.EventRepository},
		"ping of an App":     {"ping", `{"zen":"x","hook":{"type":"App"}}`, forge.EventPing},
		"a dotted name":      {"push", `{"repository":{"full_name":"acme/.github"}}`, forge.EventIgnored},
		"what is not known":  {"star", `no JSON`, forge.EventIgnored},
	} {
		header, body := delivery(c.event, c.body)
		got, err := receiver(t).Receive(header, body)
		if err != nil || got.Kind != c.want || got.Repo != (forge.Name{}) {
			t.Errorf("%s: %+v, error %v; want kind %q", title, got, err, c.want)
		}
	}
}

// S1: bad, empty, missing, SHA-1 alone, another forge's.
func TestFault_S1_GitHubSignatures(t *testing.T) {
	t.Parallel()
	old := hmac.New(sha1.New, []byte(hookSecret))
	_, _ = old.Write([]byte(comment))
	sha1Text := hex.EncodeToString(old.Sum(nil))
	good := sign(comment)
	for name, change := range map[string]func(h http.Header){
		"another body":            func(h http.Header) { h.Set("X-Hub-Signature-256", sign(comment+" ")) },
		"missing":                 func(h http.Header) { h.Del("X-Hub-Signature-256") },
		"empty":                   func(h http.Header) { h.Set("X-Hub-Signature-256", "") },
		"prefix alone":            func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256=") },
		"without prefix":          func(h http.Header) { h.Set("X-Hub-Signature-256", strings.TrimPrefix(good, "sha256=")) },
		"prefix in capitals":      func(h http.Header) { h.Set("X-Hub-Signature-256", strings.Replace(good, "sha256", "SHA256", 1)) },
		"too short":               func(h http.Header) { h.Set("X-Hub-Signature-256", good[:len(good)-2]) },
		"too long":                func(h http.Header) { h.Set("X-Hub-Signature-256", good+"00") },
		"no hexadecimal":          func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("zz", 32)) },
		"twice":                   func(h http.Header) { h.Add("X-Hub-Signature-256", good) },
		"SHA-1 in its place":      func(h http.Header) { h.Set("X-Hub-Signature-256", "sha1="+sha1Text) },
		"SHA-1 as SHA-256":        func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+sha1Text) },
		"SHA-1 only":              func(h http.Header) { h.Del("X-Hub-Signature-256"); h.Set("X-Hub-Signature", "sha1="+sha1Text) },
		"Gitea's":                 func(h http.Header) { h.Set("X-Gitea-Event", "push") },
		"Forgejo's, in lowercase": func(h http.Header) { h["x-forgejo-delivery"] = []string{"x"} },
	} {
		header, body := delivery("issue_comment", comment)
		change(header)
		got, err := receiver(t).Receive(header, body)
		switch {
		case !errors.Is(err, forge.ErrSignature) || got != (forge.Event{}):
			t.Errorf("%s: %+v, error %v", name, got, err)
		case strings.Contains(err.Error(), hookSecret) || strings.Contains(err.Error(), good[len("sha256="):]):
			t.Errorf("%s: the error %q helps to forge", name, err)
		}
	}
	header, body := delivery("issue_comment", comment)
	header.Set("X-Hub-Signature", "sha1=wrong") // is not looked at
	if _, err := receiver(t).Receive(header, body); err != nil {
		t.Errorf("the one that is right: %v", err)
	}
	if _, err := github.NewReceiver(secret.Text{}); err == nil {
		t.Error("a receiver without a secret")
	}
}

// What is signed may still be nonsense.
func TestHostileDeliveries(t *testing.T) {
	t.Parallel()
	edit := func(replace ...string) string { return strings.NewReplacer(replace...).Replace(comment) }
	long := strings.Repeat("x", 5000)
	push := `{"ref":"refs/heads/main","before":"` + none + `","after":"` + head + `",` + repo + `}`
	editPush := func(replace ...string) string { return strings.NewReplacer(replace...).Replace(push) }
	for name, c := range map[string]struct{ event, body, says string }{
		"no JSON":               {"push", "payload=%7B%7D", "no such payload"},
		"empty":                 {"push", "", "no such payload"},
		"null":                  {"push", "null", "repository is missing"},
		"deep":                  {"push", strings.Repeat("[", 20_000), "no such payload"},
		"owner leads elsewhere": {"push", editPush("acme/", "../"), "repository.full_name"},
		"owner is hidden":       {"push", editPush("acme/", ".git/"), "repository.full_name"},
		"name with a slash":     {"push", editPush("acme/", "acme/x/"), "repository.full_name"},
		"name with a line end":  {"push", editPush("acme/", `acme/x\n`), "repository.full_name"},
		"long name":             {"push", editPush("acme/", "acme/"+long), "repository.full_name"},
		"no sender":             {"push", editPush("sender", "else"), "sender"},
		"long login":            {"push", editPush("alice", long), "sender"},
		"branch is an option":   {"push", editPush("heads/main", "heads/-x"), "ref is no branch"},
		"branch leads up":       {"push", editPush("heads/main", "heads/../x"), "ref is no branch"},
		"head is no commit":     {"push", editPush(head, "HEAD"), "after is no commit"},
		"before is no commit":   {"push", editPush(none, "HEAD"), "before is no commit"},
		"login with an escape":  {"issue_comment", edit(`"user":{"login":"alice"`, `"user":{"login":"a\u001b[1m"`), "comment.user"},
		"id 0":                  {"issue_comment", edit(`"id":7`, `"id":0`), "comment.id 0"},
		"huge id":               {"issue_comment", edit(`"id":7`, `"id":9223372036854775808`), "no such payload"},
		"number below 0":        {"issue_comment", edit(`"number":3`, `"number":-3`), "issue.number -3"},
		"no time":               {"issue_comment", edit("created_at", "else"), "comment.created_at"},
		"broken time":           {"issue_comment", edit("2026-01", "2026-13"), "no such payload"},
		"no comment":            {"issue_comment", edit(`"comment"`, `"else"`), "comment or issue is missing"},
		"no issue":              {"issue_comment", edit(`"issue"`, `"else"`), "comment or issue is missing"},
		"no action":             {"issue_comment", edit("created\"", "\""), "action is missing"},
		"no pull request":       {"pull_request", comment, "pull_request"},
		"issue without action":  {"issues", push, "action or issue is missing"},
		"check without run":     {"check_run", `{"action":"rerequested",` + repo + `}`, "check_run is missing"},
		"check of no commit":    {"check_run", `{"action":"rerequested",` + repo + `,"check_run":{"head_sha":"x"}}`, "check_run.head_sha"},
		"checks without suite":  {"check_suite", `{"action":"rerequested",` + repo + `}`, "check_suite is missing"},
		"checks of no commit":   {"check_suite", `{"action":"rerequested",` + repo + `,"check_suite":{"head_sha":"x"}}`, "check_suite.head_sha"},
		"checks of an option":   {"check_suite", `{"action":"rerequested",` + repo + `,"check_suite":{"head_sha":"` + head + `","head_branch":"-x"}}`, "head_branch"},
		"workflow without run":  {"workflow_run", `{"action":"completed",` + repo + `}`, "workflow_run is missing"},
		"installation, no word": {"installation", `{"sender":{"login":"a"}}`, "action is missing"},
	} {
		header, body := delivery(c.event, c.body)
		got, err := receiver(t).Receive(header, body)
		switch {
		case err == nil || got != (forge.Event{}):
			t.Errorf("%s: taken as %+v", name, got)
		case errors.Is(err, forge.ErrSignature) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\x1b"):
			t.Errorf("%s: error %q, want %q", name, err, c.says)
		}
	}
	for name, values := range map[string][]string{
		"missing": nil, "empty": {""}, "twice": {"push", "push"}, "line end": {"push\nx"}, "long": {strings.Repeat("a", 101)}, "path": {"../push"},
	} {
		for _, key := range []string{"X-Github-Event", "X-Github-Delivery"} {
			header, body := delivery("issue_comment", comment)
			header[key] = values
			if got, err := receiver(t).Receive(header, body); err == nil || !strings.Contains(err.Error(), key) || got != (forge.Event{}) {
				t.Errorf("%s, %s: %+v, error %v", key, name, got, err)
			}
		}
	}
	header, body := delivery("push", "payload=%7B%7D")
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := receiver(t).Receive(header, body); err == nil || !strings.Contains(err.Error(), "application/json") {
		t.Errorf("a form: error %v", err)
	}
}

// FuzzReceive signs whatever the body is, so that the payload is read.
func FuzzReceive(f *testing.F) {
	for _, example := range githubtest.Examples(f) {
		f.Add(example.Event, []byte(example.Payload))
	}
	f.Add("issue_comment", []byte(comment))
	r := receiver(f)
	f.Fuzz(func(t *testing.T, eventType string, body []byte) {
		header, _ := delivery(eventType, string(body))
		e, err := r.Receive(header, body)
		if err != nil {
			if e != (forge.Event{}) || len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("event %+v, error %q", e, err)
			}
			return
		}
		if e.Kind == forge.EventIgnored || e.Kind == forge.EventPing {
			return
		}
		if e.Repo != (forge.Name{}) {
			if _, err := forge.ParseName(e.Repo.String()); err != nil {
				t.Errorf("repository %v", e.Repo)
			}
		}
		for _, text := range []string{e.Branch, e.Head, e.Sender, e.Author, e.Comment.Author} {
			if strings.ContainsAny(text, "\n\x00\x1b ") || len(text) > 255 {
				t.Errorf("%q in %+v", text, e)
			}
		}
		if strings.HasPrefix(e.Branch, "-") || strings.HasPrefix(e.Head, "-") {
			t.Errorf("an option in %+v", e)
		}
		if e.Kind == forge.EventComment && (e.Comment.ID <= 0 || e.Comment.Number <= 0 || e.Comment.Created.IsZero()) {
			t.Errorf("comment %+v", e.Comment)
		}
	})
}
