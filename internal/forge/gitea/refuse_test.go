package gitea_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
)

const canary = "c4n4ry-t0ken-0123456789"

func driver(t *testing.T, url string, token secret.Text) *gitea.Forge {
	t.Helper()
	f, err := gitea.New(gitea.Options{URL: url, Token: token, HTTP: quick()})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFault_T1_NoErrorHoldsTheToken(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, at := range map[string]struct {
		url   string
		class error
	}{
		"refused connection":    {closed.URL, forge.ErrTransient},
		"a server that repeats": {echo(t, http.StatusForbidden), forge.ErrUnauthorized},
		"a failing one too":     {echo(t, http.StatusInternalServerError), forge.ErrTransient},
		"a success it is not":   {echo(t, http.StatusOK), nil},
		"Gitea, wrong token":    {newWorld(t).srv.URL, forge.ErrUnauthorized},
		"redirect elsewhere":    {redirect(t, http.StatusTemporaryRedirect), nil},
		"redirect for good":     {redirect(t, http.StatusMovedPermanently), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, err := range forgetest.Everything(t, driver(t, at.url, secret.New(canary)), forge.Name{Owner: "o", Name: "n"}) {
				if err == nil && slices.Contains([]string{"RequestReviews", "React", "Unreact"}, method) {
					continue // nothing of its answer is needed
				}
				if err == nil {
					t.Errorf("%s: no error", method)
					continue
				}
				if at.class != nil && !errors.Is(err, at.class) {
					t.Errorf("%s: error %q, want one that is %q", method, err, at.class)
				}
				for ; err != nil; err = errors.Unwrap(err) {
					if leaks(fmt.Sprintf("%v %+v %#v", err, err, err)) {
						t.Errorf("%s: the token is in %q", method, err)
					}
				}
			}
		})
	}
}

// leaks finds the token, and the basic authentication that holds it.
func leaks(text string) bool {
	req := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	req.SetBasicAuth("odyssey", canary)
	return strings.Contains(text, canary) || strings.Contains(text, strings.TrimPrefix(req.Header.Get("Authorization"), "Basic "))
}

// echo is a server that answers with the credentials it was sent.
func echo(t *testing.T, status int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		said := r.Header.Get("Authorization") + " " + password
		w.Header().Set("Content-Type", said)
		w.WriteHeader(status)
		if strings.Contains(r.URL.Path, "/api/") {
			_ = json.NewEncoder(w).Encode(map[string]any{"message": said, "id": said, "number": said, "type": said, "commit": said})
			return
		}
		_, _ = w.Write([]byte(said))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// redirect is a server that sends everybody to another one, where the test
// fails if any request arrives.
func redirect(t *testing.T, status int) string {
	t.Helper()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent to another host, with %q", r.Method, r.URL, r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.RequestURI(), status)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestFault_T1_OptionsDoNotPrintTheToken(t *testing.T) {
	t.Parallel()
	o := gitea.Options{URL: "https://git.example.org", Token: secret.New(canary)}
	inJSON, err := json.Marshal(o.Token)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", o, o, o, inJSON); leaks(text) {
		t.Errorf("the token is in %s", text)
	}
}

func TestNewRefusesOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]gitea.Options{
		"no URL":           {Token: secret.New("t")},
		"no scheme":        {URL: "git.example.org", Token: secret.New("t")},
		"another scheme":   {URL: "ssh://git.example.org", Token: secret.New("t")},
		"password in URL":  {URL: "https://me:" + canary + "@git.example.org", Token: secret.New("t")},
		"query":            {URL: "https://git.example.org?x=" + canary, Token: secret.New("t")},
		"broken URL":       {URL: "https://git.example.org:" + canary, Token: secret.New("t")},
		"no token":         {URL: "https://git.example.org"},
		"unknown flavour":  {URL: "https://git.example.org", Token: secret.New("t"), Flavour: "gogs"},
		"name not allowed": {URL: "https://git.example.org", Token: secret.New("t"), Flavour: "Gitea"},
	} {
		if _, err := gitea.New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	f, err := gitea.New(gitea.Options{URL: "https://git.example.org/sub/", Token: secret.New("t"), Flavour: gitea.Forgejo})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Repo(t.Context(), forge.Name{Owner: "..", Name: "admin/users"}); err == nil {
		t.Error("a name that leads elsewhere is taken")
	}
}

