package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// fails runs the bot, which must fail and say what is to be mended, and returns
// the outcomes.
func (s *stage) fails(want string) []bot.Outcome {
	s.t.Helper()
	outcomes, stderr, err := s.Run(s.t.Context())
	if err == nil || !strings.Contains(stderr, want) {
		s.t.Errorf("%v, stderr without %q:\n%s", err, want, stderr)
	}
	var all []bot.Outcome
	for _, o := range outcomes {
		if o.Action != bot.Failed {
			all = append(all, o)
		}
	}
	return all
}

func inWords(outcomes []bot.Outcome) string {
	var words []string
	for _, o := range outcomes {
		words = append(words, o.Group+" "+string(o.Action))
	}
	return strings.Join(words, ", ")
}

// tag puts a tag of an upstream repository at a commit, wherever it was.
func (s *stage) tag(name, tag, commit string) {
	s.t.Helper()
	at := "/repos/" + s.Upstream.Login + "/" + name + "/tags"
	_ = s.Server.API(s.t.Context(), s.Upstream, http.MethodDelete, at+"/"+tag, nil, nil) // it may be new
	must(s.t, s.Server.API(s.t.Context(), s.Upstream, http.MethodPost, at, map[string]string{"tag_name": tag, "target": commit}, nil))
}

// A branch that is deleted upstream is told, with what to do, where its destination
// moves and in one issue; everything else goes on.
func TestFault_G7_DeletedBranch(t *testing.T) {
	s := newStage(t)
	must(t, s.Server.DeleteBranch(t.Context(), s.Upstream, s.Upstream.Login+"/odoo", hotfix))
	s.grow("odoo", "17.0", "[FIX] base: one")
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	outcomes := s.fails(`./odoo: merge "acme ` + hotfix + `" not found on ` + s.URL("odoo"))
	if got := inWords(outcomes); got != "./odoo opened, ./oca/server-tools opened, ./odoo held" {
		t.Errorf("got %s", got)
	}
	for _, pr := range s.pullRequests("open") {
		if pr.Head.Ref == "odyssey/merge/odoo" {
			golden(t, "testdata/deleted-branch.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
			if diff := s.diff(pr.Number); strings.Contains(diff, "-  - acme") {
				t.Errorf("it moves what is gone:\n%s", diff)
			}
		}
	}
	s.serve(world.ServeOptions{})
	at := s.shown("1 out of reach", "!not looked at yet", "- python: there is no requirements.lock.txt")
	golden(t, "testdata/deleted-branch-dashboard.md", at.Title+"\n\n"+regexp.MustCompile(`w[0-9]+-`).ReplaceAllString(anonymous(s, at.Body), ""))
	var issue struct{ Title, Body string }
	s.eventually(func() string {
		var all []struct{ Title, Body string }
		s.api(http.MethodGet, "/issues?type=issues&state=open", nil, &all)
		for _, i := range all {
			if strings.Contains(i.Title, "need mending") {
				issue.Title, issue.Body = i.Title, i.Body
				return ""
			}
		}
		return fmt.Sprintf("no issue tells of it: %+v", all)
	})
	golden(t, "testdata/deleted-branch-issue.md", issue.Title+"\n\n"+strings.ReplaceAll(anonymous(s, issue.Body), regexp.MustCompile(`w[0-9]+-`).FindString(issue.Body), ""))
}

// A tag is made to stay: one that was moved is told loudly, with both commits.
func TestFault_G8_MovedTag(t *testing.T) {
	s := newStage(t)
	s.tag("odoo", "v1.0", head(t, s, "odoo", hotfix))
	repos := strings.Replace(s.repos, "acme "+hotfix, "acme v1.0", 1)
	locked, err := s.Lock(t.Context(), repos, "")
	must(t, err)
	s.commit("Take the tag", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked})
	s.wantRun("idle")
	s.tag("odoo", "v1.0", s.grow("odoo", hotfix, "[FIX] stock: after the release"))
	s.wantRun("./odoo opened")
	pr := s.one()
	golden(t, "testdata/moved-tag.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
}

// A branch that begins anew has nothing in common with what is locked, nor with the
// merges beside it: what could not be built is not proposed. Alone in its
// destination it is, as rewritten.
func TestFault_G9_UnrelatedHistory(t *testing.T) {
	s := newStage(t)
	s.pushUpstream(giteatest.Commit{Branch: hotfix, Message: "[ADD] stock: all anew", Orphan: true}, map[string]string{"addons/stock/__manifest__.py": "{'name': 'Stock'}\n"})
	_, err := s.Server.Push(t.Context(), s.Upstream, s.Upstream.Login+"/server-tools", giteatest.Commit{
		Branch: "17.0", Message: "[ADD] base_exception: all anew", Orphan: true, Author: "Ana Prat <ana@example.org>",
		Files: map[string]giteatest.File{"base_exception/__manifest__.py": {Content: "{'name': 'Exceptions', 'version': '17.0.2.0.0'}\n"}},
	})
	must(t, err)
	outcomes := s.wantRun("./odoo held", "./oca/server-tools opened")
	if !strings.Contains(outcomes[0].Reason, "have no history in common") {
		t.Errorf("the reason: %s", outcomes[0].Reason)
	}
	pr := s.one()
	golden(t, "testdata/unrelated.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
}

// A repository that is renamed upstream is not followed: the new name is told.
func TestFault_G4_RenamedUpstream(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	must(t, s.Server.API(t.Context(), s.Upstream, http.MethodPatch, "/repos/"+s.Upstream.Login+"/server-tools", map[string]string{"name": "server-tools-new"}, nil))
	outcomes := s.fails("the server says that the repository is now at " + strings.TrimSuffix(strings.TrimPrefix(s.URL("server-tools-new"), "http://"), ".git"))
	if got := inWords(outcomes); got != "./odoo opened, ./oca/server-tools held" {
		t.Errorf("got %s", got)
	}
	want := "server-tools-new; write its new URL in repos.yaml, once you have seen that it is the same repository"
	if reason := outcomes[len(outcomes)-1].Reason; !strings.HasSuffix(reason, want) {
		t.Errorf("the reason: %s", reason)
	}
}
