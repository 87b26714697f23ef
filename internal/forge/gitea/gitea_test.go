package gitea_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/giteatest"
)

// smallPages makes several pages of few pull requests; each takes Gitea about
// a second to make.
const smallPages = "[api]\nMAX_RESPONSE_ITEMS = 5\n"

func TestMain(m *testing.M) {
	os.Exit(giteatest.Main(m, giteatest.Options{Config: smallPages + giteatest.Actions}))
}

func TestGiteaIsAForge(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	forgetest.Exercise(t, world.fixture)
}

func TestGiteaSaysOfCommits(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	forgetest.ExerciseStatus(t, world.fixture)
}

func TestGiteaRunsWorkflows(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	forgetest.ExerciseWorkflows(t, world.fixture)
}

// world is a server with the three accounts that the tests need.
type world struct {
	srv                  *giteatest.Server
	bot, owner, stranger giteatest.User
	repos                *atomic.Int64
}

// newWorld makes the accounts once for each test binary.
func newWorld(t *testing.T) world {
	t.Helper()
	w, err := sharedWorld(giteatest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var sharedWorld = func() func(*giteatest.Server) (world, error) {
	var mu sync.Mutex
	var w world
	return func(srv *giteatest.Server) (world, error) {
		mu.Lock()
		defer mu.Unlock()
		if w.srv != nil {
			return w, nil
		}
		made := world{srv: srv, repos: new(atomic.Int64)}
		for login, user := range map[string]*giteatest.User{"bot": &made.bot, "owner": &made.owner, "stranger": &made.stranger} {
			var err error
			if *user, err = srv.NewUser(context.Background(), login); err != nil {
				return world{}, err
			}
		}
		var err error
		// The scopes that the README names.
		made.bot.Token, err = srv.NewToken(context.Background(), made.bot, "restricted", "write:repository", "write:issue", "read:user")
		if err != nil {
			return world{}, err
		}
		w = made
		return w, nil
	}
}()

// repo makes a repository of the owner's that the bot may write to.
func (w world) repo(t testing.TB, o giteatest.RepoOptions) forge.Name {
	t.Helper()
	name := fmt.Sprintf("repo-%d", w.repos.Add(1))
	if err := w.srv.NewRepo(t.Context(), w.owner, name, o); err != nil {
		t.Fatal(err)
	}
	full := forge.Name{Owner: w.owner.Login, Name: name}
	if err := w.srv.AddCollaborator(t.Context(), w.owner, full.String(), w.bot); err != nil {
		t.Fatal(err)
	}
	return full
}

func (w world) fixture(t *testing.T) forgetest.Fixture {
	t.Helper()
	f, err := gitea.New(gitea.Options{URL: w.srv.URL, Token: secret.New(w.bot.Token), HTTP: quick()})
	if err != nil {
		t.Fatal(err)
	}
	name := w.repo(t, giteatest.RepoOptions{})
	return forgetest.Fixture{Forge: f, Login: w.bot.Login, Repo: name, Human: human{w, name}, Many: 12}
}

// quick retries without long waits.
func quick() forgehttp.Options {
	return forgehttp.Options{MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond}
}

// human is the owner, in a browser and with the git command.
type human struct {
	world
	name forge.Name
}

func (h human) Login() string { return h.owner.Login }

func (h human) Push(t testing.TB, commits ...forgetest.Commit) []string {
	t.Helper()
	var pushed []giteatest.Commit
	for _, c := range commits {
		files := map[string]giteatest.File{}
		for path, file := range c.Files {
			files[path] = giteatest.File{Content: file.Content, Mode: file.Mode}
		}
		commit := giteatest.Commit{Branch: c.Branch, Files: files, Message: c.Message, Amend: c.Amend}
		if c.By != (forge.Identity{}) {
			commit.Author = fmt.Sprintf("%s <%s>", c.By.Name, c.By.Email)
		}
		pushed = append(pushed, commit)
	}
	heads, err := h.srv.Push(t.Context(), h.owner, h.name.String(), pushed...)
	if err != nil {
		t.Fatal(err)
	}
	return heads
}

func (h human) DeleteBranch(t testing.TB, branch string) {
	t.Helper()
	if err := h.srv.DeleteBranch(t.Context(), h.owner, h.name.String(), branch); err != nil {
		t.Fatal(err)
	}
}

func (h human) Modes(t testing.TB, branch string) map[string]string {
	t.Helper()
	var tree struct {
		Tree []struct{ Path, Mode, Type string }
	}
	var at struct{ Commit struct{ ID string } }
	h.api(t, http.MethodGet, "/branches/"+branch, nil, &at)
	h.api(t, http.MethodGet, "/git/trees/"+at.Commit.ID+"?recursive=true", nil, &tree)
	modes := map[string]string{}
	for _, entry := range tree.Tree {
		if entry.Type != "tree" {
			modes[entry.Path] = entry.Mode
		}
	}
	return modes
}

func (h human) Merge(t testing.TB, number int64) {
	t.Helper()
	path := fmt.Sprintf("/repos/%s/pulls/%d/merge", h.name, number)
	var err error
	for range 100 {
		err = h.srv.API(t.Context(), h.owner, http.MethodPost, path, map[string]any{"Do": "merge"}, nil)
		if err == nil || !strings.Contains(err.Error(), "try again later") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h human) Inspect(t testing.TB, number int64) forgetest.Inspection {
	t.Helper()
	var issue struct {
		Labels      []struct{ Name string }
		PullRequest *struct{} `json:"pull_request"`
	}
	var pr struct {
		RequestedReviewers []struct{ Login string } `json:"requested_reviewers"`
	}
	h.api(t, http.MethodGet, fmt.Sprintf("/issues/%d", number), nil, &issue)
	if issue.PullRequest != nil {
		h.api(t, http.MethodGet, fmt.Sprintf("/pulls/%d", number), nil, &pr)
	}
	var seen forgetest.Inspection
	for _, label := range issue.Labels {
		seen.Labels = append(seen.Labels, label.Name)
	}
	for _, user := range pr.RequestedReviewers {
		seen.Reviewers = append(seen.Reviewers, user.Login)
	}
	slices.Sort(seen.Labels)
	slices.Sort(seen.Reviewers)
	return seen
}

func (h human) EmptyRepo(t testing.TB) forge.Name {
	t.Helper()
	return h.repo(t, giteatest.RepoOptions{Empty: true})
}

func (h human) ForkPullRequest(t testing.TB, branch string) int64 {
	t.Helper()
	h.as(t, h.stranger, http.MethodPost, h.name, "/forks", map[string]any{}, nil)
	fork := h.stranger.Login + "/" + h.name.Name
	_, err := h.srv.Push(t.Context(), h.stranger, fork, giteatest.Commit{
		Branch: branch, Message: "from outside", Files: map[string]giteatest.File{"outside": {Content: "o"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var pr struct{ Number int64 }
	h.as(t, h.stranger, http.MethodPost, h.name, "/pulls", map[string]any{
		"head": h.stranger.Login + ":" + branch, "base": "main", "title": "from outside",
	}, &pr)
	return pr.Number
}

// api calls below the repository as its owner.
func (h human) api(t testing.TB, method, path string, in, out any) {
	t.Helper()
	h.as(t, h.owner, method, h.name, path, in, out)
}

func (w world) as(t testing.TB, user giteatest.User, method string, repo forge.Name, path string, in, out any) {
	t.Helper()
	if err := w.srv.API(t.Context(), user, method, "/repos/"+repo.String()+path, in, out); err != nil {
		t.Fatal(err)
	}
}
