// Package forgehttp makes the http.Client that drivers of forges share: each
// attempt has a time-out, requests whose repetition is harmless are retried,
// answers are bounded, and nothing is redirected to another host.
package forgehttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
)

// Options tune a client; the zero value of each field means its default.
type Options struct {
	Transport     http.RoundTripper // a pooled one of its own
	Timeout       time.Duration     // of one attempt with its answer's body; 30 s
	Retries       int               // attempts after the first; 4, none when negative
	MinWait       time.Duration     // before the first retry, then doubled; 500 ms
	MaxWait       time.Duration     // between two attempts; 10 s
	MaxRetryAfter time.Duration     // longest wait a forge may ask for that is slept through; 15 s
	MaxBody       int64             // bytes of an answer; 16 MiB
	Now           func() time.Time  // time.Now
	// Account tells whose a request is: a forge that asks one to wait is asked
	// nothing more in that one's name. By default it is the Authorization header.
	Account func(req *http.Request) string
}

const (
	defaultTimeout       = 30 * time.Second
	defaultRetries       = 4
	defaultMinWait       = 500 * time.Millisecond
	defaultMaxWait       = 10 * time.Second
	defaultMaxRetryAfter = 15 * time.Second
	defaultMaxBody       = 16 << 20
	maxRedirects         = 5
)

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		o.Transport = cleanhttp.DefaultPooledTransport()
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Retries == 0 {
		o.Retries = defaultRetries
	}
	if o.MinWait == 0 {
		o.MinWait = defaultMinWait
	}
	if o.MaxWait == 0 {
		o.MaxWait = defaultMaxWait
	}
	if o.MaxRetryAfter == 0 {
		o.MaxRetryAfter = defaultMaxRetryAfter
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Account == nil {
		o.Account = func(req *http.Request) string { return req.Header.Get("Authorization") }
	}
	return o
}

// New returns a client.
//
// GET, HEAD, PUT, PATCH and DELETE are retried on connection errors, on an
// answer that breaks off, on 5xx, and when the forge asks for a short wait. A
// POST never is: its effect may have happened although its answer was lost.
// A wait beyond MaxRetryAfter fails with forge.RateLimitError at once, and so
// does, without a call, every request with the same credentials until then.
// When the retries are used up the last answer is returned like any other.
func New(o Options) *http.Client {
	o = o.withDefaults()
	attempt := &http.Client{
		Transport:     bounded{next: &gate{next: o.Transport, now: o.Now, account: o.Account, closed: map[string]*closure{}}, limit: o.MaxBody},
		Timeout:       o.Timeout,
		CheckRedirect: checkRedirect,
	}
	return &http.Client{
		Transport: byMethod{
			repeatable: &retryablehttp.RoundTripper{Client: retrying(attempt, o, max(o.Retries, 0))},
			once:       &retryablehttp.RoundTripper{Client: retrying(attempt, o, 0)},
			idle:       attempt,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func retrying(attempt *http.Client, o Options, retries int) *retryablehttp.Client {
	p := policy{maxRetryAfter: o.MaxRetryAfter}
	return &retryablehttp.Client{
		HTTPClient:   attempt,
		RetryMax:     retries,
		RetryWaitMin: o.MinWait,
		RetryWaitMax: o.MaxWait,
		CheckRetry:   p.check,
		Backoff:      p.wait,
		ErrorHandler: lastAnswer,
	}
}

// lastAnswer hands out the answer to the last attempt instead of an error
// that hides it.
func lastAnswer(resp *http.Response, err error, _ int) (*http.Response, error) {
	if err == nil {
		return resp, nil
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	return nil, err
}

// byMethod sends what may be repeated one way and the rest another.
type byMethod struct {
	repeatable, once http.RoundTripper
	idle             *http.Client
}

func (t byMethod) RoundTrip(req *http.Request) (*http.Response, error) {
	if repeatable(req.Method) {
		return t.repeatable.RoundTrip(req)
	}
	return t.once.RoundTrip(req)
}

// CloseIdleConnections serves http.Client's method of that name.
func (t byMethod) CloseIdleConnections() { t.idle.CloseIdleConnections() }

func repeatable(method string) bool {
	return slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete,
	}, method)
}

// errRedirect: the answer is a redirect that is not followed.
var errRedirect = errors.New("redirect refused")

// checkRedirect follows a renamed repository, never to another host (it would
// see the token), to plain text, or by turning a write into a read.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case req.URL.Host != first.URL.Host:
		return fmt.Errorf("%w: it leads to another host, %q", errRedirect, req.URL.Host)
	case req.URL.Scheme != first.URL.Scheme:
		return fmt.Errorf("%w: it leads from %s to %s", errRedirect, first.URL.Scheme, req.URL.Scheme)
	case req.Method != first.Method:
		return fmt.Errorf("%w: it turns a %s into a %s", errRedirect, first.Method, req.Method)
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: there are more than %d of them", errRedirect, maxRedirects)
	}
	return nil
}
