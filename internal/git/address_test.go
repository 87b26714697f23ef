package git

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/test/gitserver"
)

func newBot(t *testing.T, lookup func(string) []string) *Client {
	t.Helper()
	policy, err := gitname.Bot(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Policy: policy, Environ: []string{"PATH=" + os.Getenv("PATH")}})
	c.lookup = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for _, a := range lookup(host) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		if addrs == nil {
			return nil, errors.New("no such host")
		}
		return addrs, nil
	}
	return c
}

// A name that resolves to a private address, also beside a public one, is not
// asked; one that passed is bound to its address, however it resolves later.
func TestFault_G4_Rebind(t *testing.T) {
	t.Parallel()
	for _, addrs := range [][]string{{"127.0.0.1"}, {"93.184.216.34", "10.0.0.1"}, {"::1"}, {"2606::1", "::ffff:127.0.0.1"}, {"169.254.169.254"}, {"100.64.1.1"}} {
		c := newBot(t, func(string) []string { return addrs })
		for _, url := range []string{"https://git.example/r", "git@git.example:r"} {
			if _, err := c.target(t.Context(), url); err == nil || !strings.Contains(err.Error(), "a loopback or private address is not allowed here") {
				t.Errorf("%s at %v: %v", url, addrs, err)
			}
		}
	}

	calls := 0
	c := newBot(t, func(string) []string {
		if calls++; calls > 1 {
			return []string{"127.0.0.1"}
		}
		return []string{"93.184.216.34"}
	})
	tg, err := c.target(t.Context(), "https://git.example/r")
	if err != nil {
		t.Fatal(err)
	}
	if got := tg.settings[0]; got != (setting{"http.curloptResolve", "git.example:443:93.184.216.34"}) {
		t.Errorf("got %+v", got)
	}
	if _, err := c.target(t.Context(), "https://git.example/r"); err == nil {
		t.Error("the second look-up is not checked")
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	c := newBot(t, func(host string) []string {
		switch host {
		case "six.example":
			return []string{"2606:50c0:8000::153"}
		case "none.example":
			return nil
		}
		return []string{"::ffff:93.184.216.34", "2606::1"}
	})
	for _, test := range []struct{ url, resolve, ssh string }{
		{"https://git.example/r", "git.example:443:93.184.216.34", "'HostName=93.184.216.34' '-o' 'HostKeyAlias=git.example'"},
		{"https://git.example:8443/r", "git.example:8443:93.184.216.34", "'HostKeyAlias=[git.example]:8443'"},
		{"https://six.example/r", "six.example:443:[2606:50c0:8000::153]", "'HostName=2606:50c0:8000::153' '-o' 'HostKeyAlias=six.example'"},
		{"https://93.184.216.34/r", "", ""},
		{"https://[2606:50c0:8000::153]/r", "", ""},
	} {
		tg, err := c.target(t.Context(), test.url)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		var resolve, ssh string
		for _, s := range tg.settings {
			switch s.key {
			case "http.curloptResolve":
				resolve = s.value
			case "core.sshCommand":
				ssh = s.value
			}
		}
		if resolve != test.resolve || !strings.HasSuffix(ssh, test.ssh) || test.resolve == "" && strings.Contains(ssh, "HostName") {
			t.Errorf("%s: %q, %q", test.url, resolve, ssh)
		}
	}
	if _, err := c.target(t.Context(), "https://none.example/r"); !errors.Is(err, ErrTransient) || !strings.Contains(err.Error(), "could not resolve host none.example") {
		t.Errorf("got %v", err)
	}
}

// TestPin: git dials the address that it is bound to, however the name is
// written. The names here do not exist.
func TestPin(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	id := srv.Repo(t, "r").Commit(t, "main", nil)
	c := New(Options{Policy: gitname.Operator(false), Environ: []string{"PATH=" + os.Getenv("PATH")}})
	_, port, _ := strings.Cut(srv.Host(), ":")
	for _, host := range []string{"pinned.invalid", "PINNED.invalid", "pinned.invalid."} {
		u, err := gitname.ParseURL("http://" + host + ":" + port + "/r.git")
		if err != nil {
			t.Fatal(err)
		}
		tg := target{URL: u}
		tg.pin(netip.MustParseAddr("127.0.0.1"))
		refs, err := c.lsRefs(t.Context(), tg, []string{"refs/heads/main"})
		if err != nil || len(refs) != 1 || refs[0].commit != id {
			t.Errorf("%s: %v, %v", host, refs, err)
		}
	}
}

// A server that is asked without git is dialled where its name was checked.
func TestFault_G4_DirectAddress(t *testing.T) {
	t.Parallel()
	c := newBot(t, func(string) []string { return []string{"93.184.216.34"} })
	dialled := make(chan string, 10)
	d := newDirect(nil, func(_ context.Context, _, address string) (net.Conn, error) {
		dialled <- address
		return nil, errors.New("no")
	})
	for raw, want := range map[string]string{"https://forge.example/r.git": "93.184.216.34:443", "https://forge.example:8443/r.git": "93.184.216.34:8443"} {
		target, err := c.target(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		q := &quarantine{bare: &bare{c: c}, direct: d}
		if err := q.fetchDirect(t.Context(), target, wanted{}); !errors.Is(err, errIndirect) {
			t.Errorf("got %v", err)
		}
		if got := <-dialled; got != want {
			t.Errorf("%s: dialled %s", raw, got)
		}
	}
}
