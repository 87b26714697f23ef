package world

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Call is a request that a Proxy has seen.
type Call struct{ Method, Path string }

// API reports whether the call is one to the forge's API.
func (c Call) API() bool { return strings.HasPrefix(c.Path, "/api/") }

// Writes reports whether the call may change something: an API call that is
// no GET, or a push.
func (c Call) Writes() bool {
	return c.API() && c.Method != http.MethodGet || strings.HasSuffix(c.Path, "/git-receive-pack")
}

// Fault is what a Proxy does to a request.
type Fault int

// The faults. With a lost answer the server does what it was asked to.
const (
	None Fault = iota
	Status500
	Status502
	Reset
	LoseAnswer
)

// Proxy stands before a server, records what passes, and injects faults.
type Proxy struct {
	*httptest.Server
	// Before is called before each request and may return a fault.
	Before func(Call) Fault

	mu    sync.Mutex
	calls []Call
}

// Intercept sets Before while calls may be on their way; nil lets all pass.
func (p *Proxy) Intercept(before func(Call) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Before = before
}

// NewProxy starts a proxy to target. The caller closes it.
func NewProxy(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	p := &Proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = u.Host },
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := Call{r.Method, r.URL.Path}
		if r.URL.RawQuery != "" && strings.HasSuffix(call.Path, "/info/refs") {
			call.Path += "?" + r.URL.RawQuery
		}
		p.mu.Lock()
		p.calls = append(p.calls, call)
		before := p.Before
		p.mu.Unlock()
		fault := None
		if before != nil {
			fault = before(call)
		}
		switch fault {
		case Status500:
			http.Error(w, "internal", http.StatusInternalServerError)
		case Status502:
			http.Error(w, "bad gateway", http.StatusBadGateway)
		case Reset:
			panic(http.ErrAbortHandler)
		case LoseAnswer:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	return p, nil
}

// Calls returns what passed since the last Forget.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Call{}, p.calls...)
}

// Forget drops what was recorded.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}
