package e2e

import (
	"strings"
	"testing"
	"time"
)

// What is new waits for as long as the policy says since the bot has seen it,
// however old the commit says that it is.
func TestMinimumAge(t *testing.T) {
	s := newStage(t)
	s.commit("Wait", map[string]string{".odyssey.yaml": "merges:\n  minimumAge: 20s\n"})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	state := "--state=" + s.path("state")
	held := s.run(state)
	began := time.Now()
	if len(held) != 1 || held[0].Action != "held" || !strings.Contains(held[0].Reason, "minimumAge has it wait until ") || len(s.branches()) > 0 {
		t.Fatalf("at first: %+v", held)
	}
	for time.Since(began) < 20*time.Second {
		time.Sleep(time.Second)
	}
	if opened := s.run(state); len(opened) != 1 || opened[0].Action != "opened" {
		t.Fatalf("later: %+v", opened)
	}
	s.grow("odoo", hotfix, "[FIX] stock: two")
	if unchanged := s.run(state); len(unchanged) != 1 || unchanged[0].Action != "unchanged" {
		t.Fatalf("with a newer commit: %+v", unchanged)
	}
	if pr := s.one(); !strings.HasSuffix(pr.Title, "+1 commit") {
		t.Errorf("title: %s", pr.Title)
	}
}
