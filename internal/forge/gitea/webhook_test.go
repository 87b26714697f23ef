package gitea_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/giteatest"
)

// update records the deliveries below testdata/delivery anew, from the real
// Gitea, with the events that they are to be.
var update = flag.Bool("update", false, "record the deliveries below testdata anew")

// hookSecret signs the recorded deliveries.
const hookSecret = "a-secret-for-tests"

// delivery is a request of a webhook as it was received.
type delivery struct {
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// hooked is an account whose repositories' deliveries are received.
type hooked struct {
	human
	owner    giteatest.User
	url      string
	received chan delivery
	seen     []delivery
	taken    []int // of those seen
}

// newHooked makes the account, a webhook for all its events, and a repository
// that the bot may write to.
func newHooked(t *testing.T) *hooked {
	t.Helper()
	w := newWorld(t)
	h := &hooked{received: make(chan delivery, 1000)}
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.received <- delivery{r.Header.Clone(), string(body)}
	}))
	t.Cleanup(listener.Close)
	var err error
	if h.owner, err = w.srv.NewUser(t.Context(), fmt.Sprintf("hooked-%d", w.repos.Add(1))); err != nil {
		t.Fatal(err)
	}
	w.owner = h.owner
	h.url = listener.URL
	if _, err := w.srv.AddWebhook(t.Context(), h.owner, "/user", h.url, hookSecret,
		"create", "delete", "fork", "push", "issues", "issue_comment", "pull_request", "pull_request_comment",
		"pull_request_sync", "pull_request_review", "repository", "release"); err != nil {
		t.Fatal(err)
	}
	h.human = human{w, w.repo(t, giteatest.RepoOptions{})}
	return h
}

// await returns the delivery of a type whose body has all words and that was
// not returned before.
func (h *hooked) await(t *testing.T, eventType string, words ...string) delivery {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for next := 0; ; {
		for ; next < len(h.seen); next++ {
			d := h.seen[next]
			fits := d.Header.Get("X-Gitea-Event-Type") == eventType && !slices.Contains(h.taken, next)
			for _, word := range words {
				fits = fits && strings.Contains(d.Body, word)
			}
			if fits {
				h.taken = append(h.taken, next)
				return d
			}
		}
		select {
		case d := <-h.received:
			h.seen = append(h.seen, d)
		case <-timeout:
			t.Fatalf("no delivery %s with %q came, but %d others", eventType, words, len(h.seen))
		}
	}
}

// action is what a payload says was done.
func action(name string) string { return fmt.Sprintf(`"action": %q`, name) }

// take receives a delivery and compares it with the event that it is to be.
func (h *hooked) take(t *testing.T, name string, d delivery, want forge.Event) forge.Event {
	t.Helper()
	got, err := receiver(t, gitea.Gitea).Receive(d.Header, []byte(d.Body))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return got
	}
	want.Type = d.Header.Get("X-Gitea-Event")
	want.Delivery = d.Header.Get("X-Gitea-Delivery")
	if want.Kind != forge.EventIgnored {
		want.Repo, want.Sender = h.name, h.owner.Login
		want.Comment.Author, want.Comment.URL = got.Comment.Author, got.Comment.URL
	} else {
		want.Repo, want.Sender = got.Repo, got.Sender
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(forge.Comment{}, "Created", "Updated")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if *update {
		record(t, name, d, got)
	}
	return got
}

