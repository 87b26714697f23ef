package github_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/test/githubtest"
)

// driver is the driver itself, with what no other forge has.
func (s stage) driver(t *testing.T) *github.Forge {
	t.Helper()
	f, ok := s.Forge.(*github.Forge)
	if !ok {
		t.Fatalf("the fixture drives a %T", s.Forge)
	}
	return f
}

func writes(requests []githubtest.Request) (methods []string) {
	for _, r := range requests {
		if r.Method != http.MethodGet && !strings.HasSuffix(r.Path, "/access_tokens") {
			methods = append(methods, r.Method)
		}
	}
	return methods
}

// One check run of a name is kept for each commit, and written only when it
// says something new.
func TestChecks(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	f := s.driver(t)
	other := s.AddApp("other", nil)
	other.Install("owner", s.Repo)
	check := forge.Check{Name: "odyssey", Head: s.change.BaseHead, Conclusion: forge.Neutral, Title: "Nothing to do", Summary: "All is new.\n"}
	theirs := s.world.driver(t, github.Options{App: github.App{ID: other.ID, Key: s.asApp().App.Key}})
	if err := theirs.Check(t.Context(), s.repo, check); err != nil {
		t.Fatal(err)
	}
	s.Requests()
	show := func(what string, c forge.Check, want ...string) {
		t.Helper()
		if err := f.Check(t.Context(), s.repo, c); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, writes(s.Requests())); diff != "" {
			t.Errorf("%s: writes (-want +got):\n%s", what, diff)
		}
	}
	show("first", check, "POST")
	show("the same", check)
	failed := check
	failed.Conclusion, failed.Title, failed.Summary = forge.Failed, "Mend it", strings.Repeat("é", 100_000)
	show("another", failed, "PATCH")
	elsewhere := check
	elsewhere.Head = s.pr.HeadSHA
	show("beside another commit", elsewhere, "POST")

	var got []githubtest.Check
	for _, c := range s.Checks(s.Repo) {
		c.Summary = c.Summary[:4]
		got = append(got, c)
	}
	want := []githubtest.Check{
		{Name: "odyssey", Head: check.Head, Status: "completed", Conclusion: "neutral", Title: "Nothing to do", Summary: "All "},
		{Name: "odyssey", Head: check.Head, Status: "completed", Conclusion: "failure", Title: "Mend it", Summary: "éé"},
		{Name: "odyssey", Head: elsewhere.Head, Status: "completed", Conclusion: "neutral", Title: "Nothing to do", Summary: "All "},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("check runs (-want +got):\n%s", diff)
	}
	if length := len(s.Checks(s.Repo)[1].Summary); length > 60_000 || length < 59_000 {
		t.Errorf("the long summary has %d bytes", length)
	}
	check.Head = "main"
	if err := f.Check(t.Context(), s.repo, check); err == nil {
		t.Error("a branch is checked")
	}
}

// Only Apps have check runs.
func TestChecksWithToken(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withToken)
	s.Requests()
	err := s.driver(t).Check(t.Context(), s.repo, forge.Check{Name: "odyssey", Head: s.change.BaseHead, Conclusion: forge.Neutral})
	if !errors.Is(err, errors.ErrUnsupported) || len(s.Requests()) != 0 {
		t.Errorf("error %v, want that it is not supported, without a call", err)
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fixture)
			f := s.driver(t)
			payload := map[string]any{"commit": s.change.BaseHead, "layers": []any{"odoo", 1.0}}
			if err := f.Dispatch(t.Context(), s.repo, "odyssey-build", payload); err != nil {
				t.Fatal(err)
			}
			if err := f.Dispatch(t.Context(), s.repo, "bare", nil); err != nil {
				t.Fatal(err)
			}
			want := []githubtest.Dispatch{{Event: "odyssey-build", Payload: payload}, {Event: "bare"}}
			if diff := cmp.Diff(want, s.Dispatches(s.Repo)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			nothing := forge.Repo{Name: forge.Name{Owner: "owner", Name: "nothing"}}
			if err := f.Dispatch(t.Context(), nothing, "x", nil); !errors.Is(err, forge.ErrNotFound) {
				t.Errorf("error %v, want that there is no such repository", err)
			}
		})
	}
}

// GitHub is the committer of what people do on its pages too: only what it
// signed for the App is the App's.
func TestOwnBranch(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	own := func(what string, want bool) {
		t.Helper()
		got, err := s.Forge.Branch(t.Context(), s.repo, "made")
		if err != nil || got.Own != want {
			t.Errorf("%s: %+v, %v; want own to be %t", what, got, err, want)
		}
	}
	if _, err := s.Forge.Push(t.Context(), s.repo, s.change); err != nil {
		t.Fatal(err)
	}
	own("the App's", true)
	s.CommitInBrowser("owner", s.Repo, "made", "f", "edited")
	own("edited on a page", false)
	s.Human.Push(t, forgetest.Commit{Branch: "made", Message: "forged", By: s.app.Identity(), Files: map[string]forgetest.File{"f": {}}})
	own("in the App's name", false)
}

