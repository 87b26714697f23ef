package git

import (
	"context"
	"net/netip"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// target is a URL that passed the policy, and how git is bound to the address
// that did. The zero value is for commands that ask no remote.
type target struct {
	gitname.URL
	address  netip.Addr // that it is bound to; none: any
	settings []setting
	env      []string
	ssh      []string // the ssh command, with its options
}

// target checks a URL as the policy asks. Where the policy keeps to public
// addresses, the host is looked up here, once, and git may dial only the
// address that passed: a second look-up could answer otherwise.
func (c *Client) target(ctx context.Context, raw string) (target, error) {
	u, err := c.check(raw)
	if err != nil {
		return target{}, err
	}
	t := target{URL: u, ssh: []string{"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o", "ControlPath=none"}}
	switch _, err := netip.ParseAddr(u.Host); {
	case !c.policy.NeedsAddress(u), err == nil: // an address that stands in the URL has passed
	case c.proxied && u.Scheme != "ssh":
		t.env = []string{"NO_PROXY=", "no_proxy="} // what it names would be dialled unchecked
	default:
		addr, err := c.address(ctx, u)
		if err != nil {
			return target{}, err
		}
		t.pin(addr)
	}
	t.settings = append(t.settings, setting{"core.sshCommand", "'" + strings.Join(t.ssh, "' '") + "'"})
	return t, nil
}

// check parses a URL, which the policy must allow.
func (c *Client) check(raw string) (gitname.URL, error) {
	u, err := gitname.ParseURL(raw)
	if err == nil {
		err = c.policy.Check(u)
	}
	return u, err
}

// address returns the host's first address, if all its addresses are allowed.
func (c *Client) address(ctx context.Context, u gitname.URL) (netip.Addr, error) {
	addrs, err := c.lookup(ctx, "ip", u.Host)
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}, transientf("%s: could not resolve host %s", u, u.Host)
	}
	for _, addr := range addrs {
		if err := c.policy.CheckAddress(u, addr); err != nil {
			return netip.Addr{}, err
		}
	}
	return addrs[0].Unmap(), nil
}

// hostKey is the name that ssh looks the target up by in known_hosts.
func (t *target) hostKey() string {
	if t.Port == "" || t.Port == "22" {
		return t.Host
	}
	return "[" + t.Host + "]:" + t.Port
}

// pin binds the target to one address.
func (t *target) pin(addr netip.Addr) {
	port := t.Port
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[t.Scheme]
	}
	t.address = addr
	address := addr.String()
	if addr.Is6() {
		address = "[" + address + "]"
	}
	t.settings = append(t.settings, setting{"http.curloptResolve", t.Host + ":" + port + ":" + address})
	t.ssh = append(t.ssh, "-o", "HostName="+addr.String(), "-o", "HostKeyAlias="+t.hostKey())
}
