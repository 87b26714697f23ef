package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// passes reports a status on a commit of the derived-image repository.
func (s *stage) passes(commit, state string) {
	s.t.Helper()
	s.api(http.MethodPost, "/statuses/"+commit, map[string]string{"context": "build", "state": state}, nil)
}

func (s *stage) isMerged(number int64) bool {
	s.t.Helper()
	var pr world.PullRequest
	s.api(http.MethodGet, fmt.Sprintf("/pulls/%d", number), nil, &pr)
	return pr.Merged
}

// The forge merges what has passed what the default branch requires, and the bot
// nothing.
func TestAutomerge(t *testing.T) {
	s := newStage(t)
	s.commit("Automerge", map[string]string{".odyssey.yaml": "merges:\n  automerge: true\n"})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	if done := s.wantRun("./odoo opened"); !strings.Contains(done[0].Reason, "no automerge: nothing is required to pass before a merge into main") {
		t.Errorf("nothing is required: %+v", done)
	}
	pr := s.one()
	golden(t, "testdata/automerge-off.md", anonymous(s, pr.Body))
	s.api(http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_push": true, "enable_status_check": true, "status_check_contexts": []string{"build"}}, nil)
	s.wantRun("./odoo unchanged")
	pr = s.one()
	golden(t, "testdata/automerge.md", anonymous(s, pr.Body))
	s.passes(pr.Head.SHA, "failure")
	s.proxy.Forget()
	s.wantRun("./odoo unchanged")
	if writes := s.writes(); len(writes) > 0 {
		t.Errorf("a run with nothing new writes: %v", writes)
	}
	if s.isMerged(pr.Number) {
		t.Fatal("it is merged although its check failed")
	}
	s.passes(pr.Head.SHA, "success")
	s.eventually(func() string {
		if !s.isMerged(pr.Number) {
			return "it is not merged although its check passed"
		}
		return ""
	})
	for _, call := range s.proxy.Calls() {
		if call.Method == http.MethodPost && strings.HasSuffix(call.Path, "/merge") {
			t.Errorf("the bot merges: %+v", call)
		}
	}
	s.wantRun("idle")
}

// Whoever pushes to the branch, or says /hold, takes it back, and a check that
// passes afterwards merges nothing.
func TestAutomerge_takenBack(t *testing.T) {
	s := newStage(t)
	s.commit("Automerge", map[string]string{".odyssey.yaml": "merges:\n  automerge: true\n  schedule: never\n"})
	s.api(http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_push": true, "enable_status_check": true, "status_check_contexts": []string{"build"}}, nil)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	s.serve(world.ServeOptions{})
	s.eventually(func() string {
		armed := 0
		for _, pr := range s.pullRequests("open") {
			if strings.Contains(pr.Body, "**Automerge:**") {
				armed++
			}
		}
		if armed < 2 {
			return fmt.Sprintf("%d pull requests are to be merged by the forge", armed)
		}
		return ""
	})
	at := s.shown("- [ ] <!-- odyssey do: /hold ./odoo -->")
	s.api(http.MethodPatch, fmt.Sprintf("/issues/%d", at.Number), map[string]string{"body": refresh.Tick(at.Body, "/hold ./odoo")}, nil)
	const web = "odyssey/merge/oca+server-tools"
	_, err := s.Server.Push(t.Context(), s.Owner, s.Image, giteatest.Commit{Branch: web, Message: "By hand", Files: map[string]giteatest.File{"README.md": {Content: "mine\n"}}})
	must(t, err)
	s.eventually(func() string {
		for _, pr := range s.pullRequests("open") {
			if want := map[string]string{"odyssey/merge/odoo": "`./odoo` is held", web: "somebody pushed to its branch"}[pr.Head.Ref]; !strings.Contains(pr.Body, "**No automerge:** "+want) {
				return pr.Body
			}
		}
		return ""
	})
	for _, head := range s.branches() {
		s.passes(head, "success")
	}
	time.Sleep(2 * time.Second)
	for _, pr := range s.pullRequests("all") {
		if pr.Merged {
			t.Errorf("%s is merged", pr.Head.Ref)
		}
	}
}
