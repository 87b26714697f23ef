package bot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	repos = `./odoo:
  remotes: {odoo: https://git.example.org/odoo.git, acme: https://git.example.org/acme.git}
  merges: [odoo 17.0, acme 17.0-fix]
./web:
  remotes: {oca: https://git.example.org/web.git}
  merges: [oca 17.0]
`
	// What moves in most tests, and where the bot proposes it.
	acme   = "https://git.example.org/acme.git 17.0-fix"
	web    = "https://git.example.org/web.git 17.0"
	branch = "odyssey/merge/odoo"
)

// id is the object id that begins with n.
func id(n int) string { return fmt.Sprintf("%07d%033d", n, 0) }

// upstreams is a bot.Git whose remotes are data, commits by "URL REF", and
// whose merging is git's own.
type upstreams struct {
	commits map[string]string
	failing map[string]error // by URL
	closed  string           // host whose remotes not everybody may read
	*git.Client
}

func (u *upstreams) Public(ctx context.Context, url string) (bool, error) {
	if u.closed != "" && strings.Contains(url, "://"+u.closed+"/") {
		return false, nil
	}
	if err := u.failing[url]; err != nil {
		return false, err
	}
	return u.Client.Public(ctx, url)
}

func (u *upstreams) Resolve(_ context.Context, url string, refs []string) (map[string]string, error) {
	found := map[string]string{}
	for _, ref := range refs {
		if commit := u.commits[url+" "+ref]; commit != "" {
			found[ref] = commit
		}
	}
	return found, nil
}

// ResolveTags is Resolve: what there is are branches, unless failing says that
// the URL does not answer.
func (u *upstreams) ResolveTags(ctx context.Context, url string, refs []string) (commits map[string]string, tags map[string]bool, err error) {
	if err := u.failing[url]; err != nil {
		return nil, nil, err
	}
	commits, err = u.Resolve(ctx, url, refs)
	return commits, nil, err
}

func (u *upstreams) Refs(context.Context, string) ([]string, error) { return nil, nil }

func (u *upstreams) Histories(_ context.Context, _ string, ranges []git.Range) ([]git.History, error) {
	var all []git.History
	for _, r := range ranges {
		all = append(all, git.History{Ahead: 1, Authors: 1, Commits: []git.Commit{{ID: r.New, Author: "Ana Prat", Subject: "[FIX] stock: " + r.New[:7]}}})
	}
	return all, nil
}

// scene is a repository on a fake forge, its upstreams, and the bot.
type scene struct {
	t      testing.TB
	fake   *forgetest.Fake
	human  forgetest.Human
	name   forge.Name
	repo   forge.Repo
	git    *upstreams
	bot    *bot.Bot
	waited []time.Duration
	logged bytes.Buffer
}

var identity = forge.Identity{Name: "odyssey-bot", Email: "odyssey-bot@example.org"}

// unconfigured is the policy of a repository without one.
const unconfigured = "-"

