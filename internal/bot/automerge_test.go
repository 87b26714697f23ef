package bot_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
)

// owned is a scene in which the forge is to merge, and in which "ci" has to pass.
func owned(t *testing.T) (s *scene, owner forgetest.Owner) {
	t.Helper()
	return owns(newScene(t, "merges: {automerge: true}"))
}

// owner is the human, for whom "ci" has to pass.
func (s *scene) owner() forgetest.Owner {
	s.t.Helper()
	owner, is := s.human.(forgetest.Owner)
	if !is {
		s.t.Fatalf("%T owns nothing", s.human)
	}
	owner.Require(s.t, "ci")
	return owner
}

func owns(s *scene) (*scene, forgetest.Owner) {
	s.t.Helper()
	owner := s.owner()
	s.git.commits[acme] = id(11)
	return s, owner
}

// wantArmed compares whether the only pull request is to be merged by the forge,
// and what it says of that.
func (s *scene) wantArmed(armed bool, text string) {
	s.t.Helper()
	pr := s.one()
	if got := s.fake.Armed(s.t, s.name, pr.Number); got != armed {
		s.t.Errorf("armed: %t, want %t", got, armed)
	}
	if !strings.Contains(pr.Body, text) || strings.Count(pr.Body, "<!-- odyssey automerge=") != 1 {
		s.t.Errorf("text without %q:\n%s", text, pr.Body)
	}
}

const byForge = "**Automerge:** the forge merges this once what its base branch requires has passed."

func TestAutomerge(t *testing.T) {
	t.Parallel()
	s, owner := owned(t)
	s.run("./odoo opened")
	s.wantArmed(true, byForge)
	if !strings.Contains(s.one().Body, "<!-- odyssey automerge="+s.head()+" -->") {
		t.Errorf("text:\n%s", s.one().Body)
	}
	n := len(s.fake.Writes())
	s.run("./odoo unchanged")
	if writes := s.fake.Writes()[n:]; len(writes) > 0 {
		t.Errorf("a run with nothing new writes: %+v", writes)
	}

	// What is pushed by the bot is decided about anew.
	s.git.commits[acme] = id(12)
	n = len(s.fake.Writes())
	s.run("./odoo updated")
	s.wantArmed(true, byForge)
	var order []string
	for _, call := range s.fake.Writes()[n:] {
		order = append(order, call.Method)
	}
	if got, want := strings.Join(order, " "), "CancelAutomerge Push EditPullRequest Automerge EditPullRequest"; got != want {
		t.Errorf("writes: %s, want %s", got, want)
	}
	owner.Report(t, s.head(), "ci", "success")
	if open := s.open(); len(open) > 0 {
		t.Errorf("open: %+v", open)
	}
}

// What people do takes it back, and it comes again with its reason gone. What
// they take back themselves stays so.
func TestAutomerge_people(t *testing.T) {
	t.Parallel()
	s, owner := owned(t)
	s.run("./odoo opened")
	owner.Review(t, s.one().Number, false)
	if outcomes := s.run("./odoo unchanged"); outcomes[0].Reason != "no automerge: a review asks for changes" {
		t.Errorf("%+v", outcomes)
	}
	s.wantArmed(false, "**No automerge:** a review asks for changes.")
	owner.Review(t, s.one().Number, true)
	s.run("./odoo unchanged")
	s.wantArmed(true, byForge)

	must(t, s.fake.CancelAutomerge(t.Context(), s.repo, s.one().Number)) // a person does
	s.run("./odoo unchanged")
	s.wantArmed(false, byForge)

	s.git.commits[acme] = id(12)
	s.run("./odoo updated")
	s.wantArmed(true, byForge)
	s.push(branch, map[string]string{"README.md": "mine"})
	s.run("./odoo unchanged")
	s.wantArmed(false, "**No automerge:** somebody pushed to its branch.")
	s.git.commits[acme] = id(13)
	s.run("./odoo held")
	s.wantArmed(false, "**No automerge:** somebody pushed to its branch.")
}

// A hold takes it back, at the word and at any later run.
func TestAutomerge_held(t *testing.T) {
	t.Parallel()
	desk := newDesk(t, "merges: {automerge: true}")
	s, _ := owns(desk.scene)
	s.run("./odoo opened")
	desk.obeys("/hold ./odoo")
	s.wantArmed(false, "**No automerge:** `./odoo` is held.")
	s.run("./odoo held")
	s.wantArmed(false, "**No automerge:** `./odoo` is held.")
	desk.obeys("/unhold ./odoo")
	s.run("./odoo unchanged")
	s.wantArmed(true, byForge)
}

