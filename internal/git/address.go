package git

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// target is a URL that passed the policy, and how git is bound to the address
// that did.
type target struct {
	gitname.URL
	settings []setting
	ssh      []string // the ssh command, with its options
}

// target checks a URL as the policy asks. Where the policy keeps to public
// addresses, the host is looked up here, once, and git may dial only the
// address that passed: a second look-up could answer otherwise.
func (c *Client) target(ctx context.Context, raw string) (target, error) {
	u, err := gitname.ParseURL(raw)
	if err != nil {
		return target{}, err
	}
	if err := c.policy.Check(u); err != nil {
		return target{}, err
	}
	t := target{URL: u, ssh: []string{"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"}}
	if c.policy.NeedsAddress(u) && !(c.proxied && u.Scheme != "ssh") {
		addr, err := c.lookup(ctx, u)
		if err != nil {
			return target{}, err
		}
		t.pin(addr)
	}
	t.settings = append(t.settings, setting{"core.sshCommand", strings.Join(t.ssh, " ")})
	return t, nil
}

// lookup returns the host's first address, if all its addresses are allowed.
func (c *Client) lookup(ctx context.Context, u gitname.URL) (netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Host)
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}, fmt.Errorf("%s: could not resolve host %s: %w", u, u.Host, ErrTransient)
	}
	for _, addr := range addrs {
		if err := c.policy.CheckAddress(u, addr); err != nil {
			return netip.Addr{}, err
		}
	}
	return addrs[0].Unmap(), nil
}

// pin binds the target to one address.
func (t *target) pin(addr netip.Addr) {
	port := t.Port
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[t.Scheme]
	}
	address := addr.String()
	if addr.Is6() {
		address = "[" + address + "]"
	}
	t.settings = append(t.settings, setting{"http.curloptResolve", t.Host + ":" + port + ":" + address})
	t.ssh = append(t.ssh, "-o", "HostName="+addr.String(), "-o", "HostKeyAlias="+t.Host)
}
