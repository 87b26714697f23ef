package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
)

const canary = "ghp_c4n4ryt0ken0123456789"

// plain is a driver with the canary as its token.
func plain(t *testing.T, url string) *github.Forge {
	t.Helper()
	f, err := github.New(github.Options{API: url, Token: secret.New(canary), HTTP: quick(), Wait: noWait})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFault_T1_GitHubNoErrorHoldsTheToken(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, server := range map[string]struct {
		url   string
		class error
	}{
		"refused connection":    {closed.URL, forge.ErrTransient},
		"a server that repeats": {echo(t, http.StatusForbidden), forge.ErrUnauthorized},
		"a failing one too":     {echo(t, http.StatusInternalServerError), forge.ErrTransient},
		"a success it is not":   {echo(t, http.StatusOK), nil},
		"redirect elsewhere":    {elsewhere(t, http.StatusTemporaryRedirect), nil},
		"redirect for good":     {elsewhere(t, http.StatusMovedPermanently), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, err := range forgetest.Everything(t, plain(t, server.url), forge.Name{Owner: "o", Name: "n"}) {
				if err == nil {
					t.Errorf("%s: no error", method)
				}
				if server.class != nil && !errors.Is(err, server.class) {
					t.Errorf("%s: error %q, want one that is %q", method, err, server.class)
				}
				for ; err != nil; err = errors.Unwrap(err) {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
						t.Errorf("%s: the token is in %q", method, err)
					}
				}
			}
		})
	}
}

// echo is a server that answers with the credentials it was sent.
func echo(t *testing.T, status int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"message": said, "id": said, "number": said, "node_id": 1, "login": 1, "total": said})
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// elsewhere is a server that sends everybody to another one, where the test
// fails if any request arrives.
func elsewhere(t *testing.T, status int) string {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent to another host, with %q", r.Method, r.URL, r.Header)
	}))
	t.Cleanup(other.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), status)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Who is at work in a repository while it is renamed can end that; who begins
// under the old name is told the new one.
func TestRenamedRepository(t *testing.T) {
	t.Parallel()
	for as, fixture := range both() {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fixture)
			s.Rename(s.Repo, forge.Name{Owner: "owner", Name: "renamed"})
			for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
				var moved *forge.MovedError
				if err := read(); name == "Repo" && (!errors.As(err, &moved) || moved.To != "owner/renamed") || name != "Repo" && err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			sha, err := s.Forge.Push(t.Context(), s.repo, s.change)
			if err != nil || s.head(t, "made") != sha {
				t.Fatalf("push: %v", err)
			}
			pr, err := s.Forge.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: "made", Base: "main", Title: "2", Labels: []string{"l"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Forge.EditPullRequest(t.Context(), s.repo, pr.Number, forge.Edit{Title: "3"}); err != nil {
				t.Error(err)
			}
			if err := s.Forge.Unreact(t.Context(), s.repo, s.said, forge.Seen); err != nil {
				t.Error(err)
			}
			if err := s.Forge.DeleteBranch(t.Context(), s.repo, "made", sha); err != nil {
				t.Error(err)
			}
			moved := 0
			for _, r := range s.Requests() {
				if r.Method == http.MethodPost && r.Status == http.StatusMovedPermanently {
					moved++
				}
			}
			if moved < 5 {
				t.Errorf("%d writes were sent on, want those of a push and a pull request", moved)
			}
		})
	}
}

// GitHub says of what one may not see, or change, that it is not there.
func TestNotFoundIsNoPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hidden := w.repo()
	w.Private(hidden)
	for method, err := range forgetest.Everything(t, w.driver(t, github.Options{Token: secret.New(w.bot)}), hidden) {
		switch {
		case method == "Repositories" || method == "Permission":
			continue // of the owner o; of nobody
		case !errors.Is(err, forge.ErrNotFound):
			t.Errorf("%s: error %v, want that it is not found", method, err)
		}
	}
	s := newStage(t, (*world).withToken)
	s.Human.SetPermission(t, "bot", forge.MayNothing)
	if _, err := s.Forge.Push(t.Context(), s.repo, s.change); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("push without the permission: error %v", err)
	}
}

// An App that lacks a permission is told which.
func TestAppWithoutPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app = w.AddApp("reader", map[string]string{"metadata": "read", "contents": "read", "issues": "read", "pull_requests": "read"})
	w.app.Install("owner", name)
	f := w.driver(t, w.asApp())
	repo, err := f.Repo(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.AddComment(t.Context(), repo, w.As("owner", name).OpenIssue(t, "I", ""), "x")
	if !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "issues=write") {
		t.Errorf("error %v, want one that names the permission", err)
	}
}

func TestArchivedRepository(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	s.Archive(s.Repo)
	if repo, err := s.Forge.Repo(t.Context(), s.Repo); err != nil || !repo.Archived {
		t.Errorf("%+v, %v; want an archived repository", repo, err)
	}
	_, comment := s.Forge.AddComment(t.Context(), s.repo, s.pr.Number, "x")
	_, push := s.Forge.Push(t.Context(), s.repo, s.change)
	for what, err := range map[string]error{
		"comment": comment, "push": push, "delete": s.Forge.DeleteBranch(t.Context(), s.repo, "topic", s.pr.HeadSHA),
	} {
		if !errors.Is(err, forge.ErrConflict) || !strings.Contains(err.Error(), "archived") {
			t.Errorf("%s: error %v, want one that says archived", what, err)
		}
	}
}

func TestNewRefusesOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]github.Options{
		"no scheme":       {API: "api.github.com", Token: secret.New("t")},
		"another scheme":  {API: "ssh://api.github.com", Token: secret.New("t")},
		"password in URL": {API: "https://me:" + canary + "@api.github.com", Token: secret.New("t")},
		"query":           {API: "https://api.github.com?x=" + canary, Token: secret.New("t")},
		"broken URL":      {API: "https://api.github.com:" + canary, Token: secret.New("t")},
		"no token":        {},
		"both":            {Token: secret.New("t"), App: github.App{ID: 1, Key: secret.New("k")}},
		"no key":          {App: github.App{ID: 1}},
		"broken key":      {App: github.App{ID: 1, Key: secret.New(canary)}},
	} {
		if _, err := github.New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	f, err := github.New(github.Options{Token: secret.New("t")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Repo(t.Context(), forge.Name{Owner: "..", Name: "admin/users"}); err == nil {
		t.Error("a name that leads elsewhere is taken")
	}
}
