package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
)

// A repository without a lock gets it by pull request, and then its moves.
func TestFirstLock(t *testing.T) {
	s := newStage(t)
	_, err := s.Server.Push(t.Context(), s.Owner, s.Image, giteatest.Commit{
		Branch: "main", Message: "Without a lock", Files: map[string]giteatest.File{"repos.lock.yaml": {Mode: "delete"}},
	})
	must(t, err)
	outcomes := s.run()
	if outcomes[0].Group != "lock" || outcomes[0].Action != "opened" {
		t.Fatalf("outcomes: %+v", outcomes)
	}
	pr := s.one()
	if pr.Title != "Lock what repos.yaml declares: 3 merges added" {
		t.Errorf("title: %s", pr.Title)
	}
	golden(t, "testdata/first-lock.md", anonymous(s, pr.Body))
	s.merge(pr.Number)
	s.wantRun("idle")
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
}

// What repos.yaml declares and the lock lacks is locked first; merges of that
// destination wait for it, others do not.
func TestOutOfSync(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	s.wantRun("./odoo opened", "./oca/server-tools opened")
	s.commit("One merge less", map[string]string{"repos.yaml": strings.Replace(s.repos, "    - odoo 17.0\n", "", 1)})
	s.wantRun("lock opened", "./oca/server-tools unchanged", "./odoo held")
	for _, pr := range s.pullRequests("open") {
		if pr.Head.Ref == "odyssey/lock" {
			if lines := changed(s.diff(pr.Number)); len(lines) != 2 {
				t.Errorf("nothing may move: %q", lines)
			}
			s.merge(pr.Number)
		}
	}
	s.run()
	s.wantRun("./odoo unchanged", "./oca/server-tools unchanged")
}

func TestGroups(t *testing.T) {
	for _, c := range []struct{ group, want, branches string }{
		{"all", "all opened", "odyssey/merge/all"},
		{"{acme: ['./odoo', './oca/*']}", "acme opened", "odyssey/merge/acme"},
		{"merge", "./odoo odoo 17.0 opened, ./odoo acme 17.0-hotfix-stock opened, ./oca/server-tools oca 17.0 opened", ""},
	} {
		t.Run(c.want, func(t *testing.T) {
			s := newStage(t)
			s.commit("Group", map[string]string{".odyssey.yaml": "merges:\n  group: " + c.group + "\n  labels: [dependencies]\n  reviewers: [" + s.Owner.Login + "]\n"})
			s.grow("odoo", "17.0", "[FIX] base: one")
			s.grow("odoo", hotfix, "[FIX] stock: one")
			s.grow("server-tools", "17.0", "[FIX] base_exception: one")
			s.wantRun(strings.Split(c.want, ", ")...)
			for _, pr := range s.pullRequests("open") {
				if len(pr.Labels) != 1 || pr.Labels[0].Name != "dependencies" {
					t.Errorf("labels: %+v", pr.Labels)
				}
				var reviews []struct{ User struct{ Login string } }
				s.api(http.MethodGet, "/pulls/1/reviews", nil, &reviews)
				if len(reviews) != 1 || reviews[0].User.Login != s.Owner.Login {
					t.Errorf("reviews: %+v", reviews)
				}
			}
			if c.branches != "" {
				if pr := s.one(); pr.Head.Ref != c.branches || len(changed(s.diff(pr.Number))) != 8 { // two lines for each move, and what the merges of ./odoo give
					t.Errorf("branch %s, diff:\n%s", pr.Head.Ref, s.diff(pr.Number))
				}
				golden(t, "testdata/group-"+strings.TrimPrefix(c.branches, "odyssey/merge/")+".md", anonymous(s, s.one().Body))
			}
			s.commit("Regroup", map[string]string{".odyssey.yaml": ""})
			s.run()
			if n := len(s.pullRequests("open")); n != 2 {
				t.Errorf("%d pull requests are open after regrouping, want 2", n)
			}
			s.wantRun("./odoo unchanged", "./oca/server-tools unchanged")
		})
	}
}

// A branch that was rewritten upstream is said to be.
func TestRewrittenUpstream(t *testing.T) {
	s := newStage(t)
	_, err := s.Server.Push(t.Context(), s.Upstream, s.Upstream.Login+"/odoo", giteatest.Commit{
		Branch: hotfix, Message: "[FIX] stock: said better", Amend: true, Author: "Ana Prat <ana@example.org>",
		Files: map[string]giteatest.File{"module/" + hotfix + "/file0.py": {Content: "better\n"}},
	})
	must(t, err)
	s.wantRun("./odoo opened")
	pr := s.one()
	if !strings.HasSuffix(pr.Title, "(history rewritten)") {
		t.Errorf("title: %s", pr.Title)
	}
	golden(t, "testdata/rewritten.md", anonymous(s, pr.Body))
}

func TestDryRun(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	outcomes := s.run("--dry-run")
	if len(outcomes) != 1 || outcomes[0].Action != "would be opened" {
		t.Errorf("outcomes: %+v", outcomes)
	}
	if writes := s.writes(); len(writes) > 0 || len(s.branches()) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// Repositories with nothing to do say why.
func TestIdle(t *testing.T) {
	s := newStage(t)
	s.commit("Off", map[string]string{".odyssey.yaml": "merges:\n  enabled: false\n"})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, "merges are not enabled in .odyssey.yaml"},
		{func() {
			_, err := s.Server.Push(t.Context(), s.Owner, s.Image, giteatest.Commit{Branch: "main", Message: "Remove", Files: map[string]giteatest.File{"repos.yaml": {Mode: "delete"}, ".odyssey.yaml": {Mode: "delete"}}})
			must(t, err)
		}, "there is no repos.yaml"},
		{func() { s.api(http.MethodPatch, "", map[string]any{"archived": true}, nil) }, "the repository is archived"},
	} {
		c.change()
		if outcomes := s.wantRun("idle"); outcomes[0].Reason != c.want {
			t.Errorf("reason %q, want %q", outcomes[0].Reason, c.want)
		}
	}
}

// Destinations that merge the same ref of the same repository move together.
func TestTogether(t *testing.T) {
	s := newStage(t)
	repos := s.repos + "./docs:\n  remotes:\n    origin: " + strings.TrimSuffix(s.URL("odoo"), ".git") + "\n  merges:\n    - origin 17.0\n"
	locked, err := s.Lock(t.Context(), repos, "")
	must(t, err)
	s.commit("Odoo's documentation, too", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked})
	s.grow("odoo", "17.0", "[FIX] base: one")
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	s.wantRun("./odoo opened", "./oca/server-tools opened")
	for _, pr := range s.pullRequests("open") {
		if pr.Head.Ref == "odyssey/merge/odoo" {
			golden(t, "testdata/together.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
		}
	}
	s.wantRun("./odoo unchanged", "./oca/server-tools unchanged")
}
