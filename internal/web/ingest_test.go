package web_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/web"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	var to []string
	o.Accepter = acceptFunc(func(_ context.Context, forgeName string, _ forge.Event) (bool, error) {
		to = append(to, forgeName)
		return true, nil
	})
	o.Hooks = []web.Hook{
		{Forge: "main", Kind: "gitea", Receiver: signed{}},
		{Forge: "other", Kind: "gitea", Receiver: signed{}},
		{Forge: "code", Kind: "forgejo", Receiver: signed{}},
		{Forge: "enterprise", Kind: "github", Receiver: signed{}},
		{Forge: "github", Kind: "github", Receiver: signed{}},
	}
	h := newServer(t, o).Public()
	for _, test := range []struct {
		path  string
		want  int
		forge string
	}{
		{"/webhooks/gitea/main", 202, "main"},
		{"/webhooks/gitea/other", 202, "other"},
		{"/webhooks/gitea", 404, ""}, // which of the two?
		{"/webhooks/forgejo", 202, "code"},
		{"/webhooks/forgejo/code", 202, "code"},
		{"/webhooks/forgejo/main", 404, ""}, // of another kind
		{"/webhooks/github", 202, "github"}, // the one that is called so
		{"/webhooks/github/github", 202, "github"},
		{"/webhooks/github/enterprise", 202, "enterprise"},
		{"/webhooks", 404, ""},
		{"/", 404, ""},
		{"/healthz", 404, ""},
		{"/metrics", 404, ""},
	} {
		to = nil
		w := deliver(h, test.path, "good", strings.NewReader("1"))
		if w.Code != test.want || strings.Join(to, " ") != test.forge {
			t.Errorf("POST %s: %d to %q; want %d to %q", test.path, w.Code, to, test.want, test.forge)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("POST %s: X-Content-Type-Options %q", test.path, got)
		}
	}

	o.Hooks = append(o.Hooks, web.Hook{Forge: "main", Kind: "forgejo", Receiver: signed{}})
	o.Metrics = web.NewMetrics("")
	if _, err := web.New(o); err == nil || !strings.Contains(err.Error(), `"main"`) {
		t.Errorf("two forges of one name: %v", err)
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		return e.Delivery != "known", nil
	})
	h := newServer(t, o).Public()
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
		body   string
		want   int
		header string
	}{
		{"fresh", nil, "1", 202, ""},
		{"known", nil, "known", 200, ""},
		{"with a charset", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, "1", 202, ""},
		{"identity", func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }, "1", 202, ""},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, "", 405, "Allow: POST"},
		{"HEAD", func(r *http.Request) { r.Method = http.MethodHead }, "", 405, "Allow: POST"},
		{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, "payload=1", 415, "Connection: close"},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, "1", 415, "Connection: close"},
		{"gzip", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, "1", 413, "Connection: close"},
		{"two encodings", func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "br"} }, "1", 413, "Connection: close"},
		{"not understood", nil, "not json", 400, "Connection: close"},
		{"announced too large", func(r *http.Request) { r.ContentLength = 25<<20 + 1 }, "1", 413, "Connection: close"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/gitea", strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Signature", "good")
		if test.change != nil {
			test.change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		name, value, _ := strings.Cut(test.header, ": ")
		if w.Code != test.want || (name != "" && w.Header().Get(name) != value) {
			t.Errorf("%s: %d %v %q; want %d and %q", test.name, w.Code, w.Header(), w.Body, test.want, test.header)
		}
	}
}

// A body of exactly the limit is taken, one byte more is not, however it is sent.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	o := options(t.Output())
	o.Limits.Body = limit
	got := 0
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		got = len(e.Delivery)
		return true, nil
	})
	h := newServer(t, o).Public()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 65536, 65537, limit - 1, limit, limit + 1, 2 * limit} {
		for _, announced := range []bool{true, false} {
			got = -1
			r := httptest.NewRequest(http.MethodPost, "/webhooks/gitea", bytes.NewReader(make([]byte, size)))
			if !announced {
				r.ContentLength = -1
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Signature", "good")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if ok := size <= limit; ok && (w.Code != 202 || got != size) || !ok && (w.Code != 413 || got != -1) {
				t.Errorf("%d bytes, announced: %t: %d, %d bytes kept", size, announced, w.Code, got)
			}
		}
	}
}

