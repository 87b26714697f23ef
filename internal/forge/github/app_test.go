package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
)

// asked counts what was asked of a server since the last time, by method and
// path without the repository's name.
func asked(s *githubtest.Server, name forge.Name) map[string]int {
	count := map[string]int{}
	for _, r := range s.Requests() {
		path := strings.Replace(r.Path, "/repos/"+name.String(), "REPO", 1)
		if strings.HasSuffix(path, "/access_tokens") {
			path = "TOKEN"
		}
		count[r.Method+" "+path]++
	}
	return count
}

// An App finds its installation and gets one token, however many calls need it.
func TestApp_token(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	f := w.driver(t, w.asApp())
	for range 3 {
		repo, err := f.Repo(t.Context(), name)
		if err != nil || repo.Account != "odyssey[bot]" {
			t.Fatalf("account %q, error %v", repo.Account, err)
		}
	}
	got := asked(w.Server, name)
	for call, want := range map[string]int{"GET /app": 1, "GET REPO/installation": 1, "POST TOKEN": 1} {
		if got[call] != want {
			t.Errorf("%s: %d times, want %d; all: %v", call, got[call], want, got)
		}
	}
}

// A token is nothing that somebody sees: the first write need not wait for it.
func TestApp_tokenIsNoWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	waits, at := 0, time.Now()
	o := w.asApp()
	o.Now = func() time.Time { return at }
	o.API, o.HTTP, o.Wait = w.URL, quick(), func(ctx context.Context, _ time.Duration) error { waits++; return ctx.Err() }
	f, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	repo, err := f.Repo(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := f.CreateIssue(t.Context(), repo, forge.NewIssue{Title: "I"}); err != nil {
			t.Fatal(err)
		}
		if waits != i {
			t.Errorf("write %d: waited %d times", i, waits)
		}
	}
}

// A token is got anew a minute before it ends, so that GitHub refuses none.
func TestApp_tokenInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	w.SetTokenLife(time.Minute + 2*time.Second)
	f := w.driver(t, w.asApp())
	for _, want := range []int{1, 0, 1} {
		if want == 1 {
			time.Sleep(3 * time.Second)
		}
		if _, err := f.Repo(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		tokens := 0
		for _, r := range w.Requests() {
			if strings.HasSuffix(r.Path, "/access_tokens") {
				tokens++
			}
			if r.Status == http.StatusUnauthorized {
				t.Errorf("%s %s is refused", r.Method, r.Path)
			}
		}
		if tokens != want {
			t.Errorf("%d tokens, want %d", tokens, want)
		}
	}
}

// T2: a token that ends before its time is got anew, and what it was for is
// done, once.
func TestFault_T2_GitHubTokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	f := w.driver(t, w.asApp())
	repo, err := f.Repo(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	w.RevokeTokens()
	asked(w.Server, name)
	issue, err := f.CreateIssue(t.Context(), repo, forge.NewIssue{Title: "I"})
	if err != nil {
		t.Fatal(err)
	}
	if got := asked(w.Server, name); got["POST TOKEN"] != 1 || got["POST REPO/issues"] != 2 { // refused, and done
		t.Errorf("asked %v", got)
	}
	if own, err := f.OwnIssues(t.Context(), repo); err != nil || len(own) != 1 || own[0].Number != issue.Number {
		t.Errorf("issues %+v, error %v", own, err)
	}
	// When the new one is refused as well, there is no third.
	w.Intercept(func(r *http.Request) *githubtest.Answer {
		if strings.HasSuffix(r.URL.Path, "/access_tokens") {
			return nil
		}
		return &githubtest.Answer{Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials"}`}
	})
	asked(w.Server, name)
	if _, err := f.CreateIssue(t.Context(), repo, forge.NewIssue{Title: "II"}); !errors.Is(err, forge.ErrUnauthorized) {
		t.Errorf("error %v", err)
	}
	if got := asked(w.Server, name); got["POST TOKEN"] != 1 || got["POST REPO/issues"] != 2 {
		t.Errorf("asked %v", got)
	}
}

// F6: a suspended installation is refused in words that say what to do, without
// being asked again and again, and works again once that ends.
func TestFault_F6_GitHubSuspended(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprint("known before: ", known), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			name := w.repo()
			id := w.app.Install("owner", name)
			f := w.driver(t, w.asApp())
			if known {
				if _, err := f.Repo(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			w.app.Suspend(id, true)
			asked(w.Server, name)
			_, err := f.Repo(t.Context(), name)
			if !errors.Is(err, forge.ErrUnauthorized) || errors.Is(err, forge.ErrTransient) || !strings.Contains(err.Error(), "suspended") {
				t.Errorf("error %v", err)
			}
			calls := 0
			for _, n := range asked(w.Server, name) {
				calls += n
			}
			if calls > 3 {
				t.Errorf("%d calls", calls)
			}
			w.app.Suspend(id, false)
			if _, err := f.Repo(t.Context(), name); err != nil {
				t.Errorf("when it was unsuspended: %v", err)
			}
		})
	}
}