func record(t *testing.T, name string, d delivery, e forge.Event) {
	t.Helper()
	for suffix, value := range map[string]any{".json": d, ".want.json": e} {
		text, err := json.MarshalIndent(value, "", "\t")
		if err == nil {
			err = os.WriteFile(filepath.Join("testdata", "delivery", name+suffix), append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func receiver(t testing.TB, flavour gitea.Flavour) *gitea.Receiver {
	t.Helper()
	r, err := gitea.NewReceiver(flavour, secret.New(hookSecret))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What a real Gitea delivers is verified and understood.
func TestDeliveriesOfGitea(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.founding(t)
	h.pushing(t)
	number, head := h.proposing(t)
	h.talking(t, number, head)
}

func (h *hooked) founding(t *testing.T) {
	t.Helper()
	h.take(t, "repository-created", h.await(t, "repository", action("created"), h.name.String()), forge.Event{Kind: forge.EventRepository})
	gone := h.repo(t, giteatest.RepoOptions{})
	h.as(t, h.owner, http.MethodDelete, gone, "", nil, nil)
	h.take(t, "repository-deleted", h.await(t, "repository", action("deleted"), gone.String()), forge.Event{})
}

func (h *hooked) pushing(t *testing.T) {
	t.Helper()
	push := func(branch string) string {
		return h.Push(t, forgetest.Commit{Branch: branch, Message: "m", Files: map[string]forgetest.File{branch: {Content: "c"}}})[0]
	}
	head := push("main")
	h.take(t, "push", h.await(t, "push", `"ref": "refs/heads/main"`, head),
		forge.Event{Kind: forge.EventPush, Branch: "main", Head: head})
	head = push("topic/ünï")
	h.take(t, "push-new-branch", h.await(t, "push", `topic/ünï`, head),
		forge.Event{Kind: forge.EventPush, Branch: "topic/ünï", Head: head})
	h.take(t, "create-branch", h.await(t, "create", `topic/ünï`), forge.Event{})
	h.api(t, http.MethodPost, "/tags", map[string]any{"tag_name": "v1", "target": "main"}, nil)
	h.take(t, "push-tag", h.await(t, "push", `"ref": "refs/tags/v1"`), forge.Event{})
	h.DeleteBranch(t, "topic/ünï")
	h.take(t, "delete-branch", h.await(t, "delete", `topic/ünï`), forge.Event{})
}

// proposing opens a pull request and returns its number and head.
func (h *hooked) proposing(t *testing.T) (number int64, head string) {
	t.Helper()
	push := func() string {
		return h.Push(t, forgetest.Commit{
			Branch: "odyssey/x", Message: "m", Files: map[string]forgetest.File{"x": {Content: time.Now().String()}},
		})[0]
	}
	head = push()
	var pr struct{ Number int64 }
	h.api(t, http.MethodPost, "/pulls", map[string]any{"head": "odyssey/x", "base": "main", "title": "T"}, &pr)
	want := forge.Event{Kind: forge.EventPullRequest, Number: pr.Number, Head: head, Branch: "odyssey/x"}
	h.take(t, "pull-request-opened", h.await(t, "pull_request", action("opened")), want)
	head = push()
	want.Head = head
	h.take(t, "pull-request-synchronized", h.await(t, "pull_request_sync", action("synchronized"), head), want)
	h.api(t, http.MethodPost, fmt.Sprintf("/pulls/%d/reviews", pr.Number), map[string]any{"event": "COMMENT", "body": "/refresh"}, nil)
	h.take(t, "pull-request-review", h.await(t, "pull_request_review_comment"), forge.Event{})
	return pr.Number, head
}

func (h *hooked) talking(t *testing.T, pull int64, head string) {
	t.Helper()
	issue := h.OpenIssue(t, "Talk", "x")
	h.take(t, "issue-opened", h.await(t, "issues", action("opened")), forge.Event{})
	on := map[string]struct {
		number int64
		pull   bool
		head   string
		event  string
	}{
		"issue":        {issue, false, "", "issue_comment"},
		"pull-request": {pull, true, head, "pull_request_comment"},
	}
	for name, at := range on {
		body := "/refresh ./odoo\r\n<!-- ünï " + name + " -->"
		id := h.Comment(t, at.number, body)
		of := fmt.Sprintf(`"id": %d,`, id)
		got := h.take(t, name+"-comment", h.await(t, at.event, action("created"), of), forge.Event{
			Kind: forge.EventComment, Number: at.number, Head: at.head,
			Comment: forge.Comment{ID: id, Number: at.number, OnPull: at.pull, Body: body},
		})
		var asked struct {
			Created time.Time `json:"created_at"`
			URL     string    `json:"html_url"`
		}
		h.api(t, http.MethodGet, fmt.Sprintf("/issues/comments/%d", id), nil, &asked)
		if got.Comment.Author != h.owner.Login || got.Comment.URL != asked.URL || !got.Comment.Created.Equal(asked.Created) || got.Comment.Edited() {
			t.Errorf("comment %+v, want %+v by %s", got.Comment, asked, h.owner.Login)
		}
		h.EditComment(t, id, "/refresh all")
		h.take(t, name+"-comment-edited", h.await(t, at.event, action("edited"), of), forge.Event{})
		h.DeleteComment(t, id)
		h.take(t, name+"-comment-deleted", h.await(t, at.event, action("deleted"), of), forge.Event{})
	}
	h.testing(t)
}

// testing presses the button "test delivery" of a repository's webhook.
func (h *hooked) testing(t *testing.T) {
	t.Helper()
	id, err := h.srv.AddWebhook(t.Context(), h.owner, "/repos/"+h.name.String(), h.url, hookSecret, "push")
	if err != nil {
		t.Fatal(err)
	}
	h.api(t, http.MethodPost, fmt.Sprintf("/hooks/%d/tests", id), nil, nil)
	d := h.await(t, "push", `"total_commits": 1`, h.name.String())
	for !strings.Contains(d.Body, fmt.Sprintf(`"before": %q`, after(t, d))) {
		d = h.await(t, "push", `"total_commits": 1`, h.name.String())
	}
	h.take(t, "push-test", d, forge.Event{Kind: forge.EventPing})
}

func after(t *testing.T, d delivery) string {
	t.Helper()
	var p struct{ After string }
	if err := json.Unmarshal([]byte(d.Body), &p); err != nil {
		t.Fatal(err)
	}
	return p.After
}
