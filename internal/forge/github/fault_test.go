package github_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
)

// stage is a driver with a repository that has a branch with an open pull
// request, and a human who talks.
type stage struct {
	*world
	forgetest.Fixture
	repo   forge.Repo
	pr     forge.PullRequest
	said   int64        // the human's comment on an issue
	change forge.Change // makes another branch
}

// newStage acts with a token or as an App.
func newStage(t *testing.T, fixture func(*world, *testing.T) forgetest.Fixture) stage {
	t.Helper()
	return newStageIn(t, newWorld(t), fixture)
}

func newStageIn(t *testing.T, w *world, fixture func(*world, *testing.T) forgetest.Fixture) stage {
	t.Helper()
	s := stage{world: w, Fixture: fixture(w, t)}
	s.Human.Push(t, forgetest.Commit{Branch: "topic", Message: "m", Files: map[string]forgetest.File{"f": {Content: "c"}}})
	s.said = s.Human.Comment(t, s.Human.OpenIssue(t, "Talk", "x"), "/help")
	var err error
	if s.repo, err = s.Forge.Repo(t.Context(), s.Repo); err != nil {
		t.Fatal(err)
	}
	s.pr, err = s.Forge.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: "topic", Base: "main", Title: "T"})
	if err != nil {
		t.Fatal(err)
	}
	s.change = forge.Change{
		Base: "main", BaseHead: s.head(t, "main"), Branch: "made", Files: map[string][]byte{"f": []byte("x")},
		Message: "made", By: forge.Identity{Name: "O", Email: "o@example.org"},
	}
	return s
}

// both are the ways to act.
func both() map[string]func(*world, *testing.T) forgetest.Fixture {
	return map[string]func(*world, *testing.T) forgetest.Fixture{"token": (*world).withToken, "App": (*world).withApp}
}

func (s stage) head(t *testing.T, branch string) string {
	t.Helper()
	got, err := s.Forge.Branch(t.Context(), s.repo, branch)
	if errors.Is(err, forge.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return got.Head
}

// faults are what happens to a request instead of an answer.
func faults() map[string]*githubtest.Answer {
	return map[string]*githubtest.Answer{
		"500":          {Status: http.StatusInternalServerError, Body: `{"message":"boom"}`},
		"502":          {Status: http.StatusBadGateway, Body: "<html>bad\x00 gateway</html>"},
		"reset before": {Reset: true},
		"reset after":  {Reset: true, After: true},
	}
}

// only gives an answer to the first n requests that fit.
func only(n int32, answer *githubtest.Answer, fits func(*http.Request) bool) func(*http.Request) *githubtest.Answer {
	var left atomic.Int32
	left.Store(n)
	return func(r *http.Request) *githubtest.Answer {
		if !fits(r) || left.Add(-1) < 0 {
			return nil
		}
		return answer
	}
}

func isGet(r *http.Request) bool  { return r.Method == http.MethodGet }
func isPost(r *http.Request) bool { return r.Method == http.MethodPost }

// at fits requests of a method to a path that ends so.
func at(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

func TestFault_F1_GitHubReadsAreRetried(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fixture)
			for what, answer := range faults() {
				for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
					s.Requests()
					s.Intercept(only(2, answer, isGet))
					if err := read(); err != nil {
						t.Errorf("%s, %s: %v", name, what, err)
					}
					if calls := s.Requests(); len(calls) < 3 {
						t.Errorf("%s, %s: no retry: %v", name, what, calls)
					}
				}
			}
		})
	}
}

func TestFault_F1_GitHubReadsGiveUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
		s.Requests()
		s.Intercept(only(1000, faults()["502"], isGet))
		if err := read(); !errors.Is(err, forge.ErrTransient) || strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("%s: error %q, want a transient one on one line", name, err)
		}
		if calls := s.Requests(); len(calls) != 5 {
			t.Errorf("%s: %d attempts, want 5", name, len(calls))
		}
	}
}

