package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

const odoo = "https://git.example.org/odoo.git 17.0"

// demand runs with a demand, which must succeed, and compares as run does.
func (s *scene) demand(d bot.Demand, want ...string) []bot.Outcome {
	s.t.Helper()
	outcomes, err := s.bot.Run(s.t.Context(), s.fake, s.name, d)
	must(s.t, err)
	if got := inWords(outcomes); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		s.t.Fatalf("demand: %q, want %q: %+v", got, want, outcomes)
	}
	return outcomes
}

func only(dest, remote, ref, to string) bot.Demand {
	return bot.Demand{Choices: []refresh.Choice{{Dest: dest, Remote: remote, Ref: ref, To: to, By: "human"}}}
}

// lockedOn returns the short numbers of the commits that the bot's branch has.
func (s *scene) lockedOn(ref string) string {
	s.t.Helper()
	data, err := s.fake.File(s.t.Context(), s.repo, ref, refresh.LockFile)
	must(s.t, err)
	file, err := lock.ParseLock("lock", data, s.bot.URLs)
	must(s.t, err)
	var all []string
	for _, d := range file.Destinations {
		for _, m := range d.Merges {
			all = append(all, strings.TrimLeft(m.Commit[:7], "0"))
		}
	}
	return strings.Join(all, " ")
}

// What a demand names is done, and nothing else.
func TestRun_demands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config string
		demand bot.Demand
		want   []string
		locked string // on odyssey/merge/odoo, or merge/all
	}{
		{"nothing", "", bot.Demand{}, []string{"./odoo opened", "./web opened"}, "10 11 3"},
		{"all", "", bot.Demand{All: true}, []string{"./odoo opened", "./web opened"}, "10 11 3"},
		{"a destination", "", bot.Demand{Destinations: []string{"odoo"}}, []string{"./odoo opened"}, "10 11 3"},
		{"another", "", bot.Demand{Destinations: []string{"./web"}}, []string{"./web opened"}, ""},
		{"two", "", bot.Demand{Destinations: []string{"./web", "./odoo"}}, []string{"./odoo opened", "./web opened"}, "10 11 3"},
		{"a merge", "", only("./odoo", "acme", "17.0-fix", ""), []string{"./odoo opened"}, "1 11 3"},
		{"the base, to a commit", "", only("./odoo", "", "", id(7)), []string{"./odoo opened"}, "7 2 3"},
		{"a merge, to a commit", "", only("./odoo", "acme", "17.0-fix", id(7)), []string{"./odoo opened"}, "1 7 3"},
		{"to what is locked", "", only("./odoo", "acme", "17.0-fix", id(2)), []string{"idle"}, ""},
		{"a destination of a group", "merges: {group: all}", bot.Demand{Destinations: []string{"./odoo"}}, []string{"all opened"}, "10 11 21"},
		{"a merge of a group", "merges: {group: all}", only("./web", "oca", "17.0", ""), []string{"all opened"}, "1 2 21"},
		{"a branch", "", bot.Demand{Branch: "odyssey/merge/web"}, []string{"./web opened"}, ""},
		{"a branch of nothing", "", bot.Demand{Branch: "odyssey/merge/none"}, []string{"idle"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, test.config)
			s.git.commits[odoo], s.git.commits[acme], s.git.commits[web] = id(10), id(11), id(21)
			s.demand(test.demand, test.want...)
			if test.locked != "" {
				if got := s.lockedOn(s.open()[len(s.open())-1].Head); got != test.locked {
					t.Errorf("locked %s, want %s", got, test.locked)
				}
			}
			before := len(s.fake.Writes())
			again, err := s.bot.Run(t.Context(), s.fake, s.name, test.demand)
			must(t, err)
			if writes := s.fake.Writes()[before:]; len(writes) > 0 {
				t.Errorf("again: %q wrote %+v", inWords(again), writes)
			}
		})
	}
}

// What was chosen stays while its pull request is open, also for who runs
// without a demand; a further choice adds to it, and the whole destination
// takes its place.
func TestRun_choicesStay(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[odoo], s.git.commits[acme] = id(10), id(11)
	s.demand(only("./odoo", "odoo", "17.0", id(7)), "./odoo opened")
	s.run("./odoo unchanged")
	s.git.commits[odoo] = id(12)
	s.run("./odoo unchanged")
	if got := s.lockedOn(branch); got != "7 2 3" {
		t.Errorf("locked %s", got)
	}
	s.demand(only("./odoo", "acme", "17.0-fix", ""), "./odoo updated")
	if got := s.lockedOn(branch); got != "7 11 3" {
		t.Errorf("locked %s", got)
	}
	s.git.commits[acme] = id(13)
	s.run("./odoo updated")
	if got := s.lockedOn(branch); got != "7 13 3" {
		t.Errorf("locked %s", got)
	}
	if body := s.one().Body; !strings.Contains(body, "./odoo odoo 17.0 at `0000007` (by human)") {
		t.Errorf("body %s", body)
	}
	s.demand(bot.Demand{Branch: branch}, "./odoo unchanged")
	// The same commits for another reason: what is not chosen follows its branch.
	s.demand(only("./odoo", "odoo", "17.0", ""), "./odoo updated")
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "./odoo updated")
	if got, body := s.lockedOn(branch), s.one().Body; got != "12 13 3" || strings.Contains(body, "chosen") {
		t.Errorf("locked %s, body %s", got, body)
	}
	s.demand(only("./odoo", "odoo", "17.0", id(12)), "./odoo updated")
	s.human.Merge(t, s.one().Number)
	s.run("./odoo opened") // the rest
	if got, body := s.lockedOn(branch), s.one().Body; got != "12 13 3" || strings.Contains(body, "chosen") {
		t.Errorf("locked %s, body %s", got, body)
	}
}

