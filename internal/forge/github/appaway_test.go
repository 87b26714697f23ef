package github_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/test/githubtest"
)

// A repository that was given to another owner has that one's installation; the
// others of its former owner keep theirs. The pull requests of before are found.
func TestApp_repositoryGivenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	given, kept := w.repo(), w.repo()
	w.app.Install("owner", kept, given)
	f := w.driver(t, w.asApp())
	w.As("owner", given).Push(t, forgetest.Commit{Branch: "b", Message: "m"})
	before, err := f.CreatePullRequest(t.Context(), forge.Repo{Name: given}, forge.NewPullRequest{Head: "b", Base: "main", Title: "T"})
	if err != nil {
		t.Fatal(err)
	}
	to := forge.Name{Owner: "newowner", Name: given.Name}
	w.app.Install("newowner", given)
	w.Rename(given, to)
	var moved *forge.MovedError
	if _, err := w.driver(t, w.asApp()).Repo(t.Context(), given); !errors.As(err, &moved) || moved.To != to.String() {
		t.Errorf("error %v, want one that says %s", err, to)
	}
	for name, f := range map[string]*github.Forge{"who was there before": f, "who comes later": w.driver(t, w.asApp())} {
		last, err := f.LastPullRequest(t.Context(), forge.Repo{Name: to}, "b")
		if err != nil || last.Number != before.Number {
			t.Errorf("%s: %+v, %v", name, last, err)
		}
	}
	repo, err := f.Repo(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateIssue(t.Context(), repo, forge.NewIssue{Title: "I"}); err != nil {
		t.Error(err)
	}
}

// F3: what the App is told to wait counts for it, and not for the signature that
// it had that second.
func TestFault_F3_GitHubAppAsksToWait(t *testing.T) {
	t.Parallel()
	clock := &movable{now: time.Now()}
	w := newWorld(t)
	w.app.Install("owner", w.repo())
	o := w.asApp()
	o.Now = clock.Now
	f := w.driver(t, o)
	var calls atomic.Int64
	w.Intercept(func(r *http.Request) *githubtest.Answer {
		if r.URL.Path != "/app/hook/deliveries" {
			return nil
		}
		calls.Add(1)
		return &githubtest.Answer{Status: http.StatusForbidden, Header: map[string]string{"Retry-After": "3600"}, Body: `{"message":"You have exceeded a secondary rate limit."}`}
	})
	for range 3 {
		limit := (*forge.RateLimitError)(nil)
		if _, err := f.Redeliver(t.Context(), clock.Now().Add(-time.Hour)); !errors.As(err, &limit) {
			t.Errorf("error %v", err)
		}
		clock.pass(2 * time.Second)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}
