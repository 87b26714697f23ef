package gitname_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
)

func bot(t *testing.T, allow ...string) gitname.Policy {
	t.Helper()
	p, err := gitname.Bot(allow)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t *testing.T, raw string) gitname.URL {
	t.Helper()
	u, err := gitname.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOperator(t *testing.T) {
	t.Parallel()
	plain, files := gitname.Operator(false), gitname.Operator(true)
	for _, raw := range []string{"https://127.0.0.1/x", "http://10.0.0.1:3000/x", "git://localhost/x", "git@github.com:o/r"} {
		if err := plain.Check(parse(t, raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"file:///srv/x", "/srv/x", "../x"} {
		err := plain.Check(parse(t, raw))
		if err == nil || !strings.HasSuffix(err.Error(), "local paths need --allow-file-remotes") {
			t.Errorf("%s: %v", raw, err)
		}
		if err := files.Check(parse(t, raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if got := files.Schemes(); !slices.Equal(got, []string{"file", "git", "http", "https", "ssh"}) {
		t.Errorf("schemes %q", got)
	}
	if plain.PublicOnly() || plain.NeedsAddress(parse(t, "https://x/y")) {
		t.Error("an operator's addresses are checked")
	}
}

func TestPolicy_zero(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"https://github.com/o/r", "ssh://github.com/o/r", "/x"} {
		if (gitname.Policy{}).Check(parse(t, raw)) == nil {
			t.Errorf("the zero policy allows %s", raw)
		}
	}
}

// Literal addresses that lead to the bot's own network.
func TestFault_G4_Literal(t *testing.T) {
	t.Parallel()
	p := bot(t)
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
		"198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[100::1]",
		"[2001::1]", "[2001:db8::1]", "[2002:7f00:1::]", "[3fff::1]", "[4000::1]",
		// What inet_aton and curl read as 127.0.0.1.
		"2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.0x1", "127.0.0.1.", "2130706433.", "0x", "１２７.0.0.1", "127.0.0.①",
		"localhost", "LOCALHOST", "localhost.", "x.localhost",
	} {
		raw := "https://" + host + "/x"
		u, err := gitname.ParseURL(raw)
		if err == nil {
			err = p.Check(u)
		}
		if err == nil {
			t.Errorf("%s passes", raw)
		}
	}
	for _, host := range []string{"github.com", "140.82.121.3", "[2606:50c0:8000::153]", "[2001:4860:4860::8888]", "[::ffff:140.82.121.3]", "172.15.0.1", "172.32.0.1", "100.128.0.1", "1.example", "x2", "localhost.example", "git0x7f.example"} {
		raw := "https://" + host + "/x"
		if err := p.Check(parse(t, raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestFault_G4_CheckAddress(t *testing.T) {
	t.Parallel()
	p := bot(t, "http://127.0.0.1:3000")
	u := parse(t, "https://git.example/x")
	if !p.NeedsAddress(u) {
		t.Error("a host name needs no address")
	}
	for _, addr := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "fe80::1", "169.254.169.254"} {
		if p.CheckAddress(u, netip.MustParseAddr(addr)) == nil {
			t.Errorf("%s passes", addr)
		}
	}
	if err := p.CheckAddress(u, netip.MustParseAddr("140.82.121.3")); err != nil {
		t.Error(err)
	}
	if named := parse(t, "http://127.0.0.1:3000/x"); p.NeedsAddress(named) || p.CheckAddress(named, netip.MustParseAddr("127.0.0.1")) != nil {
		t.Error("a URL of the allow list is refused")
	}
}

func TestFault_G4_Allow(t *testing.T) {
	t.Parallel()
	p := bot(t, "http://127.0.0.1:3000", "https://git.internal/oca/", "ssh://git@10.0.0.1/srv", "/srv/git", "git@10.0.0.2:oca")
	for _, raw := range []string{
		"http://127.0.0.1:3000/o/r.git", "https://git.internal/oca/web", "https://GIT.internal/oca/web", "https://ann@git.internal/oca/web", "ssh://git@10.0.0.1/srv/x", "ssh://10.0.0.1/srv/x", "/srv/git/x.git", "file:///srv/git/x.git",
		"git@10.0.0.2:oca/web", "https://github.com/o/r", "git@github.com:o/r",
	} {
		if err := p.Check(parse(t, raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{
		"http://127.0.0.1:30000/o/r", "http://127.0.0.1/o/r", "https://127.0.0.1:3000/o/r", "http://127.0.0.2:3000/o/r", "http://github.com/o/r", "http://git.internal/oca/web", "git://github.com/o/r",
		"ssh://git@10.0.0.1/srvx/y", "ssh://git@10.0.0.1/etc", "ssh://10.0.0.1:22/srv/x", "/srv/gitx/y", "/srv/git/../x", "/srv/git", "file:///srv/git/../../etc", "git@10.0.0.2:ocax/web", "git@10.0.0.2:oca/../x",
	} {
		if p.Check(parse(t, raw)) == nil {
			t.Errorf("%s passes", raw)
		}
	}
	// Neither its neighbours nor what dots lead to count as named.
	for _, raw := range []string{"https://git.internal/ocax/web", "https://git.internal/oca/../x", "https://git.internal/oca/%2e%2e/x", "https://git.internal./oca/web", "https://git.internal.evil/oca/web"} {
		if !p.NeedsAddress(parse(t, raw)) {
			t.Errorf("%s needs no address", raw)
		}
	}
	if got := p.Schemes(); !slices.Equal(got, []string{"file", "http", "https", "ssh"}) {
		t.Errorf("schemes %q", got)
	}
}

func TestBot_badAllow(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "x", "-x", "https://ann:canary@host", "ext::x", "https://host/?x", "ftp://host"} {
		if _, err := gitname.Bot([]string{prefix}); err == nil {
			t.Errorf("%q passes", prefix)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}
