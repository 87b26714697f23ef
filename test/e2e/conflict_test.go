package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// at is a commit in a command.
var at = regexp.MustCompile(`--at [0-9a-f]{7}`)

// pushUpstream puts a commit on a branch of the upstream odoo.
func (s *stage) pushUpstream(commit giteatest.Commit, files map[string]string) string {
	s.t.Helper()
	commit.Author, commit.Files = "Ana Prat <ana@example.org>", map[string]giteatest.File{}
	for path, content := range files {
		commit.Files[path] = giteatest.File{Content: content}
	}
	ids, err := s.Server.Push(s.t.Context(), s.Upstream, s.Upstream.Login+"/odoo", commit)
	must(s.t, err)
	return ids[0]
}

// A command for a commit that does not apply is refused with what conflicts and how
// to see it, and pushes nothing; one for a commit that is not on its ref is done,
// with a warning, and never merged by the forge.
func TestCommandToCommit(t *testing.T) {
	s := newStage(t)
	s.commit("Nothing of itself", map[string]string{".odyssey.yaml": "merges:\n  schedule: never\n  automerge: true\n"})
	const model = "sale/models/order.py"
	s.pushUpstream(giteatest.Commit{Branch: hotfix, Message: "[ADD] sale: orders of ours"}, map[string]string{"sale/__manifest__.py": "{'name': 'Sale', 'version': '17.0.1.0.0'}\n", model: "ours = 1\n"})
	s.wantRun("./odoo opened")
	s.merge(s.one().Number)
	good := s.pushUpstream(giteatest.Commit{Branch: "17.0", Message: "[IMP] base: good"}, map[string]string{"log": "1\n"})
	aside := s.pushUpstream(giteatest.Commit{Branch: "18.0-mig", Message: "[MIG] base: aside"}, map[string]string{"aside": "1\n"})
	bad := s.pushUpstream(giteatest.Commit{Branch: "17.0", Message: "[IMP] sale: theirs"}, map[string]string{model: "theirs = 2\n"})
	s.serve(world.ServeOptions{})
	k := s.talk()
	s.eventually(func() string { // what the start of the server causes
		if len(s.pullRequests("open")) != 1 {
			return "nothing is proposed"
		}
		return ""
	})
	s.closePullRequest(s.one().Number)
	before := s.branches()
	k.ends(k.say(s.Owner, "/refresh ./odoo --to "+bad), "confused")
	replies := k.replies()
	reply, _, _ := strings.Cut(replies[len(replies)-1].Body, "\n<!-- odyssey reply=")
	golden(t, "testdata/command-conflict.md", anonymous(s, reply))
	if open := s.pullRequests("open"); len(open) > 0 || !maps.Equal(before, s.branches()) {
		t.Errorf("open: %+v; branches %v, before %v", open, s.branches(), before)
	}
	k.ends(k.say(s.Owner, "/refresh ./odoo --to "+strings.Repeat("1", 40)), "confused")
	k.ends(k.say(s.Owner, "/refresh ./odoo --to "+good), "rocket")
	if lock := s.file("odyssey/merge/odoo", "repos.lock.yaml"); !strings.Contains(lock, "odoo "+good) {
		t.Errorf("proposed:\n%s", lock)
	}
	k.ends(k.say(s.Owner, "/refresh ./odoo --to "+aside), "rocket")
	body := s.one().Body
	if !strings.Contains(body, "is not part of odoo 17.0**") || !strings.Contains(body, "**No automerge:** ") || !strings.Contains(body, "a commit is not part of its ref") {
		t.Errorf("text:\n%s", body)
	}
}

// Where the newest commits do not merge, those are proposed that do, and people
// are told what conflicts.
func TestConflict(t *testing.T) {
	s := newStage(t)
	const model = "sale/models/order.py"
	s.pushUpstream(giteatest.Commit{Branch: hotfix, Message: "[ADD] sale: orders of ours"}, map[string]string{"sale/__manifest__.py": "{'name': 'Sale', 'version': '17.0.1.0.0'}\n", model: "ours = 1\n"})
	s.wantRun("./odoo opened")
	pr := s.one()
	if !strings.Contains(pr.Body, "**Applies cleanly** on top of the other merges (tree `") || !strings.Contains(s.diff(pr.Number), "\n+  # tree: ") {
		t.Errorf("text:\n%s\ndiff:\n%s", pr.Body, s.diff(pr.Number))
	}
	s.merge(pr.Number)
	s.wantRun("idle")

	var ids []string
	for i := range 5 {
		files := map[string]string{"log": fmt.Sprintln(i)}
		if i == 2 {
			files[model] = "theirs = 2\n"
		}
		ids = append(ids, s.pushUpstream(giteatest.Commit{Branch: "17.0", Message: fmt.Sprintf("[IMP] base: number %d", i)}, files))
	}
	s.wantRun("./odoo opened")
	pr = s.one()
	golden(t, "testdata/conflict.md", pr.Title+"\n\n"+at.ReplaceAllString(anonymous(s, pr.Body), "--at SHORT"))
	if lock := s.file(pr.Head.Ref, "repos.lock.yaml"); !strings.Contains(lock, "odoo "+ids[1]) || strings.Contains(lock, ids[4]) {
		t.Errorf("proposed:\n%s", lock)
	}
	s.wantRun("./odoo unchanged")
	s.closePullRequest(pr.Number)
	if outcomes := s.wantRun("./odoo held"); !strings.Contains(outcomes[0].Reason, "closed before") {
		t.Errorf("after it was closed: %+v", outcomes)
	}

	// Newer commits that do not apply either are no reason to propose it again.
	s.pushUpstream(giteatest.Commit{Branch: "17.0", Message: "[IMP] base: one more"}, map[string]string{"log": "more\n"})
	if outcomes := s.wantRun("./odoo held"); !strings.Contains(outcomes[0].Reason, "closed before") {
		t.Errorf("with newer commits: %+v", outcomes)
	}
	s.api(http.MethodPatch, fmt.Sprintf("/pulls/%d", pr.Number), map[string]string{"state": "open"}, nil)
	s.wantRun("./odoo updated")
	s.merge(pr.Number)
	outcomes := s.wantRun("./odoo held")
	if !strings.Contains(outcomes[0].Reason, "conflict in "+model) {
		t.Errorf("with nothing left that applies: %+v", outcomes)
	}

	// The fork gives way, and everything moves.
	s.pushUpstream(giteatest.Commit{Branch: hotfix, Message: "[IMP] sale: as upstream has it"}, map[string]string{model: "theirs = 2\n"})
	s.wantRun("./odoo opened")
	if pr := s.one(); !strings.Contains(pr.Body, "**Applies cleanly**") {
		t.Errorf("text:\n%s", pr.Body)
	}
}