// Whatever somebody has to look at is never merged so, nor what the policy does
// not want merged, nor where the forge has nothing to wait for.
func TestAutomerge_never(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(s *scene, owner forgetest.Owner)
		demand  bot.Demand
		want    string
	}{
		"rewritten": {func(s *scene, _ forgetest.Owner) { s.bot.Git = rewritten{s.git} }, bot.Demand{}, "**No automerge:** history was rewritten, or moves too far to tell, so that somebody has to look at it."},
		"not of its ref": {func(s *scene, _ forgetest.Owner) {
			s.bot.Git = oddGit{s.git, func() ([]git.History, error) { return []git.History{{Behind: 1}}, nil }}
		}, only("./odoo", "", "", id(8)), "a commit is not part of its ref"},
		"nothing required": {func(s *scene, owner forgetest.Owner) { owner.Require(s.t, "") }, bot.Demand{}, "**No automerge:** nothing is required here."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, owner := owned(t)
			test.prepare(s, owner)
			s.demand(test.demand, "./odoo opened")
			s.wantArmed(false, test.want)
			s.run("./odoo unchanged")
			s.wantArmed(false, test.want)
		})
	}
}

// What is locked for the first time has passed no policy of merges.
func TestAutomerge_sync(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.git.commits[acme] = id(2)
	s.push("main", map[string]string{refresh.ReposFile: strings.Replace(repos, "17.0-fix", "17.0-hot", 1)})
	s.git.commits[strings.Replace(acme, "17.0-fix", "17.0-hot", 1)] = id(4)
	s.run("lock opened", "./odoo held")
	s.wantArmed(false, "**No automerge:** it locks what was not locked before")
}

// A policy that cannot be read may have been to end it.
func TestAutomerge_brokenPolicy(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.run("./odoo opened")
	s.push("main", map[string]string{refresh.ConfigFile: "merges: {automerg: false}"})
	for _, want := range []int{2, 0} {
		n := len(s.fake.Writes())
		if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); err == nil || !strings.Contains(err.Error(), "automerg") {
			t.Errorf("error %v", err)
		}
		s.wantArmed(false, "**No automerge:** `.odyssey.yaml` has faults.")
		if writes := s.fake.Writes()[n:]; len(writes) != want {
			t.Errorf("written: %+v", writes)
		}
	}
}

// A remote that does not answer for a while changes nothing, unless people do.
func TestAutomerge_silent(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.run("./odoo opened")
	n := len(s.fake.Writes())
	s.git.failing["https://git.example.org/acme.git"] = fmt.Errorf("%w: no route", git.ErrTransient)
	quiet := func() {
		if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); !errors.Is(err, git.ErrTransient) {
			t.Errorf("error %v", err)
		}
	}
	quiet()
	if writes := s.fake.Writes()[n:]; len(writes) > 0 {
		t.Errorf("written: %+v", writes)
	}
	s.wantArmed(true, byForge)
	s.push(branch, map[string]string{"README.md": "mine"})
	quiet()
	s.wantArmed(false, "**No automerge:** somebody pushed to its branch.")
}

// The policy may change its mind about what is open.
func TestAutomerge_policy(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.push("main", map[string]string{refresh.ConfigFile: ""})
	s.run("./odoo opened")
	if body := s.one().Body; strings.Contains(body, "utomerge") {
		t.Fatalf("text:\n%s", body)
	}
	s.push("main", map[string]string{refresh.ConfigFile: "merges: {automerge: true}"})
	s.run("./odoo updated")
	s.wantArmed(true, byForge)
	s.push("main", map[string]string{refresh.ConfigFile: ""})
	s.run("./odoo unchanged")
	s.wantArmed(false, "**No automerge:** `automerge` is not set in `.odyssey.yaml` any more.")
}

// What is not wanted any more is not merged by the forge either.
func TestAutomerge_disabled(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.run("./odoo opened")
	s.push("main", map[string]string{refresh.ConfigFile: "merges: {automerge: true, enabled: false}"})
	_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	must(t, err)
	s.wantArmed(false, "**No automerge:** nothing of its kind is proposed here any more.")
}

// A run that ends at any write leaves what the next one brings to the same.
func TestAutomerge_crash(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		s, _ := owned(t)
		count := 0
		s.fake.FailAfter(func(string) error {
			if count++; count == n {
				return errors.New("killed")
			}
			return nil
		})
		_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
		s.fake.FailAfter(nil)
		if err == nil && count < n {
			return
		}
		_, err = s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
		must(t, err)
		s.wantArmed(true, byForge)
	}
}

