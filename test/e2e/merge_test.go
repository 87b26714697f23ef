package e2e

import (
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

const hotfix = "17.0-hotfix-stock"

// The main job: an upstream branch moved, and one pull request moves exactly
// that commit. Its text is a reviewed golden file.
func TestMainJob(t *testing.T) {
	s := newStage(t)
	old := head(t, s, "odoo", hotfix)
	moved, err := s.Grow(t.Context(), "odoo", hotfix, world.Hotfix()...)
	must(t, err)
	s.wantRun("./odoo opened")
	pr := s.one()
	if pr.Title != "Refresh `./odoo`: acme 17.0-hotfix-stock +3 commits" {
		t.Errorf("title: %s", pr.Title)
	}
	want := []string{"+  # merge-base: ID", "-  - acme " + old, "+  - acme " + moved, "+  # tree: ID"}
	recorded := regexp.MustCompile(`^(.  # (?:merge-base|tree): )[0-9a-f]{40}$`)
	lines := changed(s.diff(pr.Number))
	for i := range lines {
		lines[i] = recorded.ReplaceAllString(lines[i], "${1}ID")
	}
	slices.Sort(lines)
	slices.Sort(want)
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("changed lines (-want +got):\n%s", d)
	}
	if pr.Head.Ref != "odyssey/merge/odoo" {
		t.Errorf("branch: %s", pr.Head.Ref)
	}
	golden(t, "testdata/main-job.md", anonymous(s, pr.Body))
}

// anonymous takes what differs from run to run out of a text.
func anonymous(s *stage, text string) string {
	_, host, _ := strings.Cut(s.Server.URL, "://")
	text = strings.NewReplacer(s.Server.URL, "https://git.example.org", host, "git.example.org", s.Upstream.Login, "oca").Replace(text)
	text = regexp.MustCompile(`[0-9a-f]{40,64}`).ReplaceAllString(text, "ID")
	text = regexp.MustCompile("`[0-9a-f]{7}`").ReplaceAllString(text, "`SHORT`")
	return regexp.MustCompile(`newest of \d{4}-\d\d-\d\d`).ReplaceAllString(text, "newest of DATE")
}

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, d)
	}
}

func head(t *testing.T, s *stage, name, branch string) string {
	t.Helper()
	var b struct{ Commit struct{ ID string } }
	must(t, s.Server.API(t.Context(), s.Upstream, http.MethodGet, "/repos/"+s.Upstream.Login+"/"+name+"/branches/"+branch, nil, &b))
	return b.Commit.ID
}

// A second run writes nothing, and costs at most 5 API calls and one listing
// of refs per upstream URL.
func TestSecondRunWritesNothing(t *testing.T) {
	s := newStage(t)
	upstream, err := world.NewProxy(s.Server.URL)
	must(t, err)
	t.Cleanup(upstream.Close)
	s.repos = strings.ReplaceAll(s.repos, s.Server.URL, upstream.URL)
	s.AllowURL = upstream.URL
	locked, err := s.Lock(t.Context(), s.repos, "")
	must(t, err)
	s.commit("Ask upstreams by another name", map[string]string{"repos.yaml": s.repos, "repos.lock.yaml": locked})
	s.wantRun("idle") // whether merges have landed is found out once, and remembered
	for _, open := range []bool{false, true} {
		if open {
			s.grow("odoo", hotfix, "[FIX] stock: one")
			s.wantRun("./odoo opened")
		}
		before := s.branches()
		s.proxy.Forget()
		upstream.Forget()
		want := "idle"
		if open {
			want = "./odoo unchanged"
		}
		s.wantRun(want)
		if writes := s.writes(); len(writes) > 0 {
			t.Errorf("open=%v: writes: %v", open, writes)
		}
		if d := cmp.Diff(before, s.branches()); d != "" {
			t.Errorf("open=%v: branches changed:\n%s", open, d)
		}
		if n := apiCalls(s.proxy.Calls()); n > 5 {
			t.Errorf("open=%v: %d API calls, want at most 5: %v", open, n, s.proxy.Calls())
		}
		// Listing refs is one POST; ./odoo merges twice from one URL.
		if n := len(upstream.Calls()); n != 2 {
			t.Errorf("open=%v: %d requests to 2 upstreams, want 2: %v", open, n, upstream.Calls())
		}
	}
}

