package forgehttp

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// unsaidWait is how long to wait when a forge refuses for too many calls but
	// does not say for how long; it doubles each time that turns out to be too
	// short. GitHub demands at least a minute.
	unsaidWait    = time.Minute
	longestUnsaid = 15 * time.Minute
)

// gate lets no call pass after a forge has refused one for too many of them,
// until the time that it said. Forges count by account: each has a gate of its
// own. A call that comes too early is answered as the forge
// would, with 429 and the time that is left.
type gate struct {
	next    http.RoundTripper
	now     func() time.Time
	account func(req *http.Request) string

	mu     sync.Mutex
	closed map[string]*closure // by host and account
}

// closure is a gate that is closed, or was.
type closure struct {
	until  time.Time
	unsaid int // refusals in succession that did not say for how long
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	who := req.URL.Host + " " + g.account(req)
	if left := g.left(who); left > 0 {
		return tooEarly(req, left), nil
	}
	resp, err := g.next.RoundTrip(req)
	if err == nil {
		g.passed(who, resp)
	}
	return resp, err
}

func (g *gate) left(who string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.closed[who]; c != nil {
		return c.until.Sub(g.now())
	}
	return 0
}

// passed closes the gate for an answer that says so. One that did not say for
// how long then does.
func (g *gate) passed(who string, resp *http.Response) {
	wait, said, limited := rateLimit(resp)
	g.mu.Lock()
	defer g.mu.Unlock()
	c, now := g.closed[who], g.now()
	if !limited {
		if c != nil && !now.Before(c.until) {
			delete(g.closed, who)
		}
		return
	}
	if c == nil {
		c = &closure{}
		g.closed[who] = c
	}
	if !said {
		if !now.Before(c.until) { // else it was under way when the gate closed
			c.unsaid++
		}
		wait = min(unsaidWait<<min(max(c.unsaid-1, 0), 10), longestUnsaid)
		resp.Header.Set("Retry-After", seconds(wait))
	}
	if until := now.Add(wait); until.After(c.until) {
		c.until = until
	}
}

// seconds is a wait as Retry-After has it, rounded up.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

func tooEarly(req *http.Request, left time.Duration) *http.Response {
	return &http.Response{
		Status: "429 Too Many Requests", StatusCode: http.StatusTooManyRequests,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Retry-After": {seconds(left)}, "Content-Type": {"text/plain"}},
		Body:   io.NopCloser(strings.NewReader("the forge has asked to wait\n")),
	}
}
