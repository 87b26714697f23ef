package githubtest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/test/githubtest"
)

// blamed is a test that the fake blames.
type blamed struct {
	testing.TB

	mu    sync.Mutex
	texts []string
}

func (b *blamed) Errorf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.texts = append(b.texts, fmt.Sprintf(format, args...))
}

// took returns what the test was blamed for since the last call.
func (b *blamed) took() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.texts, "\n")
	b.texts = nil
	return text
}

var image = forge.Name{Owner: "owner", Name: "image"}

func ask(ctx context.Context, t *testing.T, s *githubtest.Server, token, method, path, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	_ = json.Unmarshal(text, &got)
	return resp.StatusCode, got
}

// What GitHub's description does not allow fails the test that asked for it.
func TestRequestsAreHeldToTheDescription(t *testing.T) {
	t.Parallel()
	b := &blamed{TB: t}
	s := githubtest.New(b, githubtest.Options{})
	token := s.AddUser("owner")
	s.AddRepo(image)
	for what, c := range map[string]struct{ method, path, body, want string }{
		"unknown path":      {"GET", "/repos/owner/image/pullz", "", "no matching operation"},
		"unknown method":    {"PUT", "/repos/owner/image/pulls", "{}", "method not allowed"},
		"unknown parameter": {"GET", "/repos/owner/image/pulls?stat=open", "", `no parameter "stat"`},
		"wrong parameter":   {"GET", "/repos/owner/image/pulls?state=opened", "", `parameter "state"`},
		"missing field":     {"POST", "/repos/owner/image/pulls", `{"title": "t", "head": "h"}`, `property "base" is missing`},
		"wrong type":        {"POST", "/repos/owner/image/pulls", `{"title": "t", "head": "h", "base": 1}`, "/base"},
		"unknown field":     {"POST", "/repos/owner/image/pulls", `{"title": "t", "head": "h", "base": "main", "labels": []}`, `no field "labels"`},
		"no JSON":           {"POST", "/repos/owner/image/pulls", `{`, "body"},
		"GraphQL field":     {"POST", "/graphql", `{"query": "mutation { updateRef(input: {refId: \"a\"}) { x } }"}`, "GraphQL"},
		"GraphQL variable": {
			"POST", "/graphql",
			`{"query": "mutation($i: UpdateRefsInput!) { updateRefs(input: $i) { clientMutationId } }", "variables": {"i": {"repositoryId": "R", "refUpdates": [{"ref": "x"}]}}}`,
			"GraphQL",
		},
	} {
		status, _ := ask(t.Context(), t, s, token, c.method, c.path, c.body)
		if blame := b.took(); status != http.StatusInternalServerError || !strings.Contains(blame, c.want) {
			t.Errorf("%s: status %d, blamed for %q, want %q", what, status, blame, c.want)
		}
	}
	if status, got := ask(t.Context(), t, s, token, "GET", "/repos/owner/image/pulls/1", ""); status != http.StatusNotFound || got["message"] != "Not Found" {
		t.Errorf("a request that is refused: %d %v", status, got)
	}
	if blame := b.took(); blame != "" {
		t.Errorf("blamed for a request as it should be: %s", blame)
	}
}

func TestCallersMayWhatTheyWereGiven(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, githubtest.Options{})
	s.AddRepo(image)
	stranger := s.AddUser("stranger")
	const comment = `{"body": "x"}`
	number := s.As("owner", image).OpenIssue(t, "I", "")
	path := fmt.Sprintf("/repos/owner/image/issues/%d/comments", number)
	for what, c := range map[string]struct {
		token, method, path, body string
		want                      int
	}{
		"nobody":            {"", "GET", "/repos/owner/image", "", http.StatusUnauthorized},
		"wrong token":       {"x", "GET", "/repos/owner/image", "", http.StatusUnauthorized},
		"no App":            {"a.b.c", "GET", "/app", "", http.StatusNotFound},
		"public repository": {stranger, "GET", "/repos/owner/image", "", http.StatusOK},
		"comment":           {stranger, "POST", path, comment, http.StatusCreated},
		"no commits":        {stranger, "POST", "/repos/owner/image/git/blobs", `{"content": "x"}`, http.StatusNotFound},
		"no check runs":     {stranger, "POST", "/repos/owner/image/check-runs", `{"name": "n", "head_sha": "0"}`, http.StatusForbidden},
		"no App's question": {stranger, "GET", "/app", "", http.StatusUnauthorized},
	} {
		if status, got := ask(t.Context(), t, s, c.token, c.method, c.path, c.body); status != c.want {
			t.Errorf("%s: status %d, want %d: %v", what, status, c.want, got)
		}
	}
}

