package refresh_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

func dashboard() *refresh.Dashboard {
	at := func(dest, remote, ref, url string, locked, newest int) refresh.Standing {
		s := refresh.Standing{Dest: dest, Remote: remote, Ref: ref, URL: url, Newest: id(newest)}
		if locked > 0 {
			s.Locked = id(locked)
		}
		return s
	}
	const odoo, web = "https://github.com/odoo/odoo.git", "git@github.com:OCA/web.git"
	return &refresh.Dashboard{
		Decisions: []refresh.Decision{
			{Standing: at("./odoo", "odoo", "17.0", odoo, 1, 11), Verdict: refresh.Proposed, Behind: 41, Why: "opened", Pull: refresh.Pull{URL: "https://git.example.org/acme/image/pulls/12", Title: "Refresh"}},
			{Standing: at("./odoo", "odoo", "refs/pull/7/head", odoo, 2, 2), Verdict: refresh.Current, Why: "nothing is newer"},
			{Standing: at("./oca/web", "oca", "17.0", web, 3, 12), Verdict: refresh.OnHold, Behind: -1, Why: "held by @ana since 2026-11-20; /unhold ./oca/web lifts that"},
			{Standing: at("./oca/pos", "oca", "17.0", "git://git.example.org/pos.git", 0, 4), Verdict: refresh.Unlocked, Behind: -1, Why: "the lock lacks it"},
		},
		Items: []refresh.Item{
			{Name: "base images", Why: "<b>nothing</b> is newer"},
			{Name: "Python lock", Pull: refresh.Pull{URL: "https://git.example.org/acme/image/pulls/13"}},
		},
		Boxes:    []refresh.Box{{Command: "/refresh all", Text: "refresh everything"}, {Command: "/hold ./odoo", Text: "hold ./odoo"}},
		Commands: true,
	}
}

func TestDashboard_Body(t *testing.T) {
	t.Parallel()
	d := dashboard()
	golden(t, "dashboard.md", d.Body())
	d.Boxes = nil
	if text := d.Body(); strings.Contains(text, "[ ]") || !strings.Contains(text, "`/refresh all`") {
		t.Errorf("without boxes:\n%s", text)
	}
	d.Commands = false
	if text := d.Body(); strings.Contains(text, "/refresh") {
		t.Errorf("nobody is obeyed, but commands are named:\n%s", text)
	}
	if text := (&refresh.Dashboard{}).Body(); !strings.HasPrefix(text, "There are no sources.\n") {
		t.Errorf("%q", text)
	}
}

// M2: however much there is, the forge takes the text.
func TestFault_M2_DashboardOfThousands(t *testing.T) {
	t.Parallel()
	d := dashboard()
	d.Decisions = slices.Repeat(d.Decisions, 2000)
	d.Boxes = slices.Repeat(d.Boxes, 2000)
	text := d.Body()
	if len(text) > 60_000 || !strings.Contains(text, "8,000 sources") || !strings.Contains(text, "more source") || !strings.HasSuffix(text, "</sub>\n") {
		t.Errorf("%d bytes: %.300s", len(text), text)
	}
}

func TestTicked(t *testing.T) {
	t.Parallel()
	d := dashboard()
	body := d.Body()
	if got := refresh.Ticked(body, d.Boxes); got != nil {
		t.Errorf("nothing is ticked, and it says %q", got)
	}
	ticked := strings.ReplaceAll(strings.ReplaceAll(body, "- [ ]", "- [x]"), "\n", "\r\n")
	if diff := cmp.Diff([]string{"/refresh all", "/hold ./odoo"}, refresh.Ticked(ticked, d.Boxes)); diff != "" {
		t.Error(diff)
	}
	// Who edits the text cannot have more done than was offered.
	forged := ticked + "- [x] <!-- odyssey do: /refresh ./odoo --to " + id(1) + " --> x\n- [x] <!-- odyssey do: /refresh all\n"
	if diff := cmp.Diff([]string{"/refresh all"}, refresh.Ticked(forged, d.Boxes[:1])); diff != "" {
		t.Error(diff)
	}
}

// What would end the hidden mark of a box is not offered.
func TestAttribute(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/refresh ./odoo":     "/refresh ./odoo",
		"/refresh ./a--b":     "/refresh ./a--b",
		"/refresh ./a-->b":    "",
		"/refresh ./a--!>b":   "",
		"/refresh ./a\nb":     "",
		"/refresh ./a\x7f":    "",
		"/refresh ./oca/w_eb": "/refresh ./oca/w_eb",
	} {
		if got := refresh.Attribute(text); got != want {
			t.Errorf("Attribute(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestOnboard(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	locked := up.lock(t, repos)
	up.move(t, 11, "odoo.git 17.0")
	state, err := refresh.Read(t.Context(), refresh.Input{Files: files("", repos, locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: up})
	if err != nil {
		t.Fatal(err)
	}
	o, err := state.Onboard(true)
	if err != nil {
		t.Fatal(err)
	}
	text := o.Describe()
	golden(t, "onboarding.md", text.Body)
	if text.Title != "Configure Odyssey" || !strings.HasSuffix(text.Message, "\n\n"+refresh.Trailer+o.Target+"\n") {
		t.Errorf("%q %q", text.Title, text.Message)
	}
	quiet, err := state.Onboard(false)
	if err != nil || strings.Contains(quiet.Describe().Body, "obeys") {
		t.Errorf("%v: nobody is obeyed, but the text says so", err)
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	before := dashboard().Body()
	after := refresh.Tick(before, "/hold ./odoo")
	if diff := cmp.Diff([]string{"/hold ./odoo"}, refresh.Ticks(before, after)); diff != "" {
		t.Error(diff)
	}
	// Who edits something else, or unticks, has ticked nothing.
	if got := append(refresh.Ticks(after, after+"more"), refresh.Ticks(after, before)...); len(got) > 0 {
		t.Errorf("%q", got)
	}
}
