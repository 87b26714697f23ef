package oci

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Options configure a Client. The zero value is good for most.
type Options struct {
	// Transport makes connections; nil: one with time-outs that knows the
	// proxies of the environment.
	Transport http.RoundTripper
	// Insecure allows plain HTTP to other hosts than this one.
	Insecure bool
	// UserAgent is what registries are told.
	UserAgent string
	// Attempts is how often a request with a transient fault is made, and how often an
	// upload that makes no progress is taken up. Default 6.
	Attempts int
	// Backoff is the wait before the second attempt; it doubles. Default 500 ms.
	Backoff time.Duration
	// Stall is how long a connection may be silent. Default 1 minute.
	Stall time.Duration
	// Wait waits, or returns the context's error; nil: on the clock.
	Wait func(ctx context.Context, d time.Duration) error
	// Progress is told of the bytes of layers that are on their way. Nil: nobody.
	Progress func(layer string, bytes int64)
}

// Client talks to registries, with the credentials of docker's configuration
// ($DOCKER_CONFIG/config.json, its helpers and stores, or podman's auth.json). It
// may be used concurrently.
type Client struct {
	o        Options
	base     *guard
	keychain authn.Keychain
	mu       sync.Mutex
	opened   map[string]*repository
	listing  sync.Mutex // of referrers: a list is read, and written again
}

// New returns a client.
func New(o Options) *Client {
	o.Attempts = cmp.Or(o.Attempts, 6)
	o.Backoff = cmp.Or(o.Backoff, 500*time.Millisecond)
	o.Stall = cmp.Or(o.Stall, time.Minute)
	o.UserAgent = cmp.Or(o.UserAgent, "odyssey")
	if o.Wait == nil {
		o.Wait = sleep
	}
	if o.Progress == nil {
		o.Progress = func(string, int64) {}
	}
	base := o.Transport
	if base == nil {
		base = defaultTransport(o.Stall)
	}
	return &Client{
		o: o, base: &guard{inner: transport.NewUserAgent(base, o.UserAgent), insecure: o.Insecure},
		keychain: authn.DefaultKeychain, opened: map[string]*repository{},
	}
}

func defaultTransport(silence time.Duration) http.RoundTripper {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 5 * silence, ExpectContinueTimeout: time.Second,
		IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 8, WriteBufferSize: 64 << 10,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// guard lets no credentials and no image go over plain HTTP to another machine.
// It notes how long a registry asks to wait, which go-containerregistry does not tell of logins.
type guard struct {
	inner    http.RoundTripper
	insecure bool
	after    atomic.Int64 // nanoseconds
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !g.insecure && !isLoopback(req.URL.Hostname()) {
		return nil, fmt.Errorf("%w: %s speaks no TLS; to send credentials and images in the clear, say --insecure-registry", errPlain, req.URL.Host)
	}
	if body, ok := req.Body.(*watched); ok {
		if err := body.begin(); err != nil {
			return nil, err
		}
	}
	res, err := g.inner.RoundTrip(req)
	if err == nil {
		if after := retryAfter(res.Header, time.Now()); after > 0 {
			g.after.Store(int64(after))
		}
	}
	return res, err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// repository is a repository of a registry, with a client that is logged in.
type repository struct {
	c    *Client
	name name.Repository
	http *http.Client
	// secrets are what must not stand in an error, should a registry send it back.
	secrets []string
}

// access is what a repository is opened for.
type access bool

const (
	pulling access = false
	pushing access = true
)

// repository opens a repository. from are repositories that blobs may be mounted
// from; those of other registries do not count.
func (c *Client) repository(ctx context.Context, reference string, a access, from ...string) (*repository, error) {
	options := []name.Option{name.WeakValidation}
	if c.o.Insecure {
		options = append(options, name.Insecure)
	}
	repo, err := name.NewRepository(reference, options...)
	if err != nil {
		return nil, invalid("%v", err)
	}
	scopes := []string{repo.Scope(transport.PullScope)}
	if a == pushing {
		scopes = []string{repo.Scope(transport.PushScope)}
	}
	for _, other := range from {
		source, err := name.NewRepository(other, options...)
		if err == nil && source.RegistryStr() == repo.RegistryStr() && source.Name() != repo.Name() {
			scopes = append(scopes, source.Scope(transport.PullScope))
		}
	}
	key := strings.Join(scopes, " ") + " " + repo.RegistryStr()
	c.mu.Lock()
	opened := c.opened[key]
	c.mu.Unlock()
	if opened != nil {
		return opened, nil
	}
	r, err := c.open(ctx, repo, scopes)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened[key] = r
	return r, nil
}

func (c *Client) open(ctx context.Context, repo name.Repository, scopes []string) (*repository, error) {
	r := &repository{c: c, name: repo}
	auth, err := authn.Resolve(ctx, c.keychain, repo)
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", repo.RegistryStr(), err)
	}
	if config, err := authn.Authorization(ctx, auth); err == nil && config != nil {
		basic := ""
		if config.Password != "" {
			basic = base64.StdEncoding.EncodeToString([]byte(config.Username + ":" + config.Password))
		}
		for _, s := range []string{basic, config.Password, config.Auth, config.IdentityToken, config.RegistryToken} {
			if s != "" {
				r.secrets = append(r.secrets, s)
			}
		}
	}
	err = c.retry(ctx, func() error {
		tr, err := transport.NewWithContext(ctx, repo.Registry, auth, c.base, scopes)
		if err != nil {
			return r.classifyAfter("log in to "+repo.RegistryStr(), err, time.Duration(c.base.after.Swap(0)))
		}
		r.http = &http.Client{Transport: tr, CheckRedirect: checkRedirect}
		return nil
	})
	return r, err
}

// checkRedirect follows registries to where they keep their blobs; the transport
// gives credentials to the registry's own host alone.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return fmt.Errorf("%s redirects without end", via[0].URL.Host)
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%s redirects from https to %s", via[0].URL.Host, req.URL.Scheme)
	}
	return nil
}
