package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// F3: while GitHub asks to wait, nothing is called, by no repository.
func TestFault_F3_GitHubAsksToWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(b *bench) func(http.ResponseWriter, *http.Request)
		want   time.Duration
	}{
		"403 with Retry-After": {func(*bench) func(http.ResponseWriter, *http.Request) { return limited(403, "Retry-After", "120") }, 2 * time.Minute},
		"429 with Retry-After": {func(*bench) func(http.ResponseWriter, *http.Request) { return limited(429, "Retry-After", "120") }, 2 * time.Minute},
		"the quota is used up": {func(b *bench) func(http.ResponseWriter, *http.Request) {
			return limited(403, "X-Ratelimit-Limit", "5000", "X-Ratelimit-Remaining", "0", "X-Ratelimit-Resource", "core",
				"X-Ratelimit-Reset", strconv.FormatInt(b.Now().Add(30*time.Minute).Unix(), 10))
		}, 30 * time.Minute},
	} {
		b := newBench(t)
		b.answer = c.answer(b)
		b.wantLimit(t, name+", the first", "a/a", "GET", c.want, true)
		b.answer = fine
		b.wantLimit(t, name+", at once", "a/a", "GET", c.want, false)
		b.pass(c.want - time.Second)
		b.wantLimit(t, name+", for another one", "a/b", "POST", time.Second, false)
		b.pass(time.Second)
		b.wantFine(t, name+", then", "a/a", "GET")
	}
}

// A quota that was used up by a call that succeeded is respected, too, and the
// quota for searches is another one.
func TestFault_F3_GitHubQuotaUsedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	reset := strconv.FormatInt(b.Now().Add(time.Minute).Unix(), 10)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "30")
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", reset)
		w.Header().Set("X-Ratelimit-Resource", "search")
		fmt.Fprint(w, `{}`)
	}
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); err != nil {
		t.Fatal(err)
	}
	b.answer = fine
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("a search: error %v", err)
	}
	b.wantFine(t, "no search", "a/a", "GET")
	b.pass(time.Minute)
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); err != nil {
		t.Errorf("a search, later: %v", err)
	}
}