func apiCalls(calls []world.Call) int {
	n := 0
	for _, c := range calls {
		if c.API() {
			n++
		}
	}
	return n
}

func TestNewerCommitUpdatesInPlace(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	first := s.one()
	newest := s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo updated")
	second := s.one()
	if second.Number != first.Number || second.Head.SHA == first.Head.SHA {
		t.Errorf("#%d at %s became #%d at %s", first.Number, first.Head.SHA, second.Number, second.Head.SHA)
	}
	if !strings.Contains(second.Title, "+2 commits") || !strings.Contains(second.Body, "two") {
		t.Errorf("the text was not updated: %s\n%s", second.Title, second.Body)
	}
	if lines := moves(changed(s.diff(second.Number))); len(lines) != 2 || lines[1] != "+  - acme "+newest {
		t.Errorf("changed lines: %q", lines)
	}
}

// moves leaves out of changed lines what the lock records beside its commits.
func moves(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "+  # tree: ") || strings.HasPrefix(line, "+  # merge-base: ")
	})
}

// A closed pull request says no to its target, not to newer ones.
func TestClosedStaysClosedForItsTarget(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	first := s.one()
	s.closePullRequest(first.Number)
	s.proxy.Forget()
	s.wantRun("./odoo held")
	if writes := s.writes(); len(writes) > 0 || len(s.pullRequests("open")) > 0 {
		t.Fatalf("a closed pull request came back: %v", writes)
	}
	newest := s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo reopened")
	again := s.one()
	if again.Number != first.Number {
		t.Errorf("#%d was opened instead of #%d reopened", again.Number, first.Number)
	}
	if !strings.Contains(s.diff(again.Number), newest) {
		t.Errorf("#%d does not lead to %s", again.Number, newest)
	}
	s.wantRun("./odoo unchanged")
}

// The same when its branch is gone: then a new one is opened.
func TestClosedWithoutBranch(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	s.closePullRequest(s.one().Number)
	s.deleteBranch("odyssey/merge/odoo")
	s.wantRun("./odoo held")
	s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo opened")
	s.wantRun("./odoo unchanged")
}

// What was merged and undone by a human stays undone.
func TestMergedAndReverted(t *testing.T) {
	s := newStage(t)
	before := s.file("main", "repos.lock.yaml")
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	s.merge(s.one().Number)
	s.wantRun("idle")
	s.commit("Revert", map[string]string{"repos.lock.yaml": before})
	s.wantRun("./odoo held")
	s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo opened")
}

// Commits of people on the bot's branch are never overwritten, and the pull
// request says that it is left alone; once.
func TestHumanCommitsStay(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	mine := s.pushByHuman("odyssey/merge/odoo")
	s.wantRun("./odoo unchanged")
	newest := s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo held")
	if got := s.branches()["odyssey/merge/odoo"]; got != mine {
		t.Fatalf("the branch is at %s, the human's commit was %s", got, mine)
	}
	if body := s.one().Body; !strings.Contains(body, "Somebody pushed to this branch") || !strings.Contains(body, newest) {
		t.Errorf("the pull request does not say so:\n%s", body)
	}
	s.proxy.Forget()
	s.wantRun("./odoo held")
	if writes := s.writes(); len(writes) > 0 {
		t.Errorf("said again: %v", writes)
	}
	// Handed back by deleting the branch, as the text says.
	s.deleteBranch("odyssey/merge/odoo")
	s.wantRun("./odoo opened")
	if pr := s.one(); !strings.Contains(s.diff(pr.Number), newest) {
		t.Errorf("after handing back, #%d does not lead to %s", pr.Number, newest)
	}
}

