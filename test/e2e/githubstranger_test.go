package e2e

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

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
