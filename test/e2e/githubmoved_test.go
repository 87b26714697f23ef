package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

// A listed repository that is renamed is not worked on under either name until
// the configuration has the new one, and the pages say so soon.
func TestGitHub_renamed(t *testing.T) {
	h := newHub(t)
	s := h.serve()
	h.settled(s, "merges")
	to := h.human.Rename(t, "renamed")
	h.grow("[FIX] stock: one")
	second()
	h.As("acme", to).Comment(t, h.As("acme", to).OpenIssue(t, "Talk", "Hello."), "/refresh ./odoo")
	h.eventually(func() string {
		text, err := s.Get(t.Context(), "/api/status.json")
		if want := fmt.Sprintf("the repository is called %s now", to); err != nil || !strings.Contains(text, want) {
			return fmt.Sprintf("the status does not say %q: %s, %v", want, text, err)
		}
		return ""
	})
	h.settled(s, "merges")
	h.image = to
	if open := h.open(); slices.ContainsFunc(open, func(pr forge.PullRequest) bool { return pr.Author == h.app.Login() }) {
		t.Errorf("open are %+v", open)
	}
	dashboard := regexp.MustCompile(`/issues(/[0-9]+)?$`)
	if writes := slices.DeleteFunc(h.writes(), func(w string) bool { return strings.Contains(w, "check-runs") || dashboard.MatchString(w) }); len(writes) > 0 {
		t.Errorf("the bot writes %q", writes)
	}
}