// heard is a delivery that arrived.
type heard struct{ event, action string }

// Webhooks are sent, signed, and as GitHub describes them; what was not taken
// can be asked for again.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, githubtest.Options{})
	s.AddRepo(image)
	app := s.AddApp("odyssey", nil)
	app.Install("owner", image)
	const secret = "s3cret"
	var mu sync.Mutex
	var got []heard
	status := http.StatusInternalServerError
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		var payload struct{ Action string }
		if err := json.Unmarshal(body, &payload); err != nil || r.Header.Get("X-Hub-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s is not signed", body)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, heard{r.Header.Get("X-Github-Event"), payload.Action})
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	app.SetHook(receiver.URL, secret)
	arrived := func(want ...heard) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			missing := slices.ContainsFunc(want, func(h heard) bool { return !slices.Contains(got, h) })
			so := slices.Clone(got)
			mu.Unlock()
			if !missing {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("there arrived %v, want %v", so, want)
			}
		}
	}
	h := s.As("owner", image)
	h.Push(t, forgetest.Commit{Branch: "topic", Message: "m", Files: map[string]forgetest.File{"f": {Content: "c"}}})
	arrived(heard{"push", ""})
	number := h.OpenIssue(t, "I", "")
	id := h.Comment(t, number, "/refresh")
	h.EditComment(t, id, "x")
	h.DeleteComment(t, id)
	h.EditIssue(t, number, forge.Edit{State: forge.Closed})
	h.EditIssue(t, number, forge.Edit{State: forge.Open})
	fork := h.ForkPullRequest(t, "fork")
	h.Merge(t, fork)
	owner := s.AddUser("owner")
	ask(t.Context(), t, s, owner, "POST", "/repos/owner/image/pulls", `{"title": "t", "head": "topic", "base": "main"}`)
	h.Push(t, forgetest.Commit{Branch: "topic", Message: "m", Files: map[string]forgetest.File{"f": {Content: "d"}}})
	ask(t.Context(), t, s, owner, "PATCH", "/repos/owner/image/pulls/3", `{"state": "closed"}`)
	ask(t.Context(), t, s, owner, "PATCH", "/repos/owner/image/pulls/3", `{"state": "open"}`)
	arrived(
		heard{"issues", "opened"}, heard{"issues", "closed"}, heard{"issues", "reopened"},
		heard{"issue_comment", "created"}, heard{"issue_comment", "edited"}, heard{"issue_comment", "deleted"},
		heard{"pull_request", "opened"}, heard{"pull_request", "closed"}, heard{"pull_request", "synchronize"}, heard{"pull_request", "reopened"},
	)
}

// A request whose answer the asker has already is answered without a body.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, githubtest.Options{})
	token := s.AddUser("owner")
	s.AddRepo(image)
	get := func(tag string) (status int, newTag string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v3/repos/owner/image", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("If-None-Match", tag)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Etag")
	}
	_, tag := get("")
	if status, _ := get(tag); tag == "" || status != http.StatusNotModified {
		t.Errorf("status %d with the tag %q", status, tag)
	}
	s.As("owner", image).SetTopics(t, "odoo")
	if status, _ := get(tag); status != http.StatusOK {
		t.Errorf("status %d after a change", status)
	}
	var seen []int
	for _, r := range s.Requests() {
		seen = append(seen, r.Status)
	}
	if diff := cmp.Diff([]int{200, 304, 200}, seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
