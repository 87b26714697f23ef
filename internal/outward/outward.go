// Package outward makes HTTP connections to hosts that others have named: a
// repository's Dockerfile, a registry's redirect. It refuses those that are not
// on the public internet, unless the operator allows them.
package outward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Lookup finds the addresses of a host, as *net.Resolver.LookupNetIP.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Transport returns a transport that dials what the policy allows: it looks a
// host up itself, and dials the address that it has checked. What a proxy of the
// environment is to reach is the proxy's to allow. lookup is nil for that of
// this machine.
func Transport(policy gitname.Policy, lookup Lookup) http.RoundTripper {
	if lookup == nil {
		lookup = net.DefaultResolver.LookupNetIP
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &transport{policy: policy, lookup: lookup, dialer: dialer}
	t.direct = plain(t.dial)
	t.proxied = plain(dialer.DialContext)
	t.proxied.Proxy = http.ProxyFromEnvironment
	return t
}

func plain(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext: dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 4,
	}
}

type transport struct {
	policy          gitname.Policy
	lookup          Lookup
	dialer          *net.Dialer
	direct, proxied *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, err
	}
	u := gitname.URL{Scheme: req.URL.Scheme, Host: req.URL.Hostname(), Port: req.URL.Port(), Path: cmp.Or(req.URL.Path, "/")}
	if err := t.policy.Check(u); err != nil {
		return nil, refused(u, err)
	}
	if proxy != nil {
		return t.proxied.RoundTrip(req)
	}
	return t.direct.RoundTrip(req.WithContext(context.WithValue(req.Context(), asked{}, u)))
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (t *transport) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}

// asked is the key of the URL that is asked for in a context.
type asked struct{}

// dial connects to the first address of a host, if all its addresses are
// allowed.
func (t *transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	u, known := ctx.Value(asked{}).(gitname.URL)
	host, port, err := net.SplitHostPort(address)
	if err != nil || !known {
		return nil, fmt.Errorf("dial %s: it was not asked for", address)
	}
	addrs, err := t.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	for _, addr := range addrs {
		if err := t.policy.CheckAddress(u, addr); err != nil {
			return nil, refused(u, err)
		}
	}
	return t.dialer.DialContext(ctx, network, net.JoinHostPort(addrs[0].Unmap().String(), port))
}

// ErrRefused says that the policy does not allow an address.
var ErrRefused = errors.New("the address is not allowed")

func refused(u gitname.URL, err error) error {
	host := u.Host
	if u.Port != "" {
		host = net.JoinHostPort(host, u.Port)
	}
	return fmt.Errorf("%s://%s: %w%s", u.Scheme, host, ErrRefused, err) //nolint:errorlint // the text alone: it says what to do
}
