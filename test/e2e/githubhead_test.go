package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/test/githubtest"
)

// second lets the second pass in which something happened: GitHub's times are
// whole ones.
func second() { time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1010 * time.Millisecond))) }

// pushes commits to a branch as the owner.
func (h *hub) pushes(branch, text string) (head string) {
	h.t.Helper()
	return h.human.Push(h.t, forgetest.Commit{Branch: branch, Message: text, Files: map[string]forgetest.File{"feature.py": {Content: text + "\n"}}})[0]
}

// proposes opens a pull request as the owner.
func (h *hub) proposes(branch string) (number int64) {
	h.t.Helper()
	h.pushes(branch, "one")
	pr, err := h.owner.CreatePullRequest(h.t.Context(), h.repo(), forge.NewPullRequest{Head: branch, Base: "main", Title: "Mine"})
	must(h.t, err)
	second()
	return pr.Number
}

// says waits until the bot's newest reply has a text in it.
func (h *hub) says(number int64, want string) {
	h.t.Helper()
	h.eventually(func() string {
		all := h.replies(number)
		if len(all) == 0 || !strings.Contains(all[len(all)-1], want) {
			return fmt.Sprintf("the bot says %q, want %q", all, want)
		}
		return ""
	})
}

const (
	headMoved  = "somebody has pushed to this pull request since you wrote this"
	headUntold = "the forge does not tell me what this pull request was when you wrote this"
)

// S4: GitHub does not say at which head a comment was written. A push after it
// voids it, on a person's pull request, and on one from a fork, as on the bot's.
func TestFault_S4_GitHubHeadMoved(t *testing.T) {
	h := newHub(t)
	h.grow("[FIX] stock: one")
	h.run("./odoo opened")
	own, theirs, fork := h.one(), h.proposes("feature"), h.human.ForkPullRequest(t, "outside")
	second()
	comments := map[int64]int64{}
	for number, command := range map[int64]string{own.Number: "/rebase", theirs: "/refresh ./odoo", fork: "/refresh ./odoo"} {
		comments[number] = h.human.Comment(t, number, command)
	}
	second()
	mine := h.pushes(own.Head, "two")
	h.pushes("feature", "two")
	stranger := forge.Name{Owner: h.human.Stranger(), Name: h.image.Name}
	h.As(h.human.Stranger(), stranger).Push(t, forgetest.Commit{Branch: "outside", Message: "two", Files: map[string]forgetest.File{"outside": {Content: "2"}}})
	h.push("Meanwhile", map[string]string{"README.md": "1\n"})
	newer := h.grow("[FIX] stock: two")
	h.serve()
	for number, comment := range comments {
		h.ends(comment, forge.Confused)
		h.says(number, headMoved)
	}
	if got := h.head(own.Head); got != mine {
		t.Errorf("the branch is at %s, want the human's %s", got, mine)
	}
	// Who has looked at what is there now is obeyed.
	h.human.DeleteBranch(t, own.Head)
	second()
	h.ends(h.human.Comment(t, theirs, "/refresh ./odoo"), forge.Done)
	if pr := h.of("odyssey/merge/odoo"); !strings.Contains(h.locked(pr.Head), newer) {
		t.Errorf("%+v", pr)
	}
	second()
	h.ends(h.human.Comment(t, fork, "/refresh ./odoo"), forge.Done)
}

// of returns the open pull request from a branch.
func (h *hub) of(branch string) forge.PullRequest {
	h.t.Helper()
	for _, pr := range h.open() {
		if pr.Head == branch && !pr.FromFork {
			return pr
		}
	}
	h.t.Fatalf("no pull request is open from %s", branch)
	return forge.PullRequest{}
}

// S4: where GitHub tells nothing of the branch, as an Enterprise Server that is
// too old, the bot says what it sees, and obeys who says it again.
func TestFault_S4_GitHubHeadUntold(t *testing.T) {
	h := newHub(t)
	h.Intercept(func(r *http.Request) *githubtest.Answer {
		if strings.HasSuffix(r.URL.Path, "/activity") {
			return &githubtest.Answer{Status: http.StatusNotFound, Body: `{"message":"Not Found"}`}
		}
		return nil
	})
	h.settled(h.serve(), "merges")
	number := h.proposes("feature")
	h.grow("[FIX] stock: one")
	h.ends(h.human.Comment(t, number, "/refresh ./odoo"), forge.Confused)
	h.says(number, headUntold)
	h.says(number, h.head("feature"))
	if open := h.open(); len(open) != 1 {
		t.Errorf("open are %+v", open)
	}
	second()
	h.pushes("feature", "two")
	second()
	h.ends(h.human.Comment(t, number, "/refresh ./odoo"), forge.Confused)
	h.says(number, h.head("feature"))
	second()
	h.ends(h.human.Comment(t, number, "/refresh ./odoo"), forge.Done)
	h.of("odyssey/merge/odoo")
}
