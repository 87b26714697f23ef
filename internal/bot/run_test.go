package bot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// How a run goes on after faults: how long it waits, and when it gives up.
func TestRun_attempts(t *testing.T) {
	t.Parallel()
	unknown := errors.New("unknown")
	limited := func(d time.Duration) error { return &forge.RateLimitError{RetryAfter: d} }
	const s = time.Second
	for _, test := range []struct {
		name   string
		errs   []error // of the first calls of OpenPullRequests; the last one stays
		waits  []time.Duration
		failed bool
	}{
		{"none", []error{nil}, nil, false},
		{"once", []error{forge.ErrTransient, nil}, []time.Duration{2 * s}, false},
		{"ever", []error{forge.ErrTransient}, []time.Duration{2 * s, 4 * s, 8 * s, 16 * s}, true},
		{"the last attempt succeeds", []error{forge.ErrTransient, forge.ErrTransient, forge.ErrTransient, forge.ErrTransient, nil}, []time.Duration{2 * s, 4 * s, 8 * s, 16 * s}, false},
		{"limited", []error{limited(40 * s), limited(3 * s), nil}, []time.Duration{40 * s, 4 * s}, false},
		{"limited for too long", []error{limited(61 * s)}, nil, true},
		{"lost", []error{forge.ErrLeaseLost, nil}, []time.Duration{0}, false},
		{"lost for ever", []error{forge.ErrLeaseLost}, []time.Duration{0, 0, 0, 0}, true},
		{"refused", []error{forge.ErrUnauthorized}, nil, true},
		{"unknown", []error{unknown}, nil, true},
		{"refused after all", []error{forge.ErrTransient, forge.ErrUnauthorized}, []time.Duration{2 * s}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			attempts := 0
			var last error
			s.fake.FailBefore(func(method string) error {
				if method != "OpenPullRequests" {
					return nil
				}
				last = test.errs[min(attempts, len(test.errs)-1)]
				attempts++
				return last
			})
			_, err := s.bot.Run(t.Context(), s.fake, s.name)
			if !errors.Is(err, last) || test.failed != (err != nil) {
				t.Errorf("error %v, want %v", err, last)
			}
			if diff := cmp.Diff(test.waits, s.waited); diff != "" || attempts != len(test.waits)+1 {
				t.Errorf("%d attempts, waits (-want +got):\n%s", attempts, diff)
			}
			if writes := s.fake.Writes(); test.failed && len(writes) > 0 {
				t.Errorf("wrote %+v", writes)
			}
		})
	}
}

func TestRun_cancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	s.fake.FailBefore(func(string) error { cancel(); return forge.ErrTransient })
	if _, err := s.bot.Run(ctx, s.fake, s.name); !errors.Is(err, context.Canceled) || len(s.waited) != 1 {
		t.Errorf("error %v after %d waits", err, len(s.waited))
	}
}

// What people have to mend is not tried again, and nothing is written.
func TestRun_permanentErrors(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"configuration": {refresh.ConfigFile: "merges: {grup: all}\n"},
		"repos":         {refresh.ReposFile: "./odoo: {}\n"},
		"lock":          {refresh.LockFile: "<<<<<<< a\n"},
		"unknown ref":   {refresh.ReposFile: strings.Replace(repos, "oca 17.0", "oca 17.O", 1)},
		"loopback":      {refresh.ReposFile: strings.Replace(repos, "git.example.org/web", "127.0.0.1/web", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			s.push("main", files)
			_, err := s.bot.Run(t.Context(), s.fake, s.name)
			if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) {
				t.Errorf("error %v", err)
			}
			if len(s.waited) > 0 || len(s.fake.Writes()) > 0 {
				t.Errorf("waited %v, wrote %+v", s.waited, s.fake.Writes())
			}
		})
	}
	s := newScene(t, "")
	if _, err := s.bot.Run(t.Context(), s.fake, forge.Name{Owner: "no", Name: "where"}); !errors.Is(err, forge.ErrNotFound) || len(s.waited) > 0 {
		t.Errorf("unknown repository: error %v, waited %v", err, s.waited)
	}
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.human.EmptyRepo(t))
	if err != nil || len(outcomes) != 1 || outcomes[0].Reason != "the repository is empty" {
		t.Errorf("empty repository: error %v, outcomes %+v", err, outcomes)
	}
}

// archived is a forge whose repositories are all archived.
type archived struct{ bot.Forge }

func (a archived) Repo(ctx context.Context, name forge.Name) (forge.Repo, error) {
	repo, err := a.Forge.Repo(ctx, name)
	repo.Archived = true
	return repo, err
}

func TestRun_idle(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	for _, test := range []struct {
		forge bot.Forge
		act   func()
		want  string
	}{
		{s.fake, func() {}, "every merge is at its newest commit"},
		{s.fake, func() {
			s.git.commits[acme] = id(11)
			s.push("main", map[string]string{refresh.ConfigFile: "merges: {enabled: false}\n"})
		}, "merges are not enabled in .odyssey.yaml"},
		{archived{s.fake}, func() {}, "the repository is archived"},
	} {
		test.act()
		outcomes, err := s.bot.Run(t.Context(), test.forge, s.name)
		if diff := cmp.Diff([]bot.Outcome{{Repo: s.name.String(), Action: bot.Idle, Reason: test.want}}, outcomes); diff != "" || err != nil {
			t.Errorf("error %v, outcomes (-want +got):\n%s", err, diff)
		}
	}
}

