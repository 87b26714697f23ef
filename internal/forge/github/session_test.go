package github

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/secret"
)

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
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"e"`}}, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}
		got, err := c.settle(q, resp)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		if n, _ := io.Copy(io.Discard, got.Body); n != int64(size) {
			t.Errorf("%s: %d bytes", path, n)
		}
	}
	put("large", maxAnswer+1)
	if ask("a", "large") != "" {
		t.Error("an answer that is too large is kept")
	}
	put("first", maxAnswer)
	for i := range maxCached / maxAnswer {
		if ask("a", "first") == "" {
			t.Errorf("%d: what was used just now is gone", i)
		}
		put(fmt.Sprint(i), maxAnswer)
	}
	if ask("a", "0") != "" || ask("b", "first") != "" || ask("a", "first") == "" {
		t.Error("the wrong answers are known")
	}
	if c.size > maxCached || c.size < maxCached/2 || len(c.entries) != c.order.Len() {
		t.Errorf("%d bytes, %d entries, %d in order", c.size, len(c.entries), c.order.Len())
	}
}
