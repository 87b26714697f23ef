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
			_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
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

// F3: a forge that asks to wait is not called until then, for other groups
// neither; what was seen when a lease is lost is not acted upon.
func TestFault_F3_NoCallBeforeTheWait(t *testing.T) {
	t.Parallel()
	for _, class := range []error{&forge.RateLimitError{RetryAfter: 30 * time.Second}, forge.ErrLeaseLost} {
		for _, method := range []string{"Comments", "LastPullRequest", "Branch", "Push"} {
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			s.run("./odoo opened")
			if s.git.commits[web] = id(21); method == "Comments" { // two to close
				s.run("./odoo unchanged", "./web opened")
				s.git.commits[acme], s.git.commits[web] = id(2), id(3)
			} else {
				s.git.commits[acme] = id(12)
			}
			failed, after := false, 0
			s.fake.FailBefore(func(called string) error {
				if failed {
					after++
					return nil
				}
				if failed = called == method; failed {
					return class
				}
				return nil
			})
			called := -1
			wait := s.bot.Wait
			s.bot.Wait = func(ctx context.Context, d time.Duration) error {
				called = after
				return wait(ctx, d)
			}
			if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); err != nil || called != 0 {
				t.Errorf("%v at %s: %d calls before the wait, error %v", class, method, called, err)
			}
		}
	}
}

func TestRun_cancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	s.fake.FailBefore(func(string) error { cancel(); return forge.ErrTransient })
	if _, err := s.bot.Run(ctx, s.fake, s.name, bot.Demand{}); !errors.Is(err, context.Canceled) || len(s.waited) != 1 {
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
		"loopback":      {refresh.ReposFile: strings.Replace(repos, "git.example.org/web", "127.0.0.1/web", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.git.commits[acme] = id(11)
			s.push("main", files)
			_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
			if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) {
				t.Errorf("error %v", err)
			}
			if len(s.waited) > 0 || len(s.fake.Writes()) > 0 {
				t.Errorf("waited %v, wrote %+v", s.waited, s.fake.Writes())
			}
		})
	}
	s := newScene(t, "")
	if _, err := s.bot.Run(t.Context(), s.fake, forge.Name{Owner: "no", Name: "where"}, bot.Demand{}); !errors.Is(err, forge.ErrNotFound) || len(s.waited) > 0 {
		t.Errorf("unknown repository: error %v, waited %v", err, s.waited)
	}
	outcomes, err := s.bot.Run(t.Context(), s.fake, s.human.EmptyRepo(t), bot.Demand{})
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
		outcomes, err := s.bot.Run(t.Context(), test.forge, s.name, bot.Demand{})
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
		calls := len(s.fake.Calls())
		dry, err := s.bot.Run(t.Context(), bot.DryRun(s.fake), s.name, bot.Demand{})
		must(t, err)
		for _, c := range s.fake.Calls()[calls:] {
			if c.Write {
				t.Errorf("%s: wrote %+v", step.name, c)
			}
		}
		if diff := cmp.Diff(before, s.look()); diff != "" {
			t.Errorf("%s: changed (-before +after):\n%s", step.name, diff)
		}
		done, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
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

// What the bot closed by itself it proposes again when it is due again; what a
// human closed, it does not.
func TestRun_comesBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	for range 2 {
		s.git.commits[acme] = id(11)
		s.run("./odoo opened")
		s.git.commits[acme] = id(2)
		s.run("merge/odoo closed")
		s.run("idle")
	}
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	_, err := s.fake.EditPullRequest(t.Context(), s.repo, s.one().Number, forge.Edit{State: forge.Closed})
	must(t, err)
	s.git.commits[acme] = id(2)
	s.run("idle")
	s.git.commits[acme] = id(11)
	outcome := s.run("./odoo held")[0]
	if want := "this was closed before; it comes back with newer commits"; outcome.Reason != want || outcome.URL == "" {
		t.Errorf("outcome %+v", outcome)
	}
}

// The lock on the default branch changes where the pull request does not
// conflict: that is noted, once, and the branch stays as it is.
func TestRun_lockChangesElsewhere(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	head := s.head()
	s.push("main", map[string]string{refresh.LockFile: s.main() + "\n# A comment at the end.\n"})
	writes := len(s.fake.Writes())
	s.run("./odoo unchanged")
	if got := s.fake.Writes()[writes:]; len(got) != 1 || got[0].Method != "EditPullRequest" || s.head() != head {
		t.Errorf("wrote %+v", got)
	}
	calls := len(s.fake.Calls())
	s.run("./odoo unchanged")
	if got := s.fake.Calls()[calls:]; len(got) != 4 { // the repository, its files, its issues, its pull requests
		t.Errorf("looked at again: %+v", got)
	}
}

// Destinations that share a pull request today have one each tomorrow.
func TestRun_regroup(t *testing.T) {
	t.Parallel()
	s := newScene(t, "merges: {group: all}\n")
	s.git.commits[acme], s.git.commits[web] = id(11), id(21)
	s.run("all opened")
	s.push("main", map[string]string{refresh.ConfigFile: ""})
	outcomes := s.run("merge/all closed", "./odoo opened", "./web opened")
	if got := outcomes[0].Reason; !strings.HasPrefix(got, "repos.yaml or the grouping in .odyssey.yaml changed") {
		t.Errorf("reason %q", got)
	}
	s.run("./odoo unchanged", "./web unchanged")
	s.push("main", map[string]string{refresh.ConfigFile: "merges: {group: {erp: ['*']}}\n"})
	s.run("merge/odoo closed", "merge/web closed", "erp opened")
}
