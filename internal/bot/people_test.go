package bot_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

// A pull request from a fork is not the bot's, whatever its branch is called.
func TestRun_fork(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	number := s.human.ForkPullRequest(t, branch)
	s.run("idle")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.git.commits[acme] = id(12)
	s.run("./odoo updated")
	s.git.commits[acme] = id(2)
	s.run("merge/odoo closed")
	for _, c := range s.fake.Writes() {
		if c.Number == number {
			t.Errorf("wrote %+v", c)
		}
	}
	if pr := s.one(); pr.Number != number || pr.Title != "from outside" {
		t.Errorf("open: %+v", pr)
	}
}

// A human opens another pull request from the bot's branch, onto a branch of
// theirs: it is not the bot's to keep, nor to close or open again.
func TestRun_anotherBase(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.push("staging", map[string]string{"README.md": "staging\n"})
	theirs, err := s.fake.CreateAs(t.Context(), forgetest.FakeHuman, s.repo, forge.NewPullRequest{Head: branch, Base: "staging", Title: "Try it", Body: "mine"})
	must(t, err)
	check := func(state forge.State) {
		t.Helper()
		pr, err := s.fake.LastPullRequest(t.Context(), s.repo, branch)
		must(t, err)
		if pr.Number != theirs.Number || pr.State != state || pr.Body != "mine" {
			t.Errorf("%+v", pr)
		}
	}
	s.run("./odoo unchanged")
	check(forge.Open)
	s.git.commits[acme] = id(12)
	s.run("./odoo updated")
	check(forge.Open)
	for _, pr := range s.open() {
		_, err := s.fake.EditPullRequest(t.Context(), s.repo, pr.Number, forge.Edit{State: forge.Closed})
		must(t, err)
	}
	s.git.commits[acme] = id(13)
	s.run("./odoo opened")
	if pr := s.one(); pr.Base != "main" {
		t.Errorf("opened onto %s", pr.Base)
	}
}

// The same when there is nothing left to propose.
func TestRun_anotherBaseStays(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.push("staging", map[string]string{"README.md": "staging\n"})
	theirs, err := s.fake.CreateAs(t.Context(), forgetest.FakeHuman, s.repo, forge.NewPullRequest{Head: branch, Base: "staging", Title: "Try it", Body: "mine"})
	must(t, err)
	s.git.commits[acme] = id(2)
	s.run("merge/odoo closed")
	for _, c := range s.fake.Calls() {
		if c.Number == theirs.Number {
			t.Errorf("touched theirs: %+v", c)
		}
	}
}

// One that the bot opened onto what was the default branch then is not opened
// again, but made anew.
func TestRun_closedOntoAnotherBase(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.push("old", map[string]string{"README.md": "old\n"})
	_, err := s.fake.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: branch, Base: "old", Title: "Old"})
	must(t, err)
	for _, pr := range s.open() {
		_, err := s.fake.EditPullRequest(t.Context(), s.repo, pr.Number, forge.Edit{State: forge.Closed})
		must(t, err)
	}
	s.git.commits[acme] = id(12)
	s.run("./odoo opened")
	if pr := s.one(); pr.Base != "main" {
		t.Errorf("%+v", pr)
	}
}

// A branch that the bot may not delete, because it is protected, keeps nothing
// open.
func TestRun_protectedBranch(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.git.commits[acme] = id(2)
	s.fake.FailBefore(func(method string) error {
		if method == "DeleteBranch" {
			return forge.ErrUnauthorized
		}
		return nil
	})
	s.run("merge/odoo closed")
	if now := s.look(); len(now.Open) > 0 || len(now.Comments) != 1 {
		t.Errorf("%+v", now)
	}
}

// A forge that does not open a closed pull request again gets a new one.
func TestRun_cannotReopen(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	_, err := s.fake.EditPullRequest(t.Context(), s.repo, 1, forge.Edit{State: forge.Closed})
	must(t, err)
	s.git.commits[acme] = id(12)
	s.fake.FailBefore(func(method string) error {
		if method == "EditPullRequest" {
			return forge.ErrConflict
		}
		return nil
	})
	s.run("./odoo opened")
	if pr := s.one(); pr.Number != 2 {
		t.Errorf("#%d is open", pr.Number)
	}
}