// newScene makes a repository whose lock has the newest commits.
func newScene(t testing.TB, config string) *scene {
	t.Helper()
	s := &scene{t: t, fake: forgetest.NewFake()}
	at := s.fake.Fixture(t)
	s.human, s.name, s.repo = at.Human, at.Repo, forge.Repo{Name: at.Repo, DefaultBranch: "main"}
	policy, err := gitname.Bot(nil)
	must(t, err)
	s.git = &upstreams{
		commits: map[string]string{"https://git.example.org/odoo.git 17.0": id(1), acme: id(2), web: id(3)},
		failing: map[string]error{},
		Client:  git.New(git.Options{Policy: policy, Environ: os.Environ()}),
	}
	clock := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	s.bot = &bot.Bot{
		Git: s.git, URLs: policy, Identity: identity, Jobs: 2, Memory: memory{},
		Log: slog.New(slog.NewTextHandler(&s.logged, nil)),
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
		Wait: func(ctx context.Context, d time.Duration) error {
			s.waited = append(s.waited, d)
			return ctx.Err()
		},
	}
	files := map[string]string{refresh.ReposFile: repos, refresh.LockFile: s.newest(), refresh.ConfigFile: config}
	if config == unconfigured {
		delete(files, refresh.ConfigFile)
	}
	s.push("main", files)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newest is the lock with the commits that the upstreams have now.
func (s *scene) newest() string {
	s.t.Helper()
	file, err := lock.Parse(refresh.ReposFile, []byte(repos), s.bot.URLs)
	must(s.t, err)
	next, err := lock.Update(s.t.Context(), file, &lock.File{}, lock.Refresh{}, s.git, 1)
	must(s.t, err)
	data, err := lock.Format(next)
	must(s.t, err)
	return string(data)
}

// push commits files to a branch as a human.
func (s *scene) push(branch string, files map[string]string) string {
	s.t.Helper()
	c := forgetest.Commit{Branch: branch, Message: "By hand", Files: map[string]forgetest.File{}}
	for name, content := range files {
		c.Files[name] = forgetest.File{Content: content}
	}
	return s.human.Push(s.t, c)[0]
}

// run runs the bot, which must succeed, and compares "group action" of the
// outcomes.
func (s *scene) run(want ...string) []bot.Outcome {
	s.t.Helper()
	outcomes, err := s.bot.Run(s.t.Context(), s.fake, s.name, bot.Demand{})
	must(s.t, err)
	if got := inWords(outcomes); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		s.t.Fatalf("run: %q, want %q: %+v", got, want, outcomes)
	}
	return outcomes
}

// inWords lists "group action" of outcomes, sorted.
func inWords(outcomes []bot.Outcome) (words []string) {
	for _, o := range outcomes {
		words = append(words, strings.TrimSpace(o.Group+" "+string(o.Action)))
	}
	slices.Sort(words)
	return words
}

// state is what there is to see on the forge.
type state struct {
	Branches map[string]string // the bot's, with the lock on them
	Open     []string          // heads and titles, sorted
	Comments []int             // of the pull requests that have some
}

// look reads the state, without the faults that calls of the bot have.
func (s *scene) look() state {
	s.t.Helper()
	s.fake.FailBefore(nil)
	s.fake.FailAfter(nil)
	seen := state{Branches: map[string]string{}}
	for _, name := range []string{"odyssey/lock", branch, "odyssey/merge/web", "odyssey/merge/all"} {
		switch content, err := s.fake.File(s.t.Context(), s.repo, name, refresh.LockFile); {
		case err == nil:
			seen.Branches[name] = string(content)
		case !errors.Is(err, forge.ErrNotFound):
			s.t.Fatal(err)
		}
	}
	for _, pr := range s.open() {
		seen.Open = append(seen.Open, pr.Head+" "+pr.Title)
	}
	slices.Sort(seen.Open)
	for n := int64(1); ; n++ {
		comments, err := s.fake.Comments(s.t.Context(), s.repo, n)
		if errors.Is(err, forge.ErrNotFound) {
			return seen
		}
		must(s.t, err)
		if len(comments) > 0 {
			seen.Comments = append(seen.Comments, len(comments))
		}
	}
}

// open lists the open pull requests.
func (s *scene) open() []forge.PullRequest {
	s.t.Helper()
	open, err := s.fake.OpenPullRequests(s.t.Context(), s.repo)
	must(s.t, err)
	return open
}

// one returns the only open pull request.
func (s *scene) one() forge.PullRequest {
	s.t.Helper()
	open := s.open()
	if len(open) != 1 {
		s.t.Fatalf("%d pull requests are open, want 1", len(open))
	}
	return open[0]
}

// head is the head of the bot's branch, "" when there is none.
func (s *scene) head() string {
	b, err := s.fake.Branch(s.t.Context(), s.repo, branch)
	if errors.Is(err, forge.ErrNotFound) {
		return ""
	}
	must(s.t, err)
	return b.Head
}
