package github_test

import (
	"context"
	"fmt"
	"net/http"
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

// smallPages makes several pages of few pull requests.
const smallPages = 5

func TestGitHubIsAForgeForAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forgetest.Exercise(t, w.withToken)
}

func TestGitHubIsAForgeForAnApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forgetest.Exercise(t, w.withApp)
}

func TestGitHubRunsWorkflows(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			forgetest.ExerciseWorkflows(t, func(t *testing.T) forgetest.Fixture { t.Helper(); return fixture(w, t) })
		})
	}
}

// world is a server with the accounts that the tests need.
type world struct {
	*githubtest.Server
	bot   string // token
	app   *githubtest.App
	repos atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, nil)
}

func newWorldAt(t *testing.T, now func() time.Time) *world {
	t.Helper()
	s := githubtest.New(t, githubtest.Options{MaxPage: smallPages, Now: now})
	s.AddUser("owner")
	return &world{Server: s, bot: s.AddUser("bot"), app: s.AddApp("odyssey", nil)}
}

// repo makes a repository of the owner's.
func (w *world) repo() forge.Name {
	name := forge.Name{Owner: "owner", Name: fmt.Sprintf("repo-%d", w.repos.Add(1))}
	w.AddRepo(name)
	return name
}

func (w *world) withToken(t *testing.T) forgetest.Fixture {
	t.Helper()
	name := w.repo()
	human := w.As("owner", name)
	human.SetPermission(t, "bot", forge.MayWrite)
	return forgetest.Fixture{
		Forge: w.driver(t, github.Options{Token: secret.New(w.bot)}), Login: "bot", Repo: name, Human: human, Many: 12,
	}
}

func (w *world) withApp(t *testing.T) forgetest.Fixture {
	t.Helper()
	name := w.repo()
	w.app.Install("owner", name)
	return forgetest.Fixture{
		Forge: w.driver(t, w.asApp()), Login: w.app.Login(), Repo: name, Human: w.As("owner", name), Many: 12, Robot: true,
	}
}

func (w *world) asApp() github.Options {
	return github.Options{App: github.App{ID: w.app.ID, Key: secret.New(string(w.app.Key))}}
}

func (w *world) driver(t *testing.T, o github.Options) *github.Forge {
	t.Helper()
	o.API, o.HTTP, o.Wait = w.URL, quick(), noWait
	f, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// quick retries without long waits.
func quick() forgehttp.Options {
	return forgehttp.Options{MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond}
}

// noWait lets writes follow one another at once.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// An Enterprise Server has its API at /api/v3, and GraphQL beside it.
func TestEnterpriseServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.withApp(t)
	o := w.asApp()
	o.API, o.HTTP, o.Wait = w.URL+"/api/v3/", quick(), noWait
	f, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Requests()
	seen := map[string]bool{}
	w.Intercept(func(r *http.Request) *githubtest.Answer {
		seen[strings.Join(strings.Split(r.URL.Path, "/")[:3], "/")] = true
		return nil
	})
	head := at.Human.Push(t, forgetest.Commit{Branch: "old", Message: "old"})[0]
	if err := f.DeleteBranch(t.Context(), forge.Repo{Name: at.Repo}, "old", head); err != nil {
		t.Fatal(err)
	}
	w.Intercept(nil)
	if diff := cmp.Diff(map[string]bool{"/api/v3": true, "/api/graphql": true}, seen); diff != "" {
		t.Errorf("where it asked (-want +got):\n%s", diff)
	}
}
