package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

const base = "https://git.example.org/odoo.git 17.0"

// A branch that was deleted upstream keeps nothing else from moving: neither the
// other merges of its destination nor the other destinations. Its open pull
// request stays.
func TestFault_G7_DeletedBranch(t *testing.T) {
	t.Parallel()
	s := newScene(t, "merges: {group: merge}")
	s.git.commits[acme] = id(11)
	s.run("./odoo acme 17.0-fix opened")
	delete(s.git.commits, acme)
	s.git.commits[base], s.git.commits[web] = id(12), id(13)
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), `repos.yaml:3: ./odoo: merge "acme 17.0-fix" not found on https://git.example.org/acme.git`) {
		t.Errorf("error %v", err)
	}
	if got, want := inWords(outcomes), []string{"./odoo held", "./odoo odoo 17.0 opened", "./web oca 17.0 opened"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	at := slices.IndexFunc(outcomes, func(o bot.Outcome) bool { return o.Action == bot.Held })
	if want := "acme 17.0-fix: its server has no such ref any more; mend or drop the line in repos.yaml before the server forgets the locked commit, too"; outcomes[at].Reason != want {
		t.Errorf("reason %q, want %q", outcomes[at].Reason, want)
	}
	open := s.open()
	if len(open) != 3 || len(s.waited) > 0 {
		t.Fatalf("%d pull requests are open after %d waits, want 3", len(open), len(s.waited))
	}
	for _, pr := range open {
		if said := strings.Contains(pr.Body, "acme 17.0-fix stays as it is"); said != strings.Contains(pr.Title, "`./odoo`: odoo 17.0") {
			t.Errorf("%s says it: %t\n%s", pr.Title, said, pr.Body)
		}
	}
}

// A remote that does not answer is asked again. Meanwhile the pull request that
// has a merge of it is left as it is, and the others are made.
func TestRun_remoteDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme], s.git.commits[base] = id(11), id(12)
	s.run("./odoo opened")
	before := s.one()
	s.git.failing["https://git.example.org/acme.git"] = fmt.Errorf("%w: no route", git.ErrTransient)
	s.git.commits[base], s.git.commits[web] = id(21), id(22)
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	if !errors.Is(err, git.ErrTransient) {
		t.Errorf("error %v", err)
	}
	if got, want := inWords(outcomes), []string{"./odoo held", "./web opened"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, pr := range s.open() {
		if pr.Number == before.Number && (pr.Title != before.Title || pr.HeadSHA != before.HeadSHA) {
			t.Errorf("#%d was changed to %q", pr.Number, pr.Title)
		}
	}
	delete(s.git.failing, "https://git.example.org/acme.git")
	s.run("./odoo updated", "./web unchanged")
}

// What is not locked yet and cannot be found keeps its destination from being
// locked, and no other.
func TestRun_unlockedAndLost(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits["https://git.example.org/pos.git 17.0"] = id(5)
	s.git.commits[acme] = id(11)
	s.push("main", map[string]string{refresh.ReposFile: strings.Replace(repos, "oca 17.0", "oca 17.0, oca 17.O", 1) +
		"./pos:\n  remotes: {oca: https://git.example.org/pos.git}\n  merges: [oca 17.0]\n./hr:\n  remotes: {oca: https://git.example.org/hr.git}\n  merges: [oca 17.0]\n"})
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) {
		t.Errorf("error %v", err)
	}
	if got, want := inWords(outcomes), []string{"./hr held", "./odoo opened", "./pos held", "./web held", "lock opened"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	lock := s.look().Branches["odyssey/lock"]
	if !strings.Contains(lock, "./pos:") || strings.Contains(lock, "./hr:") || strings.Contains(lock, "17.O") || !strings.Contains(lock, "./web:") {
		t.Errorf("the lock that is proposed:\n%s", lock)
	}
	for _, pr := range s.open() {
		if pr.Head == refresh.SyncBranch && (!strings.Contains(pr.Body, "**./hr oca 17.0 stays as it is**: its server has no such ref; mend or drop the line in repos.yaml.") || !strings.Contains(pr.Body, "./web oca 17.O")) {
			t.Errorf("the text:\n%s", pr.Body)
		}
	}
}

// People are told once, in an issue, what to mend; the dashboard has it, a command
// about it is answered, and one about something else is not bothered with it.
func TestWorker_lost(t *testing.T) {
	t.Parallel()
	d := newBoard(t, "")
	delete(d.git.commits, acme)
	d.git.commits[web] = id(13)
	r := d.merges()
	if got := inWords(r.Outcomes); r.Error != "" || !slices.Equal(got, []string{"./odoo held", "./web opened"}) {
		t.Errorf("%q, error %q", got, r.Error)
	}
	if got := r.Destinations[0].Merges[1]; got.Verdict != refresh.Lost || got.Locked != id(2) || !strings.Contains(got.Why, "has no such ref any more") {
		t.Errorf("the report has %+v", got)
	}
	d.shows("1 out of reach, 1 in a pull request, 1 current", "| ⤷ acme 17.0-fix | [`0000002`]", "| ⚠️ | its server has no such ref any more", "!The last run failed")
	faults := func() (open []string) {
		for _, issue := range d.issues() {
			if issue.Title != refresh.DashboardTitle && issue.State == "open" {
				open = append(open, issue.Body)
			}
		}
		return open
	}
	if got := faults(); len(got) != 1 || !strings.Contains(got[0], "stay where they are locked") || !strings.Contains(got[0], "`repos.yaml:3`") {
		t.Fatalf("the issues are %q", got)
	}
	writes := len(d.fake.Writes())
	d.merges()
	if more := d.fake.Writes()[writes:]; len(more) > 0 {
		t.Errorf("the second run wrote %+v", more)
	}
	for command, want := range map[string]string{
		"/refresh ./odoo acme 17.0-fix": "this must be mended first",
		"/refresh ./odoo":               "stays as it is: acme 17.0-fix: its server has no such ref any more",
	} {
		if reactions, reply := d.obeys(command); !strings.Contains(reactions, "confused") || !strings.Contains(reply, want) {
			t.Errorf("%s: %s, %q", command, reactions, reply)
		}
	}
	if reactions, reply := d.obeys("/refresh ./web"); strings.Contains(reactions, "confused") || strings.Contains(reply, "acme") {
		t.Errorf("about something else: %s, %q", reactions, reply)
	}
	if got := faults(); len(got) != 1 {
		t.Errorf("after a command about something else the issues are %q", got)
	}
	d.git.commits[acme] = id(2)
	d.merges()
	if got := faults(); len(got) != 0 {
		t.Errorf("when all is found again: %q", got)
	}
	d.shows("1 in a pull request, 2 current")
}