// A POST is sent once, so its effect happens once or not at all, and the
// error says that nobody knows, unless the driver can find out.
func TestFault_F1_GitHubPostsAreNotRetried(t *testing.T) {
	t.Parallel()
	for what, answer := range faults() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, (*world).withApp)
			s.Human.Push(t, forgetest.Commit{Branch: "second", Message: "m", Files: map[string]forgetest.File{"g": {}}})
			for name, write := range map[string]func() error{
				"CreatePullRequest": func() error {
					_, err := s.Forge.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: "second", Base: "main", Title: "2"})
					return err
				},
				"AddComment": func() error { _, err := s.Forge.AddComment(t.Context(), s.repo, s.pr.Number, "hello"); return err },
				"CreateIssue": func() error {
					_, err := s.Forge.CreateIssue(t.Context(), s.repo, forge.NewIssue{Title: "I"})
					return err
				},
				"React": func() error { return s.Forge.React(t.Context(), s.repo, s.said, forge.Seen) },
				"RequestReviews": func() error {
					return s.Forge.RequestReviews(t.Context(), s.repo, s.pr.Number, []string{s.Human.Login()})
				},
				"Push": func() error { _, err := s.Forge.Push(t.Context(), s.repo, s.change); return err },
			} {
				s.Requests()
				s.Intercept(only(1000, answer, isPost))
				found := answer.After && name == "CreatePullRequest" // looked for, and there
				if err := write(); !errors.Is(err, forge.ErrTransient) && !(err == nil && found) {
					t.Errorf("%s: error %v, want a transient one", name, err)
				}
				sent := 0
				for _, r := range s.Requests() {
					if r.Method == http.MethodPost {
						sent++
					}
				}
				if sent != 1 {
					t.Errorf("%s: sent %d times", name, sent)
				}
			}
			s.Intercept(nil)
			want := effects{}
			if answer.After {
				want = effects{Pulls: 1, Comments: 1, Reviewers: 1, Issues: 1, Reactions: 1} // a push's first POST makes a tree, which nobody sees
			}
			if diff := cmp.Diff(want, s.effects(t)); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

// effects are what writes leave behind.
type effects struct{ Pulls, Comments, Reviewers, Branches, Issues, Reactions int }

func (s stage) effects(t *testing.T) effects {
	t.Helper()
	open, err := s.Forge.OpenPullRequests(t.Context(), s.repo)
	if err != nil {
		t.Fatal(err)
	}
	comments, err := s.Forge.Comments(t.Context(), s.repo, s.pr.Number)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Forge.OwnIssues(t.Context(), s.repo)
	if err != nil {
		t.Fatal(err)
	}
	got := effects{
		Pulls: len(open) - 1, Comments: len(comments), Reviewers: len(s.Human.Inspect(t, s.pr.Number).Reviewers),
		Issues: len(own), Reactions: len(s.Human.Reactions(t, s.said)),
	}
	if s.head(t, s.change.Branch) != "" {
		got.Branches = 1
	}
	return got
}

// F2: where the answer to a write is lost the forge is looked at: by the
// driver where a branch moved, by its caller otherwise.
func TestFault_F2_GitHubLostAnswers(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fixture)
			lose := func(suffix string) {
				s.Intercept(only(1, &githubtest.Answer{Reset: true, After: true}, at(http.MethodPost, suffix)))
			}
			lose("/git/refs")
			first, err := s.Forge.Push(t.Context(), s.repo, s.change)
			if err != nil || s.head(t, "made") != first {
				t.Errorf("new branch: %q, %v; want the head %q", first, err, s.head(t, "made"))
			}
			lose("/graphql")
			s.change.Lease, s.change.Files["f"] = first, []byte("y")
			second, err := s.Forge.Push(t.Context(), s.repo, s.change)
			if err != nil || s.head(t, "made") != second || second == first {
				t.Errorf("moved branch: %q, %v; want the head %q", second, err, s.head(t, "made"))
			}
			lose("/graphql")
			if err := s.Forge.DeleteBranch(t.Context(), s.repo, "made", second); err != nil || s.head(t, "made") != "" {
				t.Errorf("deleted branch: %v, at %q", err, s.head(t, "made"))
			}
			s.Human.Push(t, forgetest.Commit{Branch: "second", Message: "m", Files: map[string]forgetest.File{"g": {}}})
			lose("/pulls")
			request := forge.NewPullRequest{Head: "second", Base: "main", Title: "2", Labels: []string{"l"}}
			made, err := s.Forge.CreatePullRequest(t.Context(), s.repo, request)
			if seen := s.Human.Inspect(t, made.Number); err != nil || made.Title != "2" || !slices.Equal(seen.Labels, []string{"l"}) {
				t.Errorf("pull request: %+v with %+v, error %v", made, seen, err)
			}
			if _, err := s.Forge.CreatePullRequest(t.Context(), s.repo, request); !errors.Is(err, forge.ErrConflict) {
				t.Errorf("pull request again: error %v, want that it exists", err)
			}
			if last, err := s.Forge.LastPullRequest(t.Context(), s.repo, "second"); err != nil || last.Title != "2" {
				t.Errorf("%+v, %v; want the one whose answer was lost", last, err)
			}
		})
	}
}