// What the bot writes when it opens a pull request.
func TestRun_opens(t *testing.T) {
	t.Parallel()
	s := newScene(t, "merges: {labels: [dependencies, odoo], reviewers: [human]}\n")
	s.git.commits[acme] = id(11)
	outcome := s.run("./odoo opened")[0]
	pr := s.one()
	want := bot.Outcome{Repo: s.name.String(), Group: "./odoo", Action: bot.Opened, Title: pr.Title, URL: pr.URL}
	if diff := cmp.Diff(want, outcome); diff != "" || pr.Title != "Refresh `./odoo`: acme 17.0-fix +1 commit" {
		t.Errorf("title %q; outcome (-want +got):\n%s", pr.Title, diff)
	}
	if pr.Head != branch || pr.Base != "main" || pr.URL == "" {
		t.Errorf("pull request %+v", pr)
	}
	made, err := s.fake.Branch(t.Context(), s.repo, branch)
	must(t, err)
	if made.Committer != identity {
		t.Errorf("committed by %+v", made.Committer)
	}
	if !strings.HasPrefix(made.Message, "Refresh ./odoo: acme 17.0-fix +1 commit\n\n") || !strings.Contains(made.Message, "\nOdyssey-Target: ") {
		t.Errorf("message %q", made.Message)
	}
	seen := s.human.Inspect(t, pr.Number)
	if diff := cmp.Diff(forgetest.Inspection{Labels: []string{"dependencies", "odoo"}, Reviewers: []string{"human"}}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := s.look().Branches[branch], strings.Replace(s.main(), id(2), id(11), 1); got != want {
		t.Errorf("the lock (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// Reviewers that cannot be asked are logged, and no reason to fail.
func TestRun_reviewerUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t, "merges: {reviewers: [nobody, human]}\n")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	if log := s.logged.String(); !strings.Contains(log, "level=WARN msg=\"reviewers not asked\"") || !strings.Contains(log, "nobody") || len(s.waited) > 0 {
		t.Errorf("log %q", log)
	}
	if got := s.human.Inspect(t, 1).Reviewers; !slices.Equal(got, []string{"human"}) {
		t.Errorf("reviewers %q", got)
	}
	s.run("./odoo unchanged")
}

// The limit counts what is open, and what a run closes makes place in it.
func TestRun_limit(t *testing.T) {
	t.Parallel()
	s := newScene(t, "pullRequests: {limit: 1}\n")
	s.human.ForkPullRequest(t, "odyssey/merge/x") // not the bot's, not counted
	s.git.commits[acme], s.git.commits[web] = id(11), id(21)
	outcomes := s.run("./odoo opened", "./web held")
	if got := outcomes[1].Reason; got != "1 pull requests are open, and pullRequests.limit is 1" {
		t.Errorf("reason %q", got)
	}
	s.git.commits[acme] = id(12)
	s.run("./odoo updated", "./web held")
	s.git.commits[acme] = id(2)
	s.run("merge/odoo closed", "./web opened")
	s.git.commits[acme] = id(13)
	s.run("./odoo held", "./web unchanged")
	s.push("main", map[string]string{refresh.ConfigFile: "pullRequests: {limit: 2}\n"})
	s.run("./odoo opened", "./web unchanged")
}

// A dry run says what a run would do at each step of the story, and writes
// nothing.
func TestRun_dry(t *testing.T) {
	t.Parallel()
	s := newScene(t, "merges: {reviewers: [human]}\n")
	for _, step := range story() {
		step.act(s)
		before := s.look()
		writes := len(s.fake.Writes())
		dry, err := s.bot.Run(t.Context(), bot.DryRun(s.fake), s.name)
		must(t, err)
		if n := len(s.fake.Writes()); n != writes {
			t.Errorf("%s: wrote %+v", step.name, s.fake.Writes()[writes:])
		}
		if diff := cmp.Diff(before, s.look()); diff != "" {
			t.Errorf("%s: changed (-before +after):\n%s", step.name, diff)
		}
		done, err := s.bot.Run(t.Context(), s.fake, s.name)
		must(t, err)
		for i := range done {
			if done[i].Action == bot.Opened {
				done[i].URL = "" // nobody knows it before
			}
		}
		if diff := cmp.Diff(done, dry); diff != "" {
			t.Errorf("%s (-done +dry):\n%s", step.name, diff)
		}
	}
}

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
	theirs, err := s.fake.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: branch, Base: "staging", Title: "Try it", Body: "mine"})
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

// The bot's pull request, led onto another branch by a human, stays the bot's.
func TestRun_retargeted(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	f := retargeted{s.fake}
	s.git.commits[acme] = id(12)
	outcomes, err := s.bot.Run(t.Context(), f, s.name)
	if err != nil || len(outcomes) != 1 || outcomes[0].Action != bot.Updated {
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
	if _, err := s.bot.Run(t.Context(), s.fake, s.name); !errors.Is(err, forge.ErrUnauthorized) || s.head() == "" {
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
			_, err = s.bot.Run(t.Context(), s.fake, s.name)
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
	// Nothing is left to propose: it stays open, for it is no more the bot's alone.
	s.push("main", map[string]string{refresh.LockFile: s.newest()})
	s.run("merge/odoo held")
	if s.head() != mine {
		t.Error("the human's commit is gone")
	}
}