// F4: without a header at least a minute, growing, at most an hour; a success
// of the same sort begins anew.
func TestFault_F4_GitHubSecondaryLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secondary := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`)
	}
	b.answer = secondary
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		b.wantLimit(t, fmt.Sprint("time ", i), "a/a", "POST", want*time.Minute, true)
		b.wantLimit(t, fmt.Sprint("time ", i, ", at once"), "a/b", "GET", want*time.Minute, false)
		b.pass(want * time.Minute)
	}
	b.answer = fine
	b.wantFine(t, "a read says nothing of writes", "a/a", "GET")
	b.answer = secondary
	b.wantLimit(t, "again", "a/a", "POST", time.Hour, true)
	b.pass(time.Hour)
	b.answer = fine
	b.wantFine(t, "a write", "a/a", "POST")
	b.pass(time.Second)
	b.answer = limited(429)
	b.wantLimit(t, "429 without a word", "a/a", "POST", time.Minute, true)
	// A refusal for another reason is no limit.
	b.pass(time.Hour)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
	}
	for range 2 {
		if _, _, err := b.call(t, "a/a", "POST", "repos/x"); !errors.Is(err, forge.ErrUnauthorized) {
			t.Errorf("refused: error %v", err)
		}
	}
}

// F7: what did not change is not sent again, and takes nothing from a share.
func TestFault_F7_GitHubUnchangedPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	etag, body := `"1"`, `{"n":1}`
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Remaining", "41")
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Etag", etag)
		w.Header().Set("Link", `<x>; rel="next"`)
		fmt.Fprint(w, body)
	}
	for range 3 {
		if status, got, err := b.call(t, "a/a", "GET", "repos/a/a?page=1"); err != nil || status != 200 || got != body {
			t.Errorf("status %d, body %q, error %v", status, got, err)
		}
	}
	etag, body = `"2"`, `{"n":2}`
	for range 2 {
		if _, got, err := b.call(t, "a/a", "GET", "repos/a/a?page=1"); err != nil || got != body {
			t.Errorf("body %q, error %v", got, err)
		}
	}
	if _, _, err := b.call(t, "a/a", "POST", "repos/a/a?page=1"); err != nil {
		t.Error(err)
	}
	want := []string{
		"GET /repos/a/a", `GET /repos/a/a "1"`, `GET /repos/a/a "1"`,
		`GET /repos/a/a "1"`, `GET /repos/a/a "2"`, "POST /repos/a/a",
	}
	if diff := cmp.Diff(want, b.took()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	req, err := http.NewRequestWithContext(forRepo(t.Context(), forge.Name{Owner: "a", Name: "a"}), http.MethodGet, b.session.api+"repos/a/a?page=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.session.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Link") == "" || resp.Header.Get("X-Ratelimit-Remaining") != "41" {
		t.Errorf("a known answer has the header %v", resp.Header)
	}
}

// A second between two writes, whoever makes them; reads need none.
func TestWriteGap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answer = fine
	for _, c := range []struct {
		repo, method string
		after, slept time.Duration
	}{
		{"a/a", "POST", 0, 0},
		{"a/b", "POST", 0, time.Second},
		{"a/a", "GET", 0, 0},
		{"a/a", "PATCH", 400 * time.Millisecond, 600 * time.Millisecond},
		{"a/a", "DELETE", 5 * time.Second, 0},
		{"a/a", "PUT", 0, time.Second},
	} {
		b.pass(c.after)
		b.slept = nil
		b.wantFine(t, c.method, c.repo, c.method)
		var got time.Duration
		for _, d := range b.slept {
			got += d
		}
		if got != c.slept {
			t.Errorf("%s of %s waited %s, want %s", c.method, c.repo, got, c.slept)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.session.identity.(bearer).next.(*meter).quota.wait = wait
	req, err := http.NewRequestWithContext(forRepo(ctx, forge.Name{Owner: "a", Name: "a"}), http.MethodPost, b.session.api, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.session.RoundTrip(req); !errors.Is(err, context.Canceled) { //nolint:bodyclose // there is none
		t.Errorf("waits beyond its context: %v", err)
	}
}

// Who asks for much gets no more than its share once there is little left; the
// others go on. The next hour it begins anew.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	left, reset := 100, b.Now().Add(time.Hour)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		left--
		w.Header().Set("X-Ratelimit-Limit", "100")
		w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(reset.Unix(), 10))
		fmt.Fprint(w, `{}`)
	}
	b.wantFine(t, "quiet", "a/quiet", "GET")
	made := 0
	for ; made < 200; made++ {
		if _, _, err := b.call(t, "a/busy", "GET", "repos/x"); err != nil {
			break
		}
	}
	if left != 20 || made != 79 {
		t.Errorf("busy made %d calls, %d are left", made, left)
	}
	b.wantLimit(t, "busy", "a/busy", "GET", time.Hour, false)
	for i := range 20 {
		b.wantFine(t, fmt.Sprint("quiet, ", i), "a/quiet", "GET")
	}
	b.wantLimit(t, "nothing left", "a/quiet", "GET", time.Hour, false)
	b.pass(time.Hour)
	left, reset = 100, b.Now().Add(time.Hour)
	b.wantFine(t, "busy, an hour later", "a/busy", "GET")
}

// T1: a server that repeats the token in what it says is not quoted with it.
func TestFault_T1_GitHubRepeatsTheToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, `{"message":"bad %s"}`, r.Header.Get("Authorization"))
	}
	if _, body, err := b.call(t, "a/a", "GET", "repos/x"); !strings.Contains(body, "bad Bearer") || strings.Contains(body+fmt.Sprint(err), canary) {
		t.Errorf("body %q, error %v", body, err)
	}
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://"+canary+".example.org/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	if _, _, err := b.call(t, "a/a", "GET", "repos/x"); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a redirect: error %v", err)
	}
}

// Nothing is called without saying for whom.
func TestSessionNeedsPurpose(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answer = fine
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.session.api+"user", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.session.http.Do(req); err == nil || len(b.took()) > 0 { //nolint:bodyclose // there is none
		t.Errorf("error %v", err)
	}
}

func TestNewSession_refuses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"nothing":       {},
		"two":           {Token: secret.New("t"), App: App{ID: 1, Key: secret.New("k")}},
		"App without":   {App: App{Key: secret.New("k")}},
		"key of no App": {App: App{ID: 1}},
		"no key":        {App: App{ID: 1, Key: secret.New(canary)}},
		"URL":           {Token: secret.New("t"), API: "github.com"},
		"password":      {Token: secret.New("t"), API: "https://u:" + canary + "@h"},
		"query":         {Token: secret.New("t"), API: "https://h/?" + canary},
	} {
		if _, err := newSession(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for start, want := range map[string]string{
		"https://github.com": "https://api.github.com/", "https://www.GitHub.com/": "https://api.github.com/",
		"https://acme.ghe.com": "https://api.acme.ghe.com/", "https://git.example.com/": "https://git.example.com/api/v3/",
	} {
		if got := API(start); got != want {
			t.Errorf("API(%q) is %q, want %q", start, got, want)
		}
	}
}

// The cache keeps what was used last, within its bounds, and each account's
// own.
func TestCache(t *testing.T) {
	t.Parallel()
	c := newCache()
	ask := func(account, path string) string {
		req := httptest.NewRequest(http.MethodGet, "https://h/"+path, http.NoBody)
		return map[bool]string{true: "known"}[c.ask(account, req).answer != nil]
	}
	put := func(path string, size int) {
		req := httptest.NewRequest(http.MethodGet, "https://h/"+path, http.NoBody)
		q := c.ask("a", req)
		resp := &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"e"`}}, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}
		got, err := c.settle(q, resp)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := io.Copy(io.Discard, got.Body); n != int64(size) {
			t.Errorf("%s: %d bytes", path, n)
		}
	}
	put("large", maxAnswer+1)
	put("first", maxAnswer)
	for i := range maxCached / maxAnswer {
		if ask("a", "first") == "" {
			t.Errorf("%d: what was used just now is gone", i)
		}
		put(fmt.Sprint(i), maxAnswer)
	}
	if ask("a", "large") != "" || ask("a", "0") != "" || ask("b", "first") != "" || ask("a", "first") == "" {
		t.Error("the wrong answers are known")
	}
	if c.size > maxCached || c.size < maxCached/2 || len(c.entries) != c.order.Len() {
		t.Errorf("%d bytes, %d entries, %d in order", c.size, len(c.entries), c.order.Len())
	}
}
