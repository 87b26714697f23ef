package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// report reports on a commit of server-tools.
func (s *stage) report(commit, state string) {
	s.t.Helper()
	must(s.t, s.Server.API(s.t.Context(), s.Upstream, http.MethodPost, fmt.Sprintf("/repos/%s/server-tools/statuses/%s", s.Upstream.Login, commit), map[string]string{"context": "tests", "state": state}, nil))
}

// Only what upstream's own checks found good is proposed, and of the rest it is
// said why not.
func TestRequireGreen(t *testing.T) {
	s := newStage(t)
	s.ForgeURL = s.Server.URL // by which upstreams are known to be on the forge
	s.commit("Only green", map[string]string{".odyssey.yaml": "merges:\n  requireGreen: true\n"})
	first := s.grow("server-tools", "17.0", "[FIX] base_exception: one")
	if held := s.wantRun("./oca/server-tools held"); !strings.Contains(held[0].Reason, "is not green yet: no status") || len(s.branches()) > 0 {
		t.Fatalf("without a status: %+v", held)
	}
	s.report(first, "success")
	red := s.grow("server-tools", "17.0", "[FIX] base_exception: two")
	s.report(red, "failure")
	newest := s.grow("server-tools", "17.0", "[FIX] base_exception: three")
	s.report(newest, "pending")
	s.wantRun("./oca/server-tools opened")
	pr := s.one()
	golden(t, "testdata/green.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
	if lock := s.file(strings.ReplaceAll(pr.Head.Ref, "+", "%2B"), "repos.lock.yaml"); !strings.Contains(lock, "oca "+first) {
		t.Errorf("proposed:\n%s", lock)
	}
	path, err := s.Config()
	must(t, err)
	said, err := exec.CommandContext(t.Context(), s.Binary, "explain", s.Image, "./oca/server-tools", "--config", path).CombinedOutput()
	if want := fmt.Sprintf("its newest commit, %.7s, is not green yet: its checks have not ended; %.7s is the newest that is", newest, first); err != nil || !strings.Contains(string(said), want) {
		t.Errorf("%v: explained without %q:\n%s", err, want, said)
	}
	s.wantRun("./oca/server-tools unchanged")
	s.report(newest, "success")
	s.wantRun("./oca/server-tools updated")
	if body := s.one().Body; strings.Contains(body, "Not the newest") {
		t.Errorf("text:\n%s", body)
	}
}