// The bot's pull request that leads onto another branch than the default one,
// because that changed or somebody chose so, is replaced.
func TestRun_retargeted(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	f := retargeted{s.fake}
	s.git.commits[acme] = id(12)
	outcomes, err := s.bot.Run(t.Context(), f, s.name, bot.Demand{})
	if err != nil || len(outcomes) != 2 || outcomes[0].Action != bot.Closed || outcomes[1].Action != bot.Opened {
		t.Errorf("error %v, outcomes %+v", err, outcomes)
	}
	if n := len(s.open()); n != 1 {
		t.Errorf("%d are open", n)
	}
}

// retargeted is a forge whose pull requests lead onto the branch staging.
type retargeted struct{ bot.Forge }

func (r retargeted) OpenPullRequests(ctx context.Context, repo forge.Repo) ([]forge.PullRequest, error) {
	open, err := r.Forge.OpenPullRequests(ctx, repo)
	for i := range open {
		open[i].Base = "staging"
	}
	return open, err
}

// A branch of the bot's name that the bot did not make is left alone, until its
// owner deletes it.
func TestRun_foreignBranch(t *testing.T) {
	t.Parallel()
	for name, commit := range map[string]forgetest.Commit{
		"a human's":           {Branch: branch, Message: "Mine"},
		"without the trailer": {Branch: branch, Message: "Mine\n", By: identity},
		"with it, a human's":  {Branch: branch, Message: "Mine\n\n" + refresh.Trailer + "x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			mine := s.human.Push(t, commit)[0]
			s.git.commits[acme] = id(11)
			outcome := s.run("./odoo held")[0]
			if want := "the branch " + branch + " has commits that are not the bot's; delete it to hand it back"; outcome.Reason != want || s.head() != mine {
				t.Errorf("reason %q, the branch is at %s", outcome.Reason, s.head())
			}
			if writes := s.fake.Writes(); len(writes) > 0 {
				t.Errorf("wrote %+v", writes)
			}
			s.human.DeleteBranch(t, branch)
			s.run("./odoo opened")
		})
	}
}

// A branch of the bot's that lost its pull request is used again.
func TestRun_ownBranchWithoutPullRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.fake.FailBefore(func(method string) error {
		if method == "CreatePullRequest" {
			return forge.ErrUnauthorized
		}
		return nil
	})
	if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); !errors.Is(err, forge.ErrUnauthorized) || s.head() == "" {
		t.Fatalf("error %v, branch %q", err, s.head())
	}
	s.look()
	s.git.commits[acme] = id(12)
	s.run("./odoo opened")
	if got := s.look().Branches[branch]; !strings.Contains(got, id(12)) {
		t.Errorf("the branch has %s", got)
	}
}

// Somebody took the mark, or all, out of a pull request's text: it is written
// anew. Two marks become one and the same.
func TestRun_textByHand(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(string) string{
		"no mark":   func(body string) string { return strings.Split(body, "<!-- odyssey")[0] },
		"nothing":   func(string) string { return "All mine." },
		"half":      func(body string) string { return body[:len(body)-40] },
		"two marks": func(body string) string { return body + body },
		"CRLF":      func(body string) string { return strings.ReplaceAll(body, "\n", "\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			s.run("./odoo opened")
			pr := s.one()
			_, err := s.fake.EditPullRequest(t.Context(), s.repo, pr.Number, forge.Edit{Body: edit(pr.Body)})
			must(t, err)
			_, err = s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
			must(t, err)
			s.git.commits[acme] = id(12)
			s.run("./odoo updated")
			if got := s.one(); !strings.Contains(got.Body, id(12)) || strings.Count(got.Body, "<!-- odyssey") != 1 {
				t.Errorf("body %q", got.Body)
			}
			s.run("./odoo unchanged")
		})
	}
}