// A choice that a person wrote into the text by hand is taken, as far as it can
// be one.
func TestRun_choicesByHand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"dest":"./odoo","remote":"acme","ref":"17.0-fix","to":"` + id(9) + `"}]`:   "1 9 3",
		`[{"dest":"./odoo","remote":"acme","ref":"17.0-fix","to":"--upload-pack=x"}]`: "10 11 3",
		`[{"dest":"./odoo","remote":"none","ref":"17.0-fix"}]`:                        "10 11 3",
		`[{"dest":"./web","remote":"oca","ref":"17.0"}]`:                              "10 11 3",
		`[{}]`: "10 11 3",
		`[{]`:  "10 11 3",
		`[` + strings.Repeat(`{"dest":"./odoo","remote":"acme","ref":"17.0-fix"},`, 500) + `{"dest":"./odoo"}]`: "10 11 3",
	} {
		s := newScene(t, "")
		s.git.commits[odoo], s.git.commits[acme] = id(10), id(11)
		s.run("./odoo opened")
		pr := s.one()
		_, err := s.fake.EditPullRequest(t.Context(), s.repo, pr.Number, forge.Edit{Body: strings.Replace(pr.Body, "\n<!-- odyssey target", "\n<!-- odyssey chosen "+text+" -->\n<!-- odyssey target", 1)})
		must(t, err)
		_, err = s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
		must(t, err)
		if got := s.lockedOn(branch); got != want {
			t.Errorf("%.100s: locked %s, want %s", text, got, want)
		}
	}
}

// A demand does again what was closed, or merged and reverted.
func TestRun_demandComesBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	_, err := s.fake.EditPullRequest(t.Context(), s.repo, s.one().Number, forge.Edit{State: forge.Closed})
	must(t, err)
	s.run("./odoo held")
	s.demand(bot.Demand{All: true}, "./odoo reopened")
	s.human.Merge(t, s.one().Number)
	s.run("idle")
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "idle")
}

// A human's revert of what the bot proposed is a hold for that state, and for no
// other.
func TestRun_revert(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.bot.Commands = true
	before := s.main()
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.human.Merge(t, s.one().Number)
	s.run("idle")
	s.push("main", map[string]string{refresh.LockFile: before})
	for range 2 {
		outcome := s.run("./odoo held")[0]
		if want := "this was merged before and taken back since, which counts as a hold; it comes back with newer commits, or by /refresh"; outcome.Reason != want {
			t.Errorf("reason %q", outcome.Reason)
		}
	}
	s.human.DeleteBranch(t, branch)
	s.run("./odoo held")
	s.git.commits[acme] = id(12)
	s.run("./odoo opened")
	s.human.Merge(t, s.one().Number)
	s.push("main", map[string]string{refresh.LockFile: before})
	s.run("./odoo held")
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "./odoo opened")
	s.run("./odoo unchanged")
}

// What a demand is not about is left alone, also when it is due to be closed.
func TestRun_demandLeavesOthers(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme], s.git.commits[web] = id(11), id(21)
	s.run("./odoo opened", "./web opened")
	s.git.commits[acme], s.git.commits[web] = id(2), id(22)
	s.demand(bot.Demand{Destinations: []string{"./web"}}, "./web updated")
	s.demand(bot.Demand{Branch: "odyssey/merge/web"}, "./web unchanged")
	if len(s.open()) != 2 {
		t.Errorf("%d are open", len(s.open()))
	}
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "merge/odoo closed")
}

// A rebase makes the branch anew on the default branch, once.
func TestRun_rebase(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	rebase := bot.Demand{Branch: branch, Rebase: true}
	s.git.commits[acme], s.git.commits[web] = id(11), id(21)
	s.run("./odoo opened", "./web opened")
	s.demand(rebase, "./odoo unchanged")
	s.push("main", map[string]string{"README.md": "news\n"})
	s.run("./odoo unchanged", "./web unchanged")
	s.demand(rebase, "./odoo updated")
	made, err := s.fake.File(t.Context(), s.repo, branch, "README.md")
	must(t, err)
	if string(made) != "news\n" {
		t.Errorf("the branch has %q", made)
	}
	before := len(s.fake.Writes())
	s.demand(rebase, "./odoo unchanged")
	if writes := s.fake.Writes()[before:]; len(writes) > 0 {
		t.Errorf("again: %+v", writes)
	}
	mine := s.push(branch, map[string]string{"NOTES": "mine\n"})
	s.demand(rebase, "./odoo held")
	if s.head() != mine {
		t.Error("the human's commit is gone")
	}
}

// Names that do not exist are errors, and nothing is written.
func TestRun_demandErrors(t *testing.T) {
	t.Parallel()
	gone := &git.Error{Args: []string{"fetch"}, ExitCode: 128, Stderr: "fatal: remote error: upload-pack: not our ref <b>" + id(8)}
	for _, test := range []struct {
		name    string
		demand  bot.Demand
		history func() ([]git.History, error)
		want    string
	}{
		{"destination", bot.Demand{Destinations: []string{"./odo"}}, nil, "there is no destination ./odo\n  near: ./odoo\n  all: ./odoo, ./web"},
		{"merge", only("./odoo", "acme", "17.0-fox", ""), nil, "there is no merge ./odoo acme 17.0-fox\n  near: ./odoo acme 17.0-fix\n  all: ./odoo odoo 17.0, ./odoo acme 17.0-fix"},
		{"commit", only("./odoo", "", "", id(8)), func() ([]git.History, error) { return []git.History{{OldGone: true}}, nil }, "the server of `odoo` does not have the commit `" + id(8) + "`."},
		{"refused", only("./odoo", "", "", id(8)), func() ([]git.History, error) { return nil, gone }, "the server of `odoo` does not give me the commit `" + id(8) + "`: remote error: upload-pack: not our ref &lt;b&gt;" + id(8) + "."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			if test.history != nil {
				s.bot.Git = oddGit{s.git, test.history}
			}
			_, err := s.bot.Run(t.Context(), s.fake, s.name, test.demand)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v", err)
			}
			if writes := s.fake.Writes(); len(writes) > 0 {
				t.Errorf("wrote %+v", writes)
			}
		})
	}
}

// oddGit tells odd histories.
type oddGit struct {
	*upstreams
	history func() ([]git.History, error)
}

func (o oddGit) Histories(context.Context, string, []git.Range) ([]git.History, error) {
	return o.history()
}

// A commit that the branch does not lead to is proposed with a warning.
func TestRun_outside(t *testing.T) {
	t.Parallel()
	for want, h := range map[bool]git.History{true: {Ahead: 3, Behind: 2}, false: {Ahead: 3}} {
		s := newScene(t, "")
		s.bot.Git = oddGit{s.git, func() ([]git.History, error) { return []git.History{h}, nil }}
		s.demand(only("./odoo", "", "", id(8)), "./odoo opened")
		s.run("./odoo unchanged")
		if got := strings.Contains(s.one().Body, "`0000008` is not part of odoo 17.0**"); got != want {
			t.Errorf("%+v: warned %t:\n%s", h, got, s.one().Body)
		}
	}
}

// A fault that passes while the commit is looked for is one.
func TestRun_outsideTransient(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	fault := fmt.Errorf("no route: %w", git.ErrTransient)
	s.bot.Git = oddGit{s.git, func() ([]git.History, error) { return nil, fault }}
	_, err := s.bot.Run(t.Context(), s.fake, s.name, only("./odoo", "", "", id(8)))
	refused := (*bot.RefusedError)(nil)
	if !errors.Is(err, git.ErrTransient) || errors.As(err, &refused) {
		t.Errorf("error %v", err)
	}
}

// While the lock and repos.yaml disagree, a demand is told so, and what makes
// them agree is proposed.
func TestRun_demandOutOfSync(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme], s.git.commits[web] = id(11), id(21)
	s.push("main", map[string]string{refresh.ReposFile: strings.Replace(repos, "odoo 17.0, ", "", 1)})
	s.demand(bot.Demand{Destinations: []string{"./web"}}, "./web opened")
	s.demand(bot.Demand{Destinations: []string{"./odoo"}}, "lock opened", "./odoo held")
}

// A run with a demand looks at the forge as often as one without, and one that
// has nothing to do at all asks for no issues.
func TestRun_calls(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	count := func(d bot.Demand) (calls []string) {
		n := len(s.fake.Calls())
		_, err := s.bot.Run(t.Context(), s.fake, s.name, d)
		must(t, err)
		for _, c := range s.fake.Calls()[n:] {
			calls = append(calls, c.Method)
		}
		return calls
	}
	if diff := cmp.Diff([]string{"Repo", "Snapshot", "OpenPullRequests"}, count(bot.Demand{})); diff != "" {
		t.Errorf("nothing newer (-want +got):\n%s", diff)
	}
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	for _, d := range []bot.Demand{{}, {All: true}} {
		if diff := cmp.Diff([]string{"Repo", "Snapshot", "OwnIssues", "OpenPullRequests"}, count(d)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", d, diff)
		}
	}
}

// What would not fit into a pull request's text is refused; a run without a
// demand takes no offence.
func TestRun_choicesFull(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	d := only("./odoo", "acme", "17.0-fix", "")
	d.Choices[0].By = strings.Repeat("a", 30_000)
	_, err := s.bot.Run(t.Context(), s.fake, s.name, d)
	refused := (*bot.RefusedError)(nil)
	if !errors.As(err, &refused) || len(s.fake.Writes()) > 0 {
		t.Errorf("error %v", err)
	}
}