// deleteBranch deletes a branch and waits until Gitea, which does so in the
// background, has closed its pull request.
func (s *stage) deleteBranch(name string) {
	s.t.Helper()
	must(s.t, s.Server.DeleteBranch(s.t.Context(), s.Owner, s.Image, name))
	for range 600 {
		if len(s.pullRequests("open")) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal("Gitea did not close the pull request of a deleted branch")
}

func (s *stage) pushByHuman(branch string) string {
	s.t.Helper()
	heads, err := s.Server.Push(s.t.Context(), s.Owner, s.Image, giteatest.Commit{
		Branch: branch, Message: "Note why", Files: map[string]giteatest.File{"NOTES": {Content: "because\n"}},
	})
	must(s.t, err)
	return heads[0]
}

// When the default branch moves so that the pull request conflicts, its
// commit is made anew on the new head; otherwise it is left as it is.
func TestConflictingDefaultBranch(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	first := s.one()

	s.commit("Elsewhere", map[string]string{"README.md": "hello\n"})
	s.wantRun("./odoo unchanged")
	lock := s.file("main", "repos.lock.yaml")
	s.commit("Far away in the lock", map[string]string{"repos.lock.yaml": lock + "\n# a comment at the end\n"})
	s.wantRun("./odoo unchanged")
	if pr := s.one(); pr.Head.SHA != first.Head.SHA {
		t.Errorf("the branch was rebased without a conflict")
	}
	s.proxy.Forget()
	s.wantRun("./odoo unchanged")
	if writes := s.writes(); len(writes) > 0 || apiCalls(s.proxy.Calls()) > 5 {
		t.Errorf("looked at again: %v", s.proxy.Calls())
	}

	// A person locks an earlier commit of the same merge.
	earlier, err := s.Lock(t.Context(), s.repos, lock, "--refresh-all")
	must(t, err)
	s.grow("odoo", hotfix, "[FIX] stock: two")
	s.wantRun("./odoo updated")
	second := s.one()
	s.commit("Move a little", map[string]string{"repos.lock.yaml": earlier})
	s.wantRun("./odoo updated")
	pr := s.one()
	// Not Gitea's diff: it finds the new merge base in the background.
	lines := moves(changed(string(diff.Diff("main", []byte(earlier), "branch", []byte(s.file(pr.Head.Ref, "repos.lock.yaml"))))))
	if pr.Number != first.Number || pr.Head.SHA == second.Head.SHA || len(lines) != 2 {
		t.Errorf("after the conflict: #%d, head %s, changed lines %q", pr.Number, pr.Head.SHA, lines)
	}
	s.wantRun("./odoo unchanged")
	s.merge(pr.Number)
}

// A pull request whose change arrived otherwise is closed with one word, and
// its branch is deleted.
func TestArrivedOtherwise(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	locked, err := s.Lock(t.Context(), s.repos, s.file("main", "repos.lock.yaml"), "--refresh-all")
	must(t, err)
	s.commit("Refresh by hand", map[string]string{"repos.lock.yaml": locked})
	s.wantRun("merge/odoo closed")
	var comments []struct{ Body string }
	s.api(http.MethodGet, "/issues/1/comments", nil, &comments)
	if len(comments) != 1 || !strings.HasPrefix(comments[0].Body, "Closing: `main` has what this proposed") {
		t.Errorf("comments: %+v", comments)
	}
	if len(s.branches()) != 0 || len(s.pullRequests("open")) != 0 {
		t.Errorf("left behind: %v", s.branches())
	}
	s.wantRun("idle")
}

func TestLimit(t *testing.T) {
	s := newStage(t)
	s.commit("One at a time", map[string]string{".odyssey.yaml": "pullRequests:\n  limit: 1\n"})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	outcomes := s.wantRun("./odoo opened", "./oca/server-tools held")
	if !strings.Contains(outcomes[1].Reason, "pullRequests.limit is 1") {
		t.Errorf("reason: %s", outcomes[1].Reason)
	}
	s.merge(s.one().Number)
	s.wantRun("./oca/server-tools opened")
}
