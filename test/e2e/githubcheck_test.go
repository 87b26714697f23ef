package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/test/githubtest"
)

// last waits until the newest check run stands beside the head of main, and
// ends so.
func (h *hub) last(conclusion, title string) githubtest.Check {
	h.t.Helper()
	var got githubtest.Check
	h.eventually(func() string {
		all := h.runs()
		if len(all) == 0 {
			return "there is no check run"
		}
		got = all[len(all)-1]
		if got.Head != h.head("main") || got.Conclusion != conclusion || got.Title != title || got.Status != "completed" {
			return fmt.Sprintf("the check run is %+v, want %s %q beside %s", got, conclusion, title, h.head("main"))
		}
		return ""
	})
	return got
}

// runs lists the checks that say what came of a run over the merges.
func (h *hub) runs() []githubtest.Check {
	return slices.DeleteFunc(h.Checks(h.image), func(c githubtest.Check) bool { return c.Name != "odyssey" })
}

// Beside each commit of main stands what came of the run over it: neutral when
// there was nothing to do. Its button has the bot run again.
func TestGitHub_checks(t *testing.T) {
	h := newHub(t)
	s := h.serve()
	h.last("neutral", "Nothing to do")
	before := h.settled(s, "merges")

	h.grow("[FIX] stock: one")
	h.Rerequest("acme", h.image, false)
	got := h.last("success", "One pull request changed")
	if pr := h.one(); !strings.Contains(got.Summary, pr.URL) {
		t.Errorf("the check run %+v does not lead to %s", got, pr.URL)
	}
	if all := h.runs(); len(all) != 1 {
		t.Errorf("%d check runs beside one commit: %+v", len(all), all)
	}
	h.eventually(func() string {
		if h.settled(s, "merges") <= before {
			return "no further job was done"
		}
		return ""
	})

	again := h.settled(s, "merges")
	h.Rerequest("acme", h.image, true) // "Re-run all checks"
	h.eventually(func() string {
		if h.settled(s, "merges") <= again {
			return "no further job was done for all checks"
		}
		return ""
	})
	h.last("neutral", "Nothing to do") // the pull request is as it was

	issue := h.human.OpenIssue(t, "Talk", "Hello.")
	h.ends(h.human.Comment(t, issue, "/refresh ./oca/server-tools"), forge.Done)
	h.eventually(func() string {
		if got := h.last("neutral", "Nothing to do"); !strings.Contains(got.Summary, "Asked for by a comment of `acme`.") {
			return fmt.Sprintf("the check run says %q", got.Summary)
		}
		return ""
	})

	h.push("Break it", map[string]string{"repos.yaml": "./odoo: []\n"})
	if got := h.last("failure", "Files of this repository need mending"); !strings.Contains(got.Summary, "repos.yaml:1") {
		t.Errorf("the check run says %q", got.Summary)
	}
	metrics, err := s.Get(t.Context(), "/metrics")
	must(t, err)
	for _, account := range []string{"acme", "app"} {
		if line := fmt.Sprintf(`odyssey_forge_quota_remaining{account=%q,forge="github",resource="core"} 4999`, account); !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	for _, r := range h.Requests() {
		if strings.Contains(r.Path, "check-runs") && r.Status >= http.StatusBadRequest {
			t.Errorf("%s %s: status %d", r.Method, r.Path, r.Status)
		}
	}
}
