package forgehttp_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counter is a transport such as a program brings to count calls and to read
// the quota that is left.
type counter struct {
	next *http.Transport
	mu   sync.Mutex
	seen []string // method, path, status or error, quota
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	line := req.Method + " " + req.URL.Path
	if err != nil {
		line += " failed"
	} else {
		line = strings.TrimSpace(line + " " + resp.Status[:3] + " " + resp.Header.Get("X-Ratelimit-Remaining"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, line)
	return resp, err
}

// CloseIdleConnections lets the client close those of what is counted.
func (c *counter) CloseIdleConnections() { c.next.CloseIdleConnections() }

// A transport of the caller's sees every attempt once: retries, redirects, and
// what was never answered. (net/http itself sends a request again on a new
// connection when an old one turns out to be closed; nobody sees that.)
func TestTransportSeesEachAttemptOnce(t *testing.T) {
	t.Parallel()
	fine := answer(http.StatusOK, "X-Ratelimit-Remaining", "41")
	for name, c := range map[string]struct {
		method  string
		answers []http.HandlerFunc
		want    []string
	}{
		"success":      {"GET", []http.HandlerFunc{fine}, []string{"GET /x 200 41"}},
		"retries":      {"GET", []http.HandlerFunc{hangUp, answer(500), fine}, []string{"GET /x failed", "GET /x 500", "GET /x 200 41"}},
		"giving up":    {"PATCH", []http.HandlerFunc{answer(502)}, []string{"PATCH /x 502", "PATCH /x 502", "PATCH /x 502"}},
		"POST":         {"POST", []http.HandlerFunc{answer(500)}, []string{"POST /x 500"}},
		"a redirect":   {"GET", []http.HandlerFunc{answer(301, "Location", "/new"), fine}, []string{"GET /x 301", "GET /new 200 41"}},
		"a rate limit": {"GET", []http.HandlerFunc{answer(429, "Retry-After", "3600")}, []string{"GET /x 429"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, c.answers...)
			count := &counter{next: &http.Transport{}}
			o := quick()
			o.Transport = count
			_, _ = call(t, o, c.method, srv.URL+"/x")
			if diff := cmp.Diff(c.want, count.seen); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
			if len(srv.requests()) != len(c.want) {
				t.Errorf("%d requests arrived", len(srv.requests()))
			}
		})
	}
}
