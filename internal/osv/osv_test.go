package osv_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/osv"
	"github.com/nuobit/odyssey/internal/refresh"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Queries []struct {
				Package struct{ Name, Ecosystem string }
				Version string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/querybatch" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		for _, one := range q.Queries {
			asked += one.Package.Ecosystem + " " + one.Package.Name + " " + one.Version + "\n"
		}
		fmt.Fprint(w, `{"results":[{"vulns":[{"id":"PYSEC-2024-2","modified":"x"},{"id":"GHSA-aaaa-bbbb-cccc"},{"id":"](http://evil) @org"},{"id":"PYSEC-2024-2"}]},{}]}`)
	}))
	t.Cleanup(server.Close)
	c := &osv.Client{URL: server.URL, HTTP: server.Client()}
	a, b := refresh.Package{Type: "pypi", Name: "a", Version: "1.0"}, refresh.Package{Type: "pypi", Name: "b", Version: "2.0"}
	got, err := c.Known(t.Context(), []refresh.Package{a, b, a, {Type: "deb", Name: "c", Version: "1"}, {Type: "pypi", Name: "d", Version: "https://x/y"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[refresh.Package][]string{a: {"GHSA-aaaa-bbbb-cccc", "PYSEC-2024-2"}}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if asked != "PyPI a 1.0\nPyPI b 2.0\n" {
		t.Errorf("asked %q", asked)
	}
}

// What a server answers is bounded, and what is no answer is an error.
func TestKnown_hostile(t *testing.T) {
	t.Parallel()
	packages := []refresh.Package{{Type: "pypi", Name: "a", Version: "1"}}
	for name, answer := range map[string]func(w http.ResponseWriter){
		"4 MiB":            func(w http.ResponseWriter) { _, _ = w.Write([]byte(strings.Repeat(" ", 5<<20))) },
		"503":              func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"no JSON":          func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
		"2 of 1 questions": func(w http.ResponseWriter) { fmt.Fprint(w, `{"results":[{},{}]}`) },
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		c := &osv.Client{URL: server.URL + "/", HTTP: server.Client()}
		if got, err := c.Known(t.Context(), packages); err == nil || got != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		server.Close()
		if _, err := c.Known(t.Context(), packages); err == nil {
			t.Errorf("%s: a server that is gone", name)
		}
	}
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, `{"id":"CVE-2026-%04d"},`, i)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"results":[{"vulns":[%s]}]}`, strings.TrimSuffix(many.String(), ","))
	}))
	t.Cleanup(server.Close)
	if got, err := (&osv.Client{URL: server.URL, HTTP: server.Client()}).Known(t.Context(), packages); err != nil || len(got[packages[0]]) != 200 {
		t.Errorf("%d, %v", len(got[packages[0]]), err)
	}
}
