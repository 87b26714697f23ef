package forgehttp_test

import (
	"bytes"
	"compress/gzip"
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

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers the n-th request by the n-th function, later ones by the
// last, and records what it was sent.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string // method, path, body
}

func serve(t *testing.T, answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := min(len(s.sent), len(answers)-1)
		s.sent = append(s.sent, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body)))
		s.mu.Unlock()
		answers[n](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func answer(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "answer")
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// breakOff promises more than it sends.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, "answ")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// drip never ends.
func drip(w http.ResponseWriter, r *http.Request) {
	for {
		_, _ = io.WriteString(w, ".")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func quick() forgehttp.Options {
	return forgehttp.Options{Retries: 2, MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond, Timeout: 5 * time.Second}
}

// call sends a request and returns what forgehttp.Error makes of the outcome.
func call(t *testing.T, o forgehttp.Options, method, url string) (string, error) {
	t.Helper()
	client := forgehttp.New(o)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte("body")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token secret")
	resp, err := client.Do(req)
	if err != nil {
		return "", forgehttp.Error(nil, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), forgehttp.Error(resp, err)
}

func TestRetries(t *testing.T) {
	t.Parallel()
	fine := answer(http.StatusOK)
	for name, c := range map[string]struct {
		answers  []http.HandlerFunc
		attempts int // of a repeatable request
		class    error
	}{
		"success":             {[]http.HandlerFunc{fine}, 1, nil},
		"500, then success":   {[]http.HandlerFunc{answer(500), answer(500), fine}, 3, nil},
		"502 for good":        {[]http.HandlerFunc{answer(502)}, 3, forge.ErrTransient},
		"hang up":             {[]http.HandlerFunc{hangUp, fine}, 2, nil},
		"hang up for good":    {[]http.HandlerFunc{hangUp}, 3, forge.ErrTransient},
		"broken off":          {[]http.HandlerFunc{breakOff, fine}, 2, nil},
		"broken off for good": {[]http.HandlerFunc{breakOff}, 3, forge.ErrTransient},
		"429, wait said":      {[]http.HandlerFunc{answer(429, "Retry-After", "0"), fine}, 2, nil},
		"429, no wait said":   {[]http.HandlerFunc{answer(429), fine}, 1, forge.ErrTransient},
		"503, wait said":      {[]http.HandlerFunc{answer(503, "Retry-After", "0"), fine}, 2, nil},
		"404":                 {[]http.HandlerFunc{answer(404), fine}, 1, forge.ErrNotFound},
		"403":                 {[]http.HandlerFunc{answer(403), fine}, 1, forge.ErrUnauthorized},
	} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "POST"} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				srv := serve(t, c.answers...)
				body, err := call(t, quick(), method, srv.URL+"/x")
				attempts, class := c.attempts, c.class
				if method == "POST" && attempts > 1 {
					attempts, class = 1, forge.ErrTransient
				}
				if !errors.Is(err, class) || err == nil && body != "answer" {
					t.Errorf("%q, error %v; want %v", body, err, class)
				}
				want := slicesOf(method+" /x body", attempts)
				if diff := cmp.Diff(want, srv.requests()); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func slicesOf(s string, n int) []string {
	var all []string
	for range n {
		all = append(all, s)
	}
	return all
}

func TestNegativeRetriesMeansNone(t *testing.T) {
	t.Parallel()
	srv := serve(t, answer(500))
	o := quick()
	o.Retries = -1
	if _, err := call(t, o, "GET", srv.URL); !errors.Is(err, forge.ErrTransient) || len(srv.requests()) != 1 {
		t.Errorf("error %v after %d requests", err, len(srv.requests()))
	}
}

// F5: a forge that drips is given up, attempt by attempt.
func TestFault_F5_TimeoutCoversTheBody(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		srv := serve(t, drip)
		o := quick()
		o.Timeout = 50 * time.Millisecond
		start := time.Now()
		_, err := call(t, o, method, srv.URL)
		if !errors.Is(err, forge.ErrTransient) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want a transient one", method, err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: took %s", method, took)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	zeros := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = io.CopyN(packed, zeroes{}, 8<<20)
		_ = packed.Close()
	}
	for _, method := range []string{"GET", "POST"} {
		for limit, want := range map[int64]error{8<<20 - 1: forgehttp.ErrTooLarge, 8 << 20: nil} {
			srv := serve(t, zeros)
			o := quick()
			o.MaxBody = limit
			_, err := call(t, o, method, srv.URL)
			if !errors.Is(err, want) {
				t.Errorf("%s with %d bytes: error %v, want %v", method, limit, err, want)
			}
			if len(srv.requests()) != 1 {
				t.Errorf("%s: %d requests", method, len(srv.requests()))
			}
		}
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRedirects(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, answer(http.StatusOK))
	to := func(status int, location string) http.HandlerFunc { return answer(status, "Location", location) }
	for name, c := range map[string]struct {
		method string
		first  http.HandlerFunc
		then   int // requests to the same host
		fails  string
	}{
		"renamed repository":       {"GET", to(http.StatusMovedPermanently, "/new"), 2, ""},
		"renamed, kept method":     {"POST", to(http.StatusTemporaryRedirect, "/new"), 2, ""},
		"a write becomes a read":   {"POST", to(http.StatusFound, "/new"), 1, "it turns a POST into a GET"},
		"a PATCH becomes a read":   {"PATCH", to(http.StatusSeeOther, "/new"), 1, "it turns a PATCH into a GET"},
		"another host":             {"GET", to(http.StatusFound, elsewhere.URL), 1, "it leads to another host"},
		"another host, a write":    {"POST", to(http.StatusPermanentRedirect, elsewhere.URL), 1, "it leads to another host"},
		"the same host, encrypted": {"GET", func(w http.ResponseWriter, r *http.Request) { to(302, "https://"+r.Host)(w, r) }, 1, "it leads from http to https"},
	} {
		srv := serve(t, c.first, answer(http.StatusOK))
		_, err := call(t, quick(), c.method, srv.URL)
		if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: error %v, want %q", name, err, c.fails)
		}
		if len(srv.requests()) != c.then {
			t.Errorf("%s: requests %q, want %d", name, srv.requests(), c.then)
		}
	}
	if len(elsewhere.requests()) != 0 {
		t.Errorf("the other host was sent %q", elsewhere.requests())
	}
	round := serve(t, to(http.StatusFound, "/again"))
	if _, err := call(t, quick(), "GET", round.URL); err == nil || len(round.requests()) != 6 {
		t.Errorf("a loop: error %v after %d requests", err, len(round.requests()))
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	srv := serve(t, answer(500))
	ctx, cancel := context.WithCancel(t.Context())
	o := quick()
	o.MinWait, o.MaxWait = time.Hour, time.Hour
	client := forgehttp.New(o)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err := forgehttp.Error(nil, err); !errors.Is(err, context.Canceled) || errors.Is(err, forge.ErrTransient) {
		t.Errorf("error %v, want the cancellation", err)
	}
}