// No success is sent before Accept has returned; a kill in between leaves the
// forge without an answer. The sender may leave meanwhile.
func TestFault_C1_NoAnswerBeforeCommit(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	entered, release := make(chan struct{}), make(chan struct{})
	cancelled := make(chan error, 1)
	o.Accepter = acceptFunc(func(ctx context.Context, _ string, _ forge.Event) (bool, error) {
		close(entered)
		<-release
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond): // the server sees in this time that the sender left
		}
		cancelled <- ctx.Err()
		return true, nil
	})
	server := httptest.NewServer(newServer(t, o).Public())
	defer server.Close()

	answered := make(chan int, 1)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/webhooks/gitea", strings.NewReader("1"))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Signature", "good")
		resp, err := server.Client().Do(r)
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-entered
	select {
	case status := <-answered:
		t.Fatalf("answered %d before Accept returned", status)
	case <-time.After(200 * time.Millisecond):
	}
	leave()
	if status := <-answered; status != 0 {
		t.Fatalf("answered %d", status)
	}
	close(release)
	if err := <-cancelled; err != nil {
		t.Errorf("the commit was cancelled when the sender left: %v", err)
	}
}

// What is delivered again after an answer was lost is answered with success
// and changes nothing.
func TestFault_C2_KnownDelivery(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	kept := map[string]int{}
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		if kept[e.Delivery] > 0 {
			return false, nil
		}
		kept[e.Delivery]++
		return true, nil
	})
	h := newServer(t, o).Public()
	for _, want := range []int{202, 200, 200} {
		if w := deliver(h, "/webhooks/gitea", "good", strings.NewReader("a")); w.Code != want {
			t.Errorf("%d; want %d", w.Code, want)
		}
	}
	if kept["a"] != 1 {
		t.Errorf("kept %v", kept)
	}
}

// A store that is full, fails, or hangs: no success, but a word to come again.
// Then it recovers.
func TestFault_R1_StoreFull(t *testing.T) {
	t.Parallel()
	full := errors.New("the queue's store is full")
	o := options(t.Output())
	o.Limits.Commit = 50 * time.Millisecond
	var answer func(ctx context.Context) error
	o.Accepter = acceptFunc(func(ctx context.Context, _ string, _ forge.Event) (bool, error) {
		err := answer(ctx)
		return err == nil, err
	})
	h := newServer(t, o).Public()
	for _, test := range []struct {
		name   string
		answer func(ctx context.Context) error
		want   int
	}{
		{"full", func(context.Context) error { return full }, 503},
		{"hanging", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 503},
		{"recovered", func(context.Context) error { return nil }, 202},
	} {
		answer = test.answer
		w := deliver(h, "/webhooks/gitea", "good", strings.NewReader("1"))
		if w.Code != test.want || (w.Code == 503) != (w.Header().Get("Retry-After") == "10") {
			t.Errorf("%s: %d, Retry-After %q; want %d", test.name, w.Code, w.Header().Get("Retry-After"), test.want)
		}
		if strings.Contains(w.Body.String(), "queue") {
			t.Errorf("%s: tells strangers %q", test.name, w.Body)
		}
	}
}

// What is not signed is answered with a constant word and reaches nobody.
func TestFault_S1_Unsigned(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := options(&log)
	o.Now = func() time.Time { return noon }
	o.Accepter = acceptFunc(func(context.Context, string, forge.Event) (bool, error) {
		t.Error("Accept was called")
		return true, nil
	})
	h := newServer(t, o).Public()
	bodies := map[string]bool{}
	for range 1000 {
		for _, signature := range []string{"", "bad", "Good", "sha1=good"} {
			w := deliver(h, "/webhooks/gitea", signature, strings.NewReader("body-of-a-stranger"))
			if w.Code != http.StatusUnauthorized {
				t.Fatalf("signature %q: %d; want 401", signature, w.Code)
			}
			bodies[w.Body.String()] = true
		}
	}
	if len(bodies) != 1 || !bodies["not signed\n"] {
		t.Errorf("answers %v; want one constant word", bodies)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "stranger") {
		t.Errorf("4,000 refusals in a minute logged as %d lines:\n%s", n, log.String())
	}
}