// F8: the note in a pull request that is left alone is written once for each
// target, and goes when the branch is handed back.
func TestFault_F8_Note(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	mine := s.push(branch, map[string]string{"NOTES": "mine\n"})
	for n := 12; n < 14; n++ {
		s.git.commits[acme] = id(n)
		s.run("./odoo held")
		writes := len(s.fake.Writes())
		s.run("./odoo held")
		if got := s.fake.Writes()[writes:]; len(got) > 0 {
			t.Errorf("said again: %+v", got)
		}
		body := s.one().Body
		want := "> - ./odoo acme 17.0-fix → `" + id(n) + "`\n>\n> To hand it back, delete the branch `" + branch + "`"
		if strings.Count(body, "Somebody pushed") != 1 || !strings.Contains(body, want) {
			t.Errorf("want %q in\n%s", want, body)
		}
	}
	// The note goes with what would be proposed, also back to what the branch has.
	s.git.commits[acme] = id(11)
	s.run("./odoo held")
	if body := s.one().Body; !strings.Contains(body, "acme 17.0-fix → `"+id(11)) {
		t.Errorf("the note is old:\n%s", body)
	}
	s.git.commits[acme] = id(13)
	// Nothing is left to propose: it stays open, for it is no more the bot's alone.
	s.push("main", map[string]string{refresh.LockFile: s.newest()})
	s.run("merge/odoo held")
	if s.head() != mine {
		t.Error("the human's commit is gone")
	}
}

// What others say with the bot's words counts for nothing: neither a pull
// request from its branch with its mark, nor a comment with its closing word.
func TestRun_strangerWithMark(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	mine := s.one()
	_, err := s.fake.EditPullRequest(t.Context(), s.repo, mine.Number, forge.Edit{State: forge.Closed, Body: "no mark"})
	must(t, err)
	theirs, err := s.fake.CreateAs(t.Context(), forgetest.FakeHuman, s.repo, forge.NewPullRequest{Head: branch, Base: "staging", Title: "Mine", Body: mine.Body})
	if err != nil {
		s.push("staging", map[string]string{"README.md": "staging\n"})
		theirs, err = s.fake.CreateAs(t.Context(), forgetest.FakeHuman, s.repo, forge.NewPullRequest{Head: branch, Base: "staging", Title: "Mine", Body: mine.Body})
	}
	must(t, err)
	_, err = s.fake.EditPullRequest(t.Context(), s.repo, theirs.Number, forge.Edit{State: forge.Closed})
	must(t, err)
	s.run("./odoo opened")
	s.human.Comment(t, s.one().Number, "> <!-- odyssey closes this -->")
	s.git.commits[acme] = id(2)
	number := s.one().Number
	s.run("merge/odoo closed")
	comments, err := s.fake.Comments(t.Context(), s.repo, number)
	must(t, err)
	if len(comments) != 2 || !strings.HasPrefix(comments[1].Body, "Closing: ") {
		t.Errorf("comments %+v", comments)
	}
}

// One group that fails for good does not keep the others.
func TestRun_oneFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.git.commits[web] = id(21)
	s.fake.FailBefore(func(method string) error {
		if method == "Push" && len(s.open()) == 0 {
			s.fake.FailBefore(nil)
			return forge.ErrUnauthorized
		}
		return nil
	})
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	if !errors.Is(err, forge.ErrUnauthorized) || len(outcomes) != 1 || outcomes[0].Action != bot.Opened {
		t.Errorf("error %v, outcomes %+v", err, outcomes)
	}
}

// A run that could not open its pull request leaves a branch that the next one
// takes as it is.
func TestRun_branchIsReused(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.fake.FailBefore(func(method string) error {
		if method == "CreatePullRequest" {
			return forge.ErrUnauthorized
		}
		return nil
	})
	for range 3 {
		if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); !errors.Is(err, forge.ErrUnauthorized) {
			t.Fatal(err)
		}
	}
	pushes := 0
	for _, c := range s.fake.Writes() {
		if c.Method == "Push" {
			pushes++
		}
	}
	if pushes != 1 {
		t.Errorf("%d pushes of the same, want 1", pushes)
	}
}
