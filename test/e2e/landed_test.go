package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
)

// A merge whose changes are in its base is retired by a pull request of its own,
// and stays when people say no.
func TestLanded(t *testing.T) {
	s := newStage(t)
	s.pushUpstream(giteatest.Commit{Branch: "17.0", Message: "[FIX] stock: lots without a name (#12)"}, map[string]string{"addons/stock/views/" + hotfix + "/view0.xml": "<!-- lots without a name -->\n"})
	s.wantRun("./odoo opened")
	s.merge(s.one().Number)
	s.wantRun("retire ./odoo opened")
	pr := s.one()
	golden(t, "testdata/landed.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
	if pr.Head.Ref != "odyssey/retire/odoo" {
		t.Errorf("branch %s", pr.Head.Ref)
	}
	want := strings.Replace(strings.Replace(s.repos, "    - acme "+hotfix+"\n", "", 1), "    acme: "+s.URL("odoo")+"\n", "", 1)
	if got := s.file(pr.Head.Ref, "repos.yaml"); got != want {
		t.Errorf("repos.yaml:\n%s", got)
	}
	if lock := s.file(pr.Head.Ref, "repos.lock.yaml"); strings.Contains(lock, "acme") || strings.Contains(lock, "merge-base") {
		t.Errorf("repos.lock.yaml:\n%s", lock)
	}
	s.wantRun("retire ./odoo unchanged")
	s.closePullRequest(pr.Number)
	if outcomes := s.wantRun("retire ./odoo held"); !strings.Contains(outcomes[0].Reason, "closed before") {
		t.Errorf("after it was closed: %+v", outcomes)
	}
	s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	s.wantRun("./oca/server-tools opened", "retire ./odoo held")
	s.api(http.MethodPatch, fmt.Sprintf("/pulls/%d", pr.Number), map[string]string{"state": "open"}, nil)
	s.merge(pr.Number)
	s.wantRun("./oca/server-tools unchanged")
}

// One whose pull request was closed upstream, with the ref that the forge keeps.
func TestClosedUpstream(t *testing.T) {
	s := newStage(t)
	s.ForgeURL = s.Server.URL // by which upstreams are known to be on the forge
	var made struct{ Number int64 }
	must(t, s.Server.API(t.Context(), s.Upstream, http.MethodPost, "/repos/"+s.Upstream.Login+"/odoo/pulls", map[string]string{"head": hotfix, "base": "17.0", "title": "[FIX] stock"}, &made))
	repos := strings.Replace(s.repos, "acme "+hotfix, fmt.Sprintf("odoo refs/pull/%d/head", made.Number), 1)
	locked, err := s.Lock(t.Context(), repos, "")
	must(t, err)
	s.commit("Take the pull request itself", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked})
	s.wantRun("idle")
	must(t, s.Server.API(t.Context(), s.Upstream, http.MethodPatch, fmt.Sprintf("/repos/%s/odoo/pulls/%d", s.Upstream.Login, made.Number), map[string]string{"state": "closed"}, nil))
	s.wantRun("retire ./odoo opened")
	pr := s.one()
	golden(t, "testdata/closed-upstream.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
}
