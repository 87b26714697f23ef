package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/secret"
)

// clock is one that only waiting moves.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Wait(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	c.now = c.now.Add(d)
	return nil
}

// bench is a session and a server that answers as the test says.
type bench struct {
	*clock
	session *session
	meter   *meter

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	seen   []string // method, path and, if there is one, the known ETag
}

const canary = "canary-token-5c1e"

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{clock: newClock()}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	var err error
	b.session, err = newSession(Options{
		API: server.URL + "/api/v3", Token: secret.New(canary), Now: b.Now, Wait: b.Wait,
		HTTP: forgehttp.Options{MinWait: time.Millisecond, MaxWait: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.meter, _ = b.session.identity.(bearer).next.(*meter)
	return b
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v3")
	if etag := r.Header.Get("If-None-Match"); etag != "" {
		line += " " + etag
	}
	b.seen = append(b.seen, line)
	w.Header().Set("Date", b.Now().Format(http.TimeFormat))
	b.answer(w, r)
}

// call calls for a repository and returns the status, the body and an error of
// package forge.
func (b *bench) call(t *testing.T, repo, method, path string) (status int, body string, err error) {
	t.Helper()
	name, err := forge.ParseName(repo)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(forRepo(t.Context(), name), method, b.session.api+path, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.session.http.Do(req)
	if err != nil {
		return 0, "", forgehttp.Error(nil, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		err = errors.New(string(text))
	}
	return resp.StatusCode, string(text), forgehttp.Error(resp, err)
}

func (b *bench) took() (seen []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen, b.seen = b.seen, nil
	return seen
}

func limited(status int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"message":"no","documentation_url":"https://docs.github.com"}`)
	}
}

func fine(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }

// wantLimit checks that a call is refused for a time, and whether it reached
// the server.
func (b *bench) wantLimit(t *testing.T, title, repo, method string, want time.Duration, reached bool) {
	t.Helper()
	b.took()
	_, _, err := b.call(t, repo, method, "repos/x")
	var limit *forge.RateLimitError
	if !errors.As(err, &limit) || limit.RetryAfter != want {
		t.Errorf("%s: error %v, want to wait %s", title, err, want)
	}
	if got := len(b.took()) > 0; got != reached {
		t.Errorf("%s: reached the server: %t", title, got)
	}
}

func (b *bench) wantFine(t *testing.T, title, repo, method string) {
	t.Helper()
	if status, _, err := b.call(t, repo, method, "repos/x"); err != nil || status != http.StatusOK {
		t.Errorf("%s: status %d, error %v", title, status, err)
	}
}