// F5: an answer that does not come ends with a time-out.
func TestFault_F5_GitHubHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	o := github.Options{
		Token: secret.New(w.bot), API: w.URL, Wait: noWait,
		HTTP: forgehttp.Options{Timeout: 50 * time.Millisecond, Retries: 1, MinWait: time.Millisecond, MaxWait: time.Millisecond},
	}
	f, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	defer end()
	w.Intercept(func(*http.Request) *githubtest.Answer {
		<-ended.Done()
		return nil
	})
	start := time.Now()
	_, err = f.Repo(t.Context(), name)
	if took := time.Since(start); !errors.Is(err, forge.ErrTransient) || took > 5*time.Second {
		t.Errorf("error %v after %s, want a transient one soon", err, took)
	}
}

// F6: what is refused for good is refused once, whoever acts.
func TestFault_F6_GitHubRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.withApp(t)
	name := at.Repo
	second := w.app.Install("other")
	w.app.Suspend(second, true)
	elsewhere := forge.Name{Owner: "other", Name: "image"}
	w.AddRepo(elsewhere)
	for what, c := range map[string]struct {
		driver *github.Forge
		repo   forge.Name
	}{
		"wrong token":            {w.driver(t, github.Options{Token: secret.New("ghp_wrong")}), name},
		"suspended installation": {w.driver(t, w.asApp()), elsewhere},
	} {
		for method, err := range forgetest.Everything(t, c.driver, c.repo) {
			if method == "Repositories" && what == "suspended installation" {
				continue // asks for the owner o, who has none
			}
			if !errors.Is(err, forge.ErrUnauthorized) {
				t.Errorf("%s: %s: error %v, want that it is refused", what, method, err)
			}
		}
	}
	calls := w.Requests()
	if limit := 4 * 26; len(calls) > limit {
		t.Errorf("%d calls for 52 methods", len(calls))
	}
}

// A human pushes at the worst moment: when the bot's push, whose lease was
// right so far, is on its way.
func TestFault_F8_GitHubHumanPushesDuringPush(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fixture)
			existing := s.change
			existing.Branch, existing.Lease = "topic", s.pr.HeadSHA
			onBase := s.change
			onBase.Base, onBase.BaseHead, onBase.Branch = "base", s.Human.Push(t, forgetest.Commit{Branch: "base", Message: "b"})[0], "on-base"
			old := s.Human.Push(t, forgetest.Commit{Branch: "old", Message: "old"})[0]
			for name, attempt := range map[string]struct {
				branch, path string
				push         func() error
			}{
				"base":       {"base", "/git/commits", func() error { _, err := s.Forge.Push(t.Context(), s.repo, onBase); return err }},
				"new branch": {"made", "/git/refs", func() error { _, err := s.Forge.Push(t.Context(), s.repo, s.change); return err }},
				"replaced":   {"topic", "/graphql", func() error { _, err := s.Forge.Push(t.Context(), s.repo, existing); return err }},
				"deleted":    {"old", "/graphql", func() error { return s.Forge.DeleteBranch(t.Context(), s.repo, "old", old) }},
			} {
				var human string
				moment := at(http.MethodPost, attempt.path)
				s.Intercept(func(r *http.Request) *githubtest.Answer {
					if human == "" && moment(r) {
						human = s.Human.Push(t, forgetest.Commit{
							Branch: attempt.branch, Message: "human", Files: map[string]forgetest.File{"human": {Content: name}},
						})[0]
					}
					return nil
				})
				if err := attempt.push(); !errors.Is(err, forge.ErrLeaseLost) {
					t.Errorf("%s: error %v, want a lost lease", name, err)
				}
				s.Intercept(nil)
				if got := s.head(t, attempt.branch); human == "" || got != human {
					t.Errorf("%s: the branch is at %q, want the human's %q", name, got, human)
				}
			}
		})
	}
}