// What GitHub commits has another time and so another id each time: a push
// that would change nothing makes no commit.
func TestPushOfTheSame(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	start := time.Now()
	w := newWorldAt(t, func() time.Time { return start.Add(time.Duration(clock.Load()) * time.Second) })
	s := newStageIn(t, w, (*world).withApp)
	first, err := s.Forge.Push(t.Context(), s.repo, s.change)
	if err != nil {
		t.Fatal(err)
	}
	s.change.Lease = first
	push := func(what string, same bool) {
		t.Helper()
		clock.Add(2)
		got, err := s.Forge.Push(t.Context(), s.repo, s.change)
		if err != nil || (got == first) != same || s.head(t, "made") != got {
			t.Errorf("%s: %q, %v; want the commit %q to be the same: %t", what, got, err, first, same)
		}
		s.change.Lease = got
	}
	push("the same", true)
	s.change.Message = "another message"
	push("another message", false)
	s.change.Message = "made"
	s.change.Lease = s.Human.Push(t, forgetest.Commit{
		Branch: "made", Amend: true, Message: "made", Files: map[string]forgetest.File{"f": {Content: "x"}},
	})[0]
	first = s.change.Lease
	push("the same by a human", false)
}

// What is no text goes another way.
func TestPushBinary(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withToken)
	want := map[string][]byte{"latin": []byte("\xe9"), "nul": []byte("a\x00b"), "text": []byte("é\r\n"), "empty": {}}
	s.change.Files = want
	if _, err := s.Forge.Push(t.Context(), s.repo, s.change); err != nil {
		t.Fatal(err)
	}
	for path, content := range want {
		if got, err := s.Forge.File(t.Context(), s.repo, "made", path); err != nil || string(got) != string(content) {
			t.Errorf("%s is %q, %v; want %q", path, got, err, content)
		}
	}
}

// A pull request whose fork was deleted is still one from a fork. GitHub's
// description does not say that it then sends no repository.
func TestPullRequestFromDeletedFork(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	const gone = `{"number": 7, "state": "open", "head": {"ref": "main", "repo": null}, "base": {"ref": "main", "repo": {"id": 1}}}`
	s.Intercept(only(1, &githubtest.Answer{Status: http.StatusOK, Body: gone}, at(http.MethodGet, "/pulls/7")))
	if got, err := s.Forge.PullRequest(t.Context(), s.repo, 7); err != nil || !got.FromFork {
		t.Errorf("%+v, %v; want one from a fork", got, err)
	}
	s.Intercept(only(1, &githubtest.Answer{Status: http.StatusOK, Body: "[" + gone + "]"}, at(http.MethodGet, "/pulls")))
	if _, err := s.Forge.LastPullRequest(t.Context(), s.repo, "main"); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("error %v, want that there is none from the repository itself", err)
	}
}

// A closed pull request whose branch was made anew is not opened again, which
// GitHub refuses: a new one is to be made.
func TestReopenAfterForcedPush(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	if _, err := s.Forge.EditPullRequest(t.Context(), s.repo, s.pr.Number, forge.Edit{State: forge.Closed}); err != nil {
		t.Fatal(err)
	}
	s.change.Branch, s.change.Lease = "topic", s.pr.HeadSHA
	if _, err := s.Forge.Push(t.Context(), s.repo, s.change); err != nil {
		t.Fatal(err)
	}
	_, err := s.Forge.EditPullRequest(t.Context(), s.repo, s.pr.Number, forge.Edit{State: forge.Open})
	if !errors.Is(err, forge.ErrConflict) || !strings.Contains(err.Error(), "force-pushed") {
		t.Errorf("error %v, want that it cannot be", err)
	}
}

// A refusal by GraphQL comes with status 200.
func TestGraphRefusals(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	for body, want := range map[string]error{
		`{"errors": [{"type": "FORBIDDEN", "message": "Resource not accessible"}]}`:           forge.ErrUnauthorized,
		`{"errors": [{"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}]}`: forge.ErrNotFound,
		`{"errors": [{"type": "UNPROCESSABLE", "message": "no"}, {"message": "second"}]}`:     forge.ErrConflict,
		`{"errors": [{"message": "Something went wrong while executing your query"}]}`:        forge.ErrTransient,
		`{}`: forge.ErrTransient,
		`{"data": {"updateRefs": null}, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}`: forge.ErrTransient,
	} {
		s.Intercept(only(1, &githubtest.Answer{Status: http.StatusOK, Body: body}, at(http.MethodPost, "/graphql")))
		if err := s.Forge.DeleteBranch(t.Context(), s.repo, "topic", s.pr.HeadSHA); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want one that is %q", body, err, want)
		}
	}
	if s.head(t, "topic") != s.pr.HeadSHA {
		t.Error("the branch is gone")
	}
}
