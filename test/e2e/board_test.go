package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/world"
)

// A repository without an .odyssey.yaml is asked once, and a no is one.
func TestOnboarding(t *testing.T) {
	s := newStage(t)
	s.Onboarding = true
	s.wantRun(".odyssey.yaml opened")
	pr := s.one()
	golden(t, "testdata/onboarding.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
	if want, err := config.Example(); err != nil || s.file(pr.Head.Ref, ".odyssey.yaml") != string(want) {
		t.Errorf("%v: the proposed file is\n%s", err, s.file(pr.Head.Ref, ".odyssey.yaml"))
	}
	s.wantRun(".odyssey.yaml unchanged")
	s.closePullRequest(pr.Number)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	if done := s.wantRun("idle"); !strings.Contains(done[0].Reason, "was closed, so the bot leaves this repository alone") {
		t.Errorf("%+v", done)
	}
	s.commit("Have it after all", map[string]string{".odyssey.yaml": "version: 1\n"})
	s.wantRun("./odoo opened")
}

// issue is one of the forge's.
type issue struct {
	Number int64  `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	State  string `json:"state"`
}

// dashboard returns the open dashboard; zero when there is none, or several.
func (s *stage) dashboard() (found issue) {
	s.t.Helper()
	var all []issue
	s.api(http.MethodGet, "/issues?type=issues&state=open", nil, &all)
	n := 0
	for _, i := range all {
		if i.Title == refresh.DashboardTitle {
			found, n = i, n+1
		}
	}
	if n != 1 {
		return issue{}
	}
	return found
}

// shown waits until the dashboard holds texts, and what begins with ! not.
func (s *stage) shown(texts ...string) issue {
	s.t.Helper()
	var at issue
	s.eventually(func() string {
		at = s.dashboard()
		for _, text := range texts {
			if rest, not := strings.CutPrefix(text, "!"); at.Number == 0 || strings.Contains(at.Body, rest) == not {
				return fmt.Sprintf("%q of the dashboard:\n%s", text, at.Body)
			}
		}
		return ""
	})
	return at
}

// The dashboard says where all stands, and obeys who ticks its boxes.
func TestDashboard(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.serve(world.ServeOptions{})
	at := s.shown("1 in a pull request", "- [ ] <!-- odyssey do: /hold ./odoo -->", "!not looked at yet", "- python: there is no requirements.lock.txt")
	golden(t, "testdata/dashboard.md", at.Title+"\n\n"+regexp.MustCompile(`w[0-9]+-`).ReplaceAllString(anonymous(s, at.Body), ""))
	s.api(http.MethodPatch, fmt.Sprintf("/issues/%d", at.Number), map[string]string{"body": refresh.Tick(at.Body, "/hold ./odoo")}, nil)
	at = s.shown("1 held", "/unhold ./odoo", "![x]")
	s.api(http.MethodPatch, fmt.Sprintf("/issues/%d", at.Number), map[string]string{"body": refresh.Tick(at.Body, "/unhold ./odoo")}, nil)
	s.shown("!1 held", "/hold ./odoo", "![x]")
}

// explain says of each source why it is, or is not, refreshed, and writes
// nothing.
func TestExplain(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	explain := func(args ...string) string {
		t.Helper()
		path, err := s.Config()
		must(t, err)
		cmd := exec.CommandContext(t.Context(), s.Binary, append([]string{"explain", s.Image, "--config", path}, args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		return stdout.String()
	}
	if text := explain(); !strings.Contains(text, "proposed  the next run opens: Refresh `./odoo`") || !strings.Contains(text, "current   nothing is newer") {
		t.Errorf("before:\n%s", text)
	}
	s.wantRun("./odoo opened")
	pr := s.one()
	s.closePullRequest(pr.Number)
	var found struct {
		Sources []struct{ Destination, Ref, Verdict, Why string }
	}
	must(t, json.Unmarshal([]byte(explain("./odoo", "--json")), &found))
	for _, one := range found.Sources {
		if one.Destination != "./odoo" || one.Ref == hotfix && (one.Verdict != "waiting" || !strings.Contains(one.Why, "this was closed before")) {
			t.Errorf("%+v", one)
		}
	}
	if len(found.Sources) == 0 {
		t.Error("no source is explained")
	}
	said, err := exec.CommandContext(t.Context(), s.Binary, "explain", s.Image, "./odo", "--config", s.Dir+"/odyssey.yaml").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "./odoo") {
		t.Errorf("an unknown destination: %v: %s", err, said)
	}
}
