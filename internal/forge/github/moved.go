package github

import "net/http"

// moved lets a write follow a repository that was renamed. GitHub answers
// with 301 or 302, on which Go's client would send a GET; 308 is the same and
// keeps the method. The client that follows still refuses other hosts.
type moved struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (m moved) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(req)
	if err != nil || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return resp, err
	}
	if resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusFound {
		resp.StatusCode = http.StatusPermanentRedirect
	}
	return resp, nil
}
