// Package git runs the git command for reading remotes nobody vouches for: no
// user or system configuration, no hooks, no prompts, only allowed protocols,
// time-outs, and credentials that only a helper sees.
package git

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Options configure a Client. Only Policy and Environ are required.
type Options struct {
	Policy gitname.Policy
	// CredentialsFile is a file in git's credential-store format. It is read
	// by a helper that answers git's "get" and nothing else. Empty: none.
	CredentialsFile string
	// Environ is the environment to pick from ("NAME=value"): PATH, proxies,
	// certificates and the ssh agent; everything else is left out.
	Environ []string
	// Timeout bounds each run of git. Default 2 minutes.
	Timeout time.Duration
	// FetchTimeout bounds each fetch of whole trees, which is also given up
	// when its line is dead for 30 seconds. Default 1 hour.
	FetchTimeout time.Duration
	// Attempts is how often a remote with a transient fault is asked.
	// Default 3.
	Attempts int
	// Backoff is the wait before the second attempt; it doubles. Default 500 ms.
	Backoff time.Duration
	// Received is told of bytes that came from a remote: of what is asked for
	// refs, and of fetches whose pack git reads from its transport for us, as they
	// come; of fetches that git does itself, when one is over, as many as its packs
	// have. What HTTP and ssh add is not in it. It is called from several
	// goroutines at once. Nil: nobody is told.
	Received func(n int64)
}

// Client reads remotes. It keeps no state and may be used concurrently.
type Client struct {
	policy   gitname.Policy
	env      []string
	settings []setting
	proxied  bool
	timeout  time.Duration
	fetching time.Duration
	attempts int
	backoff  time.Duration
	// renewable: the credentials are in a file, which is read for each request.
	renewable   bool
	credentials string // the file
	execPath    *execPath
	received    func(n int64)
	direct      *direct // nil: git has to ask
	// lookup is net.Resolver's LookupNetIP.
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// New returns a client.
func New(o Options) *Client {
	env := environment(o)
	received := o.Received
	if received == nil {
		received = func(int64) {}
	}
	return &Client{
		policy: o.Policy, env: env, settings: settings(o), proxied: proxied(env),
		timeout:   cmp.Or(o.Timeout, 2*time.Minute),
		fetching:  cmp.Or(o.FetchTimeout, time.Hour),
		attempts:  cmp.Or(o.Attempts, 3),
		backoff:   cmp.Or(o.Backoff, 500*time.Millisecond),
		renewable: o.CredentialsFile != "", credentials: o.CredentialsFile,
		execPath: &execPath{},
		received: received,
		direct:   newDirect(env, (&net.Dialer{Timeout: 10 * time.Second}).DialContext),
		lookup:   net.DefaultResolver.LookupNetIP,
	}
}

// patient returns the client with the time-out of fetches.
func (c *Client) patient() *Client {
	p := *c
	p.timeout = c.fetching
	return &p
}

// execPath is the directory of git's own programs, looked up once.
type execPath struct {
	once sync.Once
	dir  string
}
