package outward_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/outward"
)

// A Dockerfile may name any host, a registry may redirect anywhere, and a name
// may mean another address the second time: nothing private is reached.
func TestFault_G4_Outward(t *testing.T) {
	t.Parallel()
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
			return
		}
		reached++
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if strings.HasPrefix(host, "127.") {
			return []netip.Addr{netip.MustParseAddr(host)}, nil
		}
		return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	for _, test := range []struct {
		url   string
		allow []string
		ok    bool
	}{
		{server.URL, nil, false},
		{server.URL, []string{"http://127.0.0.1:" + port}, true},
		{server.URL + "/v2/a", []string{"http://127.0.0.1:" + port + "/v2/"}, true},
		{server.URL + "/x", []string{"http://127.0.0.1:" + port + "/v2/"}, false},
		{server.URL + "/away", []string{"http://127.0.0.1:" + port}, false},
		{"https://127.0.0.1:" + port, []string{"http://127.0.0.1:" + port}, false},
		{"https://registry.example.org:" + port, nil, false}, // one of its addresses is private
		{"http://registry.example.org:" + port, []string{"http://registry.example.org:1"}, false},
		{"https://localhost:" + port, nil, false},
		{"https://2130706433:" + port, nil, false},
		{"ftp://registry.example.org", nil, false},
	} {
		policy, err := gitname.Bot(test.allow)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: outward.Transport(policy, lookup)}
		before := reached
		res, err := client.Get(test.url)
		if err == nil {
			res.Body.Close()
		}
		if ok := err == nil && reached == before+1; ok != test.ok || !test.ok && (reached != before || !errors.Is(err, outward.ErrRefused)) {
			t.Errorf("%s with %v: reached %d, %v", test.url, test.allow, reached-before, err)
		}
		client.CloseIdleConnections()
	}
}
