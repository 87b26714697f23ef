package gitname

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Policy says which URLs may be asked. The zero value allows none.
type Policy struct {
	schemes    []string
	publicOnly bool
	allow      []URL
}

// Operator is the policy for commands that people run on their own files.
func Operator(fileRemotes bool) Policy {
	p := Policy{schemes: []string{"https", "ssh", "http", "git"}}
	if fileRemotes {
		p.schemes = append(p.schemes, "file")
	}
	return p
}

// Bot is the policy for URLs that others wrote: https and ssh to public
// addresses, and what lies below one of the URLs of allow.
func Bot(allow []string) (Policy, error) {
	p := Policy{schemes: []string{"https", "ssh"}, publicOnly: true}
	for _, prefix := range allow {
		u, err := ParseURL(strings.TrimSuffix(prefix, "/") + "/x")
		if prefix == "" {
			err = errors.New("an empty URL")
		}
		if err != nil {
			return Policy{}, fmt.Errorf("git.allow: %q is no URL prefix: %w", Redact(prefix), err)
		}
		u.Path = strings.TrimSuffix(u.Path, "x")
		p.allow = append(p.allow, u)
	}
	return p, nil
}

// Schemes lists the protocols that any URL of the policy may use.
func (p Policy) Schemes() []string {
	schemes := slices.Clone(p.schemes)
	for _, u := range p.allow {
		schemes = append(schemes, u.Scheme)
	}
	slices.Sort(schemes)
	return slices.Compact(schemes)
}

// Check refuses a URL whose protocol, or whose literal address, the policy
// does not allow. A host name is to be checked with CheckAddress when dialled.
func (p Policy) Check(u URL) error {
	if p.named(u) {
		return nil
	}
	if !slices.Contains(p.schemes, u.Scheme) {
		hint := "use https or ssh"
		switch {
		case p.publicOnly:
			hint = "use https or ssh, or have the operator name it in git.allow of odyssey.yaml"
		case u.Scheme == "file":
			hint = "local paths need --allow-file-remotes"
		}
		return fmt.Errorf("%s: the %s protocol is not allowed here; %s", u, u.Scheme, hint)
	}
	if addr, err := netip.ParseAddr(u.Host); err == nil {
		return p.CheckAddress(u, addr)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ".")
	if p.publicOnly && (host == "localhost" || strings.HasSuffix(host, ".localhost") || isNumber(host)) {
		return privateError(u)
	}
	return nil
}

var number = regexp.MustCompile(`(^|\.)([0-9]+|0x[0-9a-f]*)$`)

// isNumber reports whether libraries that follow inet_aton(3) or the URL
// standard may read a host name as an address: 127.1, 0x7f000001, 2130706433,
// digits of other scripts.
func isNumber(host string) bool {
	return number.MatchString(host) || strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsNumber(r) })
}

// NeedsAddress reports whether the address that u's host resolves to must
// pass CheckAddress before it is dialled.
func (p Policy) NeedsAddress(u URL) bool { return p.publicOnly && u.Scheme != "file" && !p.named(u) }

// CheckAddress refuses an address outside the public internet unless the
// policy names the URL or is an operator's.
func (p Policy) CheckAddress(u URL, addr netip.Addr) error {
	if !p.NeedsAddress(u) || isPublic(addr.Unmap()) {
		return nil
	}
	return privateError(u)
}

func privateError(u URL) error {
	return fmt.Errorf("%s: a loopback or private address is not allowed here unless git.allow of odyssey.yaml names it", u)
}

// named reports whether u lies below a URL of the allow list.
func (p Policy) named(u URL) bool {
	return slices.ContainsFunc(p.allow, func(a URL) bool {
		return a.Scheme == u.Scheme && strings.EqualFold(a.Host, u.Host) && a.Port == u.Port &&
			strings.HasPrefix(u.Path, a.Path) && !slices.Contains(strings.Split(u.Path, "/"), "..")
	})
}

// isPublic reports whether addr is one that the whole internet shares: none
// of the ranges that IANA keeps for private, local or special use.
func isPublic(addr netip.Addr) bool {
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	if addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return false // IANA has given out no other unicast addresses
	}
	special := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
	return !slices.ContainsFunc(special, func(s string) bool { return netip.MustParsePrefix(s).Contains(addr) })
}

// PublicOnly reports whether the policy is for URLs that others wrote.
func (p Policy) PublicOnly() bool { return p.publicOnly }
