package gitea_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
)

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	_, _ = mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// recorded reads a delivery and the event that it is.
func recorded(t testing.TB, name string) (d delivery, want forge.Event) {
	t.Helper()
	for suffix, value := range map[string]any{".json": &d, ".want.json": &want} {
		text, err := os.ReadFile(filepath.Join("testdata", "delivery", name+suffix))
		if err == nil {
			err = json.Unmarshal(text, value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d, want
}

// recordings are the names of all recorded deliveries.
func recordings(t testing.TB) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "delivery", "*.want.json"))
	if err != nil || len(paths) < 15 {
		t.Fatal(err, paths)
	}
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".want.json"))
	}
	return names
}

// asForgejo adds the headers that Forgejo sends beside Gitea's (Forgejo,
// services/webhook/shared/payloader.go).
func asForgejo(d delivery) delivery {
	d.Header = d.Header.Clone()
	for _, name := range []string{"Delivery", "Event", "Event-Type", "Signature"} {
		d.Header.Set("X-Forgejo-"+name, d.Header.Get("X-Gitea-"+name))
	}
	return d
}

// forged is a signed delivery with another body.
func forged(eventType, body string) delivery {
	return delivery{http.Header{
		"X-Gitea-Delivery": {"d-1"}, "X-Gitea-Event": {eventType}, "X-Gitea-Signature": {sign(body)},
	}, body}
}

func TestRecordedDeliveries(t *testing.T) {
	t.Parallel()
	of := map[gitea.Flavour]*gitea.Receiver{gitea.Gitea: receiver(t, gitea.Gitea), gitea.Forgejo: receiver(t, gitea.Forgejo)}
	for _, name := range recordings(t) {
		d, want := recorded(t, name)
		for flavour, d := range map[gitea.Flavour]delivery{gitea.Gitea: d, gitea.Forgejo: asForgejo(d)} {
			got, err := of[flavour].Receive(d.Header, []byte(d.Body))
			if err != nil {
				t.Errorf("%s, %s: %v", name, flavour, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, flavour, diff)
			}
		}
	}
}

// A command that came into a comment by an edit is no event, and neither is
// one in a review.
func TestFault_S3_EditsAreNoComments(t *testing.T) {
	t.Parallel()
	for _, name := range recordings(t) {
		d, _ := recorded(t, name)
		got, err := receiver(t, gitea.Gitea).Receive(d.Header, []byte(d.Body))
		if err != nil {
			t.Fatal(err)
		}
		if created := strings.HasSuffix(name, "-comment"); created != (got.Kind == forge.EventComment) {
			t.Errorf("%s is of kind %q", name, got.Kind)
		}
	}
}

func TestFault_S1_Signatures(t *testing.T) {
	t.Parallel()
	good, _ := recorded(t, "pull-request-comment")
	signature := good.Header.Get("X-Gitea-Signature")
	with := func(values map[string][]string) delivery {
		d := delivery{good.Header.Clone(), good.Body}
		maps.Copy(d.Header, values)
		return d
	}
	without := func(d delivery, names ...string) delivery {
		d.Header = d.Header.Clone()
		for _, name := range names {
			d.Header.Del(name)
		}
		return d
	}
	own := func(value ...string) delivery { return with(map[string][]string{"X-Gitea-Signature": value}) }
	type refusal struct {
		delivery
		flavour gitea.Flavour
	}
	for name, c := range map[string]refusal{
		"another secret":           {own(sign(good.Body + "x")), gitea.Gitea},
		"another body":             {delivery{good.Header, good.Body + " "}, gitea.Gitea},
		"no body":                  {delivery{good.Header, ""}, gitea.Gitea},
		"missing":                  {without(good, "X-Gitea-Signature"), gitea.Gitea},
		"empty":                    {own(""), gitea.Gitea},
		"twice":                    {own(signature, signature), gitea.Gitea},
		"two in one":               {own(signature + ", " + signature), gitea.Gitea},
		"SHA-1 in its place":       {own(strings.TrimPrefix(good.Header.Get("X-Hub-Signature"), "sha1=")), gitea.Gitea},
		"with GitHub's prefix":     {own("sha256=" + signature), gitea.Gitea},
		"too short":                {own(signature[:62]), gitea.Gitea},
		"an odd number of digits":  {own(signature[:63]), gitea.Gitea},
		"too long":                 {own(signature + "00"), gitea.Gitea},
		"no hexadecimal":           {own(strings.Repeat("zz", 32)), gitea.Gitea},
		"SHA-1 only":               {without(good, "X-Gitea-Signature", "X-Gogs-Signature", "X-Hub-Signature-256"), gitea.Gitea},
		"GitHub's only":            {without(good, "X-Gitea-Signature", "X-Gogs-Signature"), gitea.Gitea},
		"Forgejo's at Gitea":       {asForgejo(good), gitea.Gitea},
		"Forgejo's, lower case":    {with(map[string][]string{"x-forgejo-event": {"push"}}), gitea.Gitea},
		"Gitea's at Forgejo":       {good, gitea.Forgejo},
		"Forgejo's, no signature":  {without(asForgejo(good), "X-Forgejo-Signature"), gitea.Forgejo},
		"Forgejo's, bad signature": {without(with(map[string][]string{"X-Forgejo-Signature": {""}})), gitea.Forgejo},
	} {
		got, err := receiver(t, c.flavour).Receive(c.Header, []byte(c.Body))
		if !errors.Is(err, forge.ErrSignature) || got != (forge.Event{}) {
			t.Errorf("%s: %+v, error %v; want %v", name, got, err, forge.ErrSignature)
		} else if strings.Contains(err.Error(), hookSecret) || strings.Contains(err.Error(), sign(c.Body)) {
			t.Errorf("%s: the error %q helps to forge", name, err)
		}
	}
	if _, err := receiver(t, gitea.Gitea).Receive(good.Header, []byte(good.Body)); err != nil {
		t.Errorf("the one that is right: %v", err)
	}
}

func TestNewReceiverRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flavour gitea.Flavour
		secret  secret.Text
	}{
		"no secret":    {gitea.Gitea, secret.Text{}},
		"empty secret": {gitea.Forgejo, secret.New("")},
		"other forge":  {"github", secret.New(hookSecret)},
	} {
		if _, err := gitea.NewReceiver(c.flavour, c.secret); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is signed may still be nonsense, or come from a forge whose users
// chose their names well.
func TestHostileDeliveries(t *testing.T) {
	t.Parallel()
	body := func(name string, replace ...string) string {
		d, _ := recorded(t, name)
		return strings.NewReplacer(replace...).Replace(d.Body)
	}
	const (
		comment = `{"action":"created","repository":{"full_name":"o/n"},"sender":{"login":"s"},"issue":{"number":1},"comment":` +
			`{"id":7,"user":{"id":1,"login":"u"},"body":"/refresh","created_at":"2026-01-02T03:04:05Z"}}`
		deep = 20_000
	)
	edit := func(replace ...string) string { return strings.NewReplacer(replace...).Replace(comment) }
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct{ eventType, body, says string }{
		"no JSON":               {"push", "payload=%7B%7D", "no such payload"},
		"empty":                 {"push", "", "no such payload"},
		"null":                  {"push", "null", "repository is missing"},
		"another type":          {"push", `{"ref":7}`, "no such payload"},
		"two values":            {"push", comment + comment, "no such payload"},
		"deep":                  {"push", strings.Repeat("[", deep) + strings.Repeat("]", deep), "no such payload"},
		"owner leads elsewhere": {"issue_comment", edit("o/n", "../n"), "repository.full_name"},
		"name leads elsewhere":  {"issue_comment", edit("o/n", "o/.."), "repository.full_name"},
		"name with a slash":     {"issue_comment", edit("o/n", "o/n/m"), "repository.full_name"},
		"name with a newline":   {"issue_comment", edit("o/n", `o/n\nx`), "repository.full_name"},
		"long name":             {"issue_comment", edit("o/n", "o/"+long), "repository.full_name"},
		"no repository":         {"issue_comment", edit("repository", "else"), "repository is missing"},
		"no sender":             {"issue_comment", edit("sender", "else"), "sender"},
		"login with an escape":  {"issue_comment", edit(`"login":"u"`, `"login":"u\u001b[1m"`), "comment.user"},
		"long login":            {"issue_comment", edit(`"login":"u"`, `"login":"`+long+`"`), "comment.user"},
		"no user":               {"issue_comment", edit("user", "else"), "comment.user"},
		"id 0":                  {"issue_comment", edit(`"id":7`, `"id":0`), "comment.id 0"},
		"id below 0":            {"issue_comment", edit(`"id":7`, `"id":-7`), "comment.id -7"},
		"id as text":            {"issue_comment", edit(`"id":7`, `"id":"7"`), "no such payload"},
		"huge id":               {"issue_comment", edit(`"id":7`, `"id":9223372036854775808`), "no such payload"},
		"fraction":              {"issue_comment", edit(`"id":7`, `"id":7.5`), "no such payload"},
		"number 0":              {"issue_comment", edit(`"number":1`, `"number":0`), "issue.number 0"},
		"no time":               {"issue_comment", edit("created_at", "else"), "comment.created_at"},
		"broken time":           {"issue_comment", edit("2026-01", "2026-13"), "no such payload"},
		"no comment":            {"issue_comment", edit(`"comment"`, `"else"`), "comment or issue is missing"},
		"no issue":              {"issue_comment", edit(`"issue"`, `"else"`), "comment or issue is missing"},
		"no action":             {"issue_comment", edit("created\"", "\""), "action is missing"},
		"a push as a comment":   {"issue_comment", body("push"), "action is missing"},
		"a comment as a push":   {"push", comment, "ref is no branch"},
		"a repository's action": {"repository", body("push"), "action is missing"},
		"head is no commit":     {"push", body("push", `"after": "`, `"after": "x`), "after is no commit"},
		"before is no commit":   {"push", body("push", `"before": "`, `"before": "HEAD`), "before is no commit"},
		"branch with a newline": {"push", body("push", "refs/heads/main", `refs/heads/ma\nin`), "ref is no branch"},
		"branch is an option":   {"push", body("push", "refs/heads/main", "refs/heads/--force"), "ref is no branch"},
		"branch leads up":       {"push", body("push", "refs/heads/main", "refs/heads/../../x"), "ref is no branch"},
		"branch without a name": {"push", body("push", "refs/heads/main", "refs/heads/"), "ref is no branch"},
		"a pull request's head": {"pull_request", body("pull-request-opened", `"sha": "`, `"sha": "-`), "head.sha is no commit"},
		"without pull request":  {"pull_request", comment, "pull_request is missing"},
		"number of none":        {"pull_request", body("pull-request-opened", `"number": `, `"number": -`), "number -"},
	} {
		d := forged(c.eventType, c.body)
		got, err := receiver(t, gitea.Gitea).Receive(d.Header, []byte(d.Body))
		switch {
		case err == nil || got != (forge.Event{}):
			t.Errorf("%s: taken as %+v", name, got)
		case errors.Is(err, forge.ErrSignature) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\x1b"):
			t.Errorf("%s: error %q, want %q", name, err, c.says)
		}
	}
}

// The headers beside the signature decide what is read, so they are as strict.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	good, _ := recorded(t, "issue-comment")
	for name, values := range map[string][]string{
		"missing": nil, "empty": {""}, "twice": {"push", "push"}, "newline": {"push\nx"}, "long": {strings.Repeat("a", 101)},
		"path": {"../push"}, "space": {"a b"}, "beyond ASCII": {"püsh"},
	} {
		for _, header := range []string{"X-Gitea-Event", "X-Gitea-Delivery"} {
			d := delivery{good.Header.Clone(), good.Body}
			d.Header[header] = values
			got, err := receiver(t, gitea.Gitea).Receive(d.Header, []byte(d.Body))
			if err == nil || errors.Is(err, forge.ErrSignature) || got != (forge.Event{}) || !strings.Contains(err.Error(), header) {
				t.Errorf("%s, %s: %+v, error %v", header, name, got, err)
			}
		}
	}
}