// F6: a key that is not the App's, an App that is none, a token that is none.
func TestFault_F6_GitHubRefusesCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	const token = "ghp_canary0123456789"
	stranger := w.asApp()
	stranger.App.ID = 9
	for title, c := range map[string]struct {
		o    github.Options
		want error
		says string
	}{
		"no such App":   {stranger, forge.ErrUnauthorized, "it knows no App 9"},
		"no such token": {github.Options{Token: secret.New(token)}, forge.ErrUnauthorized, "Bad credentials"},
	} {
		f := w.driver(t, c.o)
		asked(w.Server, name)
		_, err := f.Repo(t.Context(), name)
		if !errors.Is(err, c.want) || errors.Is(err, forge.ErrTransient) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: error %v", title, err)
		}
		if got := asked(w.Server, name); len(got) != 1 {
			t.Errorf("%s: asked %v", title, got)
		}
	}
}

// Where an App is not installed, and where it is installed anew.
func TestApp_installation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in, out := w.repo(), w.repo()
	w.Private(out)
	id := w.app.Install("owner", in)
	f := w.driver(t, w.asApp())
	if _, err := f.Repo(t.Context(), out); !errors.Is(err, forge.ErrNotFound) || !strings.Contains(err.Error(), "not installed in "+out.String()) {
		t.Errorf("not installed: error %v", err)
	}
	if _, err := f.Repo(t.Context(), in); err != nil {
		t.Errorf("installed: %v", err)
	}
	w.app.Uninstall(id)
	w.app.Install("owner", in)
	if _, err := f.Repo(t.Context(), in); err != nil {
		t.Errorf("installed anew: %v", err)
	}
	w.app.Uninstall(id + 1)
	if _, err := f.Repo(t.Context(), forge.Name{Owner: "nobody", Name: "none"}); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("nobody's: error %v", err)
	}
}

// R3: a clock that is off is what the error names, not the key.
func TestFault_R3_GitHubClockOff(t *testing.T) {
	t.Parallel()
	for off, says := range map[time.Duration]string{
		10 * time.Minute:  "this machine's clock is 10m0s behind GitHub's",
		-10 * time.Minute: "this machine's clock is 10m0s ahead of GitHub's",
	} {
		s := githubtest.New(t, githubtest.Options{Now: func() time.Time { return time.Now().Add(off) }})
		name := forge.Name{Owner: "owner", Name: "repo"}
		s.AddRepo(name)
		app := s.AddApp("odyssey", nil)
		app.Install("owner", name)
		f, err := github.New(github.Options{API: s.URL, HTTP: quick(), Wait: noWait, App: github.App{ID: app.ID, Key: secret.New(string(app.Key))}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Repo(t.Context(), name)
		if !errors.Is(err, forge.ErrUnauthorized) || errors.Is(err, forge.ErrTransient) {
			t.Errorf("%s: error %v", off, err)
		} else if text := strings.NewReplacer("9m59s", "10m0s", "10m1s", "10m0s").Replace(err.Error()); !strings.Contains(text, says) {
			t.Errorf("%s: error %v", off, err)
		}
		if got := asked(s, name); len(got) != 1 {
			t.Errorf("%s: asked %v", off, got)
		}
	}
	// The same when the installation is known and only its token is to be got.
	theirs := &movable{now: time.Now()}
	s := githubtest.New(t, githubtest.Options{Now: theirs.Now})
	name := forge.Name{Owner: "owner", Name: "repo"}
	s.AddRepo(name)
	app := s.AddApp("odyssey", nil)
	app.Install("owner", name)
	f, err := github.New(github.Options{API: s.URL, HTTP: quick(), Wait: noWait, App: github.App{ID: app.ID, Key: secret.New(string(app.Key))}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Repo(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	theirs.pass(2 * time.Hour)
	if _, err := f.Repo(t.Context(), name); !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "behind GitHub's") {
		t.Errorf("while it runs: error %v", err)
	}
}

// Many at once get one token each installation, and race for nothing.
func TestApp_concurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []forge.Name{w.repo(), {Owner: "second", Name: "x"}, {Owner: "third", Name: "x"}}
	for _, name := range names[1:] {
		w.AddRepo(name)
	}
	for _, name := range names {
		w.app.Install(name.Owner, name)
	}
	f := w.driver(t, w.asApp())
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			name := names[i%len(names)]
			if repo, err := f.Repo(t.Context(), name); err != nil || repo.Name != name {
				t.Errorf("%s: %v, %v", name, repo.Name, err)
			}
		})
	}
	group.Wait()
	if got := asked(w.Server, forge.Name{}); got["POST TOKEN"] != len(names) {
		t.Errorf("%d tokens", got["POST TOKEN"])
	}
}

// movable is a clock.
type movable struct {
	mu  sync.Mutex
	now time.Time
}

func (m *movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *movable) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}