// What was pushed by a run that ended before it could say so is not merged under a
// text about something else.
func TestAutomerge_otherText(t *testing.T) {
	t.Parallel()
	s, _ := owned(t)
	s.run("./odoo opened")
	killed := errors.New("killed")
	s.fake.FailAfter(func(method string) error {
		if method == "Push" {
			return killed
		}
		return nil
	})
	if _, err := s.bot.Run(t.Context(), s.fake, s.name, only("./odoo", "", "", id(8))); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	s.fake.FailAfter(nil)
	s.run("./odoo unchanged")
	s.wantArmed(false, "**No automerge:** its branch is at something else than this says")
}

// A hold that was written when its run ended takes automerge back when it is
// obeyed again.
func TestAutomerge_heldAgain(t *testing.T) {
	t.Parallel()
	desk := newDesk(t, "merges: {automerge: true}")
	s, _ := owns(desk.scene)
	s.run("./odoo opened")
	_, item := desk.says(forgetest.FakeHuman, desk.human.OpenIssue(t, "A talk", ""), "/hold ./odoo")
	killed := errors.New("killed")
	s.fake.FailAfter(func(method string) error {
		if method == "CreateIssue" {
			return killed
		}
		return nil
	})
	if err := desk.worker.Work(t.Context(), desk.job("commands", 1, item)); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	s.fake.FailAfter(nil)
	desk.hears(item)
	s.wantArmed(false, "**No automerge:** `./odoo` is held.")
}

// A pull request that stands, since nothing has changed, is merged by the forge as
// before, and what people do takes that back.
func TestAutomerge_nothingNew(t *testing.T) {
	t.Parallel()
	d, p := newPinnedDesk(t, "base: {automerge: true}")
	d.owner()
	p.newest = "2"
	d.works("base")
	d.wantArmed(true, byForge)
	p.same = true
	d.works("base")
	d.wantArmed(true, byForge)
	d.push(pinBranch, map[string]string{"README.md": "mine"})
	d.works("base")
	d.wantArmed(false, "**No automerge:** somebody pushed to its branch.")
}

// What a text or a commit says that others can write is not believed.
func TestAutomerge_forged(t *testing.T) {
	t.Parallel()
	const forgotten = "**No automerge:** the bot does not remember that it made this commit; `/rebase` makes it anew."
	edit := func(s *scene, number int64, body string) {
		_, err := s.fake.EditPullRequest(s.t.Context(), s.repo, number, forge.Edit{Body: body})
		must(s.t, err)
	}
	t.Run("a text that had a doubt", func(t *testing.T) {
		t.Parallel()
		s, _ := owned(t)
		s.bot.Git = rewritten{s.git}
		s.run("./odoo opened")
		pr := s.one()
		body := strings.Replace(pr.Body, "automerge=no", "automerge=off", 1)
		if body == pr.Body {
			t.Fatalf("text:\n%s", pr.Body)
		}
		edit(s, pr.Number, body)
		s.run("./odoo unchanged")
		s.wantArmed(false, "**No automerge:** somebody has to look at it.")
	})
	t.Run("a commit in the bot's name", func(t *testing.T) {
		t.Parallel()
		s, _ := owned(t)
		s.run("./odoo opened")
		pr := s.one()
		own, err := s.fake.Branch(t.Context(), s.repo, pr.Head)
		must(t, err)
		onto, err := s.fake.Branch(t.Context(), s.repo, "main")
		must(t, err)
		_, err = s.fake.Push(t.Context(), s.repo, forge.Change{
			Base: "main", BaseHead: onto.Head, Branch: pr.Head, Lease: own.Head, Files: map[string][]byte{"evil": []byte("x")},
			Message: own.Message, By: identity, When: time.Now(),
		})
		must(t, err)
		s.run("./odoo unchanged")
		s.wantArmed(false, forgotten)
		s.demand(bot.Demand{Branch: branch, Rebase: true}, "./odoo updated")
		s.wantArmed(true, byForge)
	})
	t.Run("a text that hides what was asked", func(t *testing.T) {
		t.Parallel()
		s, _ := owned(t)
		s.run("./odoo opened")
		pr := s.one()
		edit(s, pr.Number, strings.Replace(pr.Body, "automerge="+s.head(), "automerge=off", 1))
		s.push(pr.Head, map[string]string{"README.md": "mine"})
		s.run("./odoo unchanged")
		s.wantArmed(false, "**No automerge:** somebody pushed to its branch.")
	})
	t.Run("what is kept is lost", func(t *testing.T) {
		t.Parallel()
		s, _ := owned(t)
		s.run("./odoo opened")
		s.bot.Memory = memory{}
		s.run("./odoo unchanged")
		s.wantArmed(false, forgotten)
	})
}
