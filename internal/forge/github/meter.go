package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/nuobit/odyssey/internal/secret"
)

// use is whose use of the quota a request is.
type use struct {
	account string // whose quota
	budget  string // whose share of it; "" when it is nobody's
}

type useKey struct{}

// withUse says whose use of the quota requests are.
func withUse(ctx context.Context, account, budget string) context.Context {
	return context.WithValue(ctx, useKey{}, use{account, budget})
}

// call is what the quota knows of a request. It accompanies its attempts.
type call struct {
	use
	resource string // "core", "search" or "graphql", each with a quota of its own
	write    bool
}

type callKey struct{}

// meter lets requests through when the quota does, asks for what is known only
// if it changed, and takes credentials out of what the forge says about errors.
type meter struct {
	quota *quota
	cache *cache
	next  http.RoundTripper // with repetition and time-outs
	api   string            // with a slash at its end
}

func (m *meter) RoundTrip(req *http.Request) (*http.Response, error) {
	u, ok := req.Context().Value(useKey{}).(use)
	if !ok {
		closeBody(req)
		return nil, errors.New(req.Method + " " + req.URL.Path + ": nobody said whose quota this takes")
	}
	c := call{use: u, resource: m.resource(req), write: isWrite(req)}
	if err := m.quota.enter(req.Context(), c); err != nil {
		closeBody(req)
		return nil, err
	}
	out := req.Clone(context.WithValue(req.Context(), callKey{}, c))
	known := m.cache.ask(u.account, out)
	resp, err := m.next.RoundTrip(out)
	if err != nil {
		return nil, conceal(err, out)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		concealBody(resp, out)
	}
	return m.cache.settle(known, resp)
}

// isWrite reports whether a request makes or changes something. A token, one an
// hour, is nothing that anybody sees.
func isWrite(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead && !strings.HasSuffix(req.URL.Path, "/access_tokens")
}

// resource says which of an account's quotas a request takes from.
func (m *meter) resource(req *http.Request) string {
	asked := req.URL.Scheme + "://" + req.URL.Host + req.URL.Path
	switch {
	case strings.HasPrefix(asked, m.api+"search/"):
		return "search"
	case asked == graphURL(m.api):
		return "graphql"
	}
	return "core"
}

// maxError is how much of an answer that is an error is handed on, in bytes.
const maxError = 64 << 10

// concealBody takes the credential of a request out of an error's answer, in
// case the forge, or what is between, repeats it.
func concealBody(resp *http.Response, req *http.Request) {
	_, credential, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	_ = resp.Body.Close()
	var rest io.Reader = bytes.NewReader(nil)
	if err != nil {
		rest = failing{err}
	}
	if credential != "" {
		body = bytes.ReplaceAll(body, []byte(credential), []byte(secret.Redacted))
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), rest))
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// conceal drops an error that holds the credential of a request.
func conceal(err error, req *http.Request) error {
	_, credential, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if credential != "" && strings.Contains(err.Error(), credential) {
		return errors.New("the call failed with an error that holds the token")
	}
	return err
}

// observer sees each attempt, below all repetition.
type observer struct {
	quota *quota
	next  http.RoundTripper
}

// RoundTrip notes what the answer says of the quota. To an answer that says
// "too many" without saying for how long, it adds how long.
func (o observer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if c, ok := req.Context().Value(callKey{}).(call); ok {
		o.quota.note(c, resp, tooMany(resp))
	}
	return resp, nil
}

// CloseIdleConnections serves http.Client's method of that name.
func (o observer) CloseIdleConnections() {
	if c, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// tooMany reports whether an answer is a secondary rate limit's, by its words
// (docs.github.com, "Rate limits for the REST API"). The body can be read after
// as before.
func tooMany(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
	default:
		return false
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	var rest io.Reader = resp.Body
	if err != nil {
		rest = failing{err}
	}
	resp.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(head), rest), Closer: resp.Body}
	var said struct {
		Message string `json:"message"`
		URL     string `json:"documentation_url"`
	}
	if json.Unmarshal(head, &said) != nil {
		return false
	}
	words := strings.ToLower(said.Message)
	return strings.Contains(words, "secondary rate limit") || strings.Contains(words, "abuse detection") ||
		strings.HasSuffix(said.URL, "#secondary-rate-limits") || strings.HasSuffix(said.URL, "#abuse-rate-limits")
}

// replayed is a body whose beginning was read already.
type replayed struct {
	io.Reader
	io.Closer
}