// Odd but possible deliveries, and those the bot has nothing to do with.
func TestOddDeliveries(t *testing.T) {
	t.Parallel()
	const sha = "0123456789012345678901234567890123456789"
	repo := `"repository":{"full_name":"o/n"},"sender":{"login":"@s@forge.example.org"}`
	base := forge.Event{Repo: forge.Name{Owner: "o", Name: "n"}, Sender: "@s@forge.example.org"}
	with := func(change func(*forge.Event)) forge.Event {
		e := base
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		eventType, body string
		want            forge.Event
	}{
		"unknown type":   {"odd_event_7", "no JSON", forge.Event{}},
		"deleted branch": {"push", `{"ref":"refs/heads/b","before":"` + sha + `","after":"` + strings.Repeat("0", 40) + `",` + repo + `}`, base},
		"other ref":      {"push", `{"ref":"refs/notes/b",` + repo + `}`, base},
		"SHA-256": {
			"push", `{"ref":"refs/heads/b","before":"` + strings.Repeat("0", 64) + `","after":"` + strings.Repeat("ab", 32) + `",` + repo + `}`,
			with(func(e *forge.Event) { e.Kind, e.Branch, e.Head = forge.EventPush, "b", strings.Repeat("ab", 32) }),
		},
		"from a fork": {
			"pull_request", `{"action":"opened","number":3,"pull_request":{"head":{"label":"main","sha":"` + sha + `","repo_id":2},"base":{"repo_id":1}},` + repo + `}`,
			with(func(e *forge.Event) { e.Kind, e.Number, e.Head = forge.EventPullRequest, 3, sha }),
		},
		"from a deleted fork": {
			"pull_request", `{"action":"closed","number":3,"pull_request":{"head":{"label":"main","sha":"","repo_id":-1},"base":{"repo_id":1}},` + repo + `}`,
			with(func(e *forge.Event) { e.Kind, e.Number = forge.EventPullRequest, 3 }),
		},
		"renamed": {"repository", `{"action":"renamed",` + repo + `}`, with(func(e *forge.Event) { e.Kind = forge.EventRepository })},
		"comment of the forge itself": {
			"issue_comment", `{"action":"created","is_pull":true,"issue":{"number":4},"comment":{"id":5,"body":"b","html_url":"javascript:alert(1)",` +
				`"user":{"id":-2,"login":"gitea-actions"},"created_at":"2026-01-02T03:04:05+01:00","updated_at":"2026-01-02T03:04:06+01:00"},` + repo + `}`,
			with(func(e *forge.Event) {
				at, _ := http.ParseTime("Fri, 02 Jan 2026 02:04:05 GMT")
				e.Kind, e.Number = forge.EventComment, 4
				e.Comment = forge.Comment{
					ID: 5, Number: 4, OnPull: true, Author: "gitea-actions", Bot: true, Body: "b", Created: at, Updated: at.Add(1e9),
				}
			}),
		},
	} {
		d := forged(c.eventType, c.body)
		got, err := receiver(t, gitea.Gitea).Receive(d.Header, []byte(d.Body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.want.Delivery, c.want.Type = "d-1", c.eventType
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzReceive signs whatever the body is, so that the payload is read.
func FuzzReceive(f *testing.F) {
	for _, name := range recordings(f) {
		d, want := recorded(f, name)
		f.Add(want.Type, []byte(d.Body))
	}
	r := receiver(f, gitea.Gitea)
	f.Fuzz(func(t *testing.T, eventType string, body []byte) {
		d := forged(eventType, string(body))
		e, err := r.Receive(d.Header, body)
		if err != nil {
			if e != (forge.Event{}) || len(err.Error()) > 2000 {
				t.Errorf("%+v beside an error of %d bytes", e, len(err.Error()))
			}
			return
		}
		if e.Type != eventType || e.Delivery == "" {
			t.Errorf("%+v", e)
		}
		if e.Kind == forge.EventIgnored {
			return
		}
		if _, err := forge.ParseName(e.Repo.String()); err != nil || e.Sender == "" || strings.ContainsAny(e.Sender+e.Branch+e.Head, "\n\x00 ") {
			t.Errorf("%+v", e)
		}
		if e.Kind == forge.EventComment && (e.Number <= 0 || e.Comment.ID <= 0 || e.Comment.Number != e.Number || e.Comment.Created.IsZero()) {
			t.Errorf("%+v", e)
		}
		d.Header.Set("X-Gitea-Signature", sign(string(body)+"x"))
		if _, err := r.Receive(d.Header, body); !errors.Is(err, forge.ErrSignature) {
			t.Errorf("a wrong signature: %v", err)
		}
	})
}

// An edit of an issue is told with who did it: boxes are ticked that way.
func TestReceiver_issue(t *testing.T) {
	t.Parallel()
	r := receiver(t, gitea.Gitea)
	const rest = `"repository":{"full_name":"acme/image"},"issue":{"number":4,"user":{"id":7,"login":"odyssey-bot"}}`
	for name, test := range map[string]struct {
		body string
		want forge.Event
	}{
		"edited": {
			`{"action":"edited",` + rest + `,"sender":{"id":3,"login":"ana"}}`,
			forge.Event{Kind: forge.EventIssue, Number: 4, Author: "odyssey-bot", Sender: "ana"},
		},
		"ticked": {
			`{"action":"edited","changes":{"body":{"from":"- [ ] a"}},"repository":{"full_name":"acme/image"},"issue":{"number":4,"body":"- [x] a","user":{"id":7,"login":"odyssey-bot"}},"sender":{"id":3,"login":"ana"}}`,
			forge.Event{Kind: forge.EventIssue, Number: 4, Author: "odyssey-bot", Sender: "ana", Text: "- [x] a", Before: "- [ ] a"},
		},
		"by Gitea itself": {
			`{"action":"closed",` + rest + `,"sender":{"id":-2,"login":"gitea-actions"}}`,
			forge.Event{Kind: forge.EventIssue, Number: 4, Author: "odyssey-bot", Sender: "gitea-actions", Bot: true},
		},
		"labelled": {`{"action":"label_updated",` + rest + `,"sender":{"id":3,"login":"ana"}}`, forge.Event{Sender: "ana"}},
	} {
		d := forged("issues", test.body)
		got, err := r.Receive(d.Header, []byte(d.Body))
		test.want.Delivery, test.want.Type, test.want.Repo = "d-1", "issues", forge.Name{Owner: "acme", Name: "image"}
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, body := range []string{`{` + rest + `,"sender":{"login":"ana"}}`, `{"action":"edited","repository":{"full_name":"acme/image"},"sender":{"login":"ana"}}`} {
		d := forged("issues", body)
		if e, err := r.Receive(d.Header, []byte(d.Body)); err == nil {
			t.Errorf("%s: %+v", body, e)
		}
	}
}