// What an account may not do is told apart from what does not exist.
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(t)
	stranger := driver(t, w.srv.URL, secret.New(w.stranger.Token))
	_, err := stranger.Push(t.Context(), s.repo, s.change)
	if !errors.Is(err, forge.ErrUnauthorized) {
		t.Errorf("push by a stranger: error %v", err)
	}

	w.as(t, w.owner, http.MethodPost, s.Repo, "/branch_protections", map[string]any{
		"rule_name": "main", "enable_push": false,
	}, nil)
	onMain := s.change
	onMain.Branch, onMain.Lease = "main", onMain.BaseHead
	_, err = s.Forge.Push(t.Context(), s.repo, onMain)
	if !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "protected branch main") {
		t.Errorf("push to a protected branch: error %v, want one that says so", err)
	}

	w.as(t, w.owner, http.MethodPatch, s.Repo, "", map[string]any{"archived": true}, nil)
	if repo, err := s.Forge.Repo(t.Context(), s.Repo); err != nil || !repo.Archived {
		t.Errorf("archived repository: %+v, %v", repo, err)
	}
	if _, err := s.Forge.AddComment(t.Context(), s.repo, s.pr.Number, "x"); !errors.Is(err, forge.ErrConflict) {
		t.Errorf("comment in an archived repository: error %v", err)
	}
}

func TestPullRequestFromDeletedFork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.fixture(t)
	at.Human.ForkPullRequest(t, "main")
	fork := forge.Name{Owner: w.stranger.Login, Name: at.Repo.Name}
	w.as(t, w.stranger, http.MethodDelete, fork, "", nil, nil)
	open, err := at.Forge.OpenPullRequests(t.Context(), forge.Repo{Name: at.Repo})
	if err != nil {
		t.Fatal(err)
	}
	for _, pr := range open {
		if !pr.FromFork {
			t.Errorf("%+v is not from a fork", pr)
		}
	}
	_, err = at.Forge.LastPullRequest(t.Context(), forge.Repo{Name: at.Repo, DefaultBranch: "main"}, "main")
	if !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("error %v, want that there is none from the repository itself", err)
	}
}

// A server that does not count its items is asked until a page is short.
func TestPagesWithoutCount(t *testing.T) {
	t.Parallel()
	const items = 120
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var page, limit int
		_, err := fmt.Sscan(r.FormValue("page")+" "+r.FormValue("limit"), &page, &limit)
		if err != nil {
			t.Error(err)
		}
		pulls := []map[string]any{}
		for i := (page - 1) * limit; i < min(page*limit, items); i++ {
			pulls = append(pulls, map[string]any{"number": i})
		}
		_ = json.NewEncoder(w).Encode(pulls)
	}))
	t.Cleanup(srv.Close)
	open, err := driver(t, srv.URL, secret.New("t")).OpenPullRequests(t.Context(), forge.Repo{Name: forge.Name{Owner: "o", Name: "n"}})
	if err != nil || len(open) != items || calls.Load() != 3 {
		t.Errorf("%d pull requests in %d calls, %v; want %d in 3", len(open), calls.Load(), err, items)
	}
}

// F3: a long wait is handed to the caller at once, for reads, writes and git,
// and after it neither the API nor git calls again.
func TestFault_F3_RateLimit(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(srv.Close)
	f, err := gitea.New(gitea.Options{URL: srv.URL, Token: secret.New(canary), HTTP: forgehttp.Options{}})
	if err != nil {
		t.Fatal(err)
	}
	errs := forgetest.Everything(t, f, forge.Name{Owner: "o", Name: "n"})
	if calls.Load() != 2 {
		t.Errorf("%d calls for %d methods, want one of the API and one of git", calls.Load(), len(errs))
	}
	for method, err := range errs {
		var limit *forge.RateLimitError
		if !errors.As(err, &limit) || limit.RetryAfter > time.Hour || limit.RetryAfter < 50*time.Minute || !errors.Is(err, forge.ErrTransient) {
			t.Errorf("%s: error %v, want a wait of an hour", method, err)
		}
	}
}
