package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/test/clitest"
	"github.com/nuobit/odyssey/test/registrytest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"odyssey-bot": main, "lock-repos": main, "update-base-image-digest": main, "odoo-enterprise-import": main, "odoo-enterprise-download": main})
}

func TestScript(t *testing.T) {
	t.Parallel()
	clitest.Scripts(t, "testdata/script", nil, map[string]clitest.Command{"images": images, "portal": startPortal})
}

// images runs a registry with two releases of an image, $OLD and $NEW, and
// expands the variables in files. $MIXED is the old one's tag at the new one.
func images(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) > 0, "images FILE...")
	r := registrytest.Start(nil)
	ts.Defer(r.Stop)
	push := func(tag, revision string) string {
		name := r.Host + "/acme/odoo:" + tag
		return name + "@" + registrytest.Push(ts, name, registrytest.Base{Labels: map[string]string{
			oci.AnnotationSource: "https://git.example.org/acme/odoo-image", oci.AnnotationRevision: revision,
		}})
	}
	ts.Setenv("REGISTRY", r.Host)
	ts.Setenv("OLD", push("18.0-r0007", strings.Repeat("a", 40)))
	ts.Setenv("NEW", push("18.0-r0008", strings.Repeat("b", 40)))
	old, _, _ := strings.Cut(ts.Getenv("OLD"), "@")
	_, next, _ := strings.Cut(ts.Getenv("NEW"), "@")
	ts.Setenv("MIXED", old+"@"+next)
	for _, name := range args {
		expanded := os.Expand(ts.ReadFile(name), func(variable string) string {
			if value := ts.Getenv(variable); value != "" {
				return value
			}
			return "${" + variable + "}" // a Dockerfile's own
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(expanded), 0o644))
	}
}

// startPortal runs a portal at $PORTAL that has a file for those who know the
// subscription code in the environment's $CODE; the page that links to the file
// is the portal's own.
func startPortal(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) == 1, "portal FILE")
	data, code := ts.ReadFile(args[0]), ts.Getenv("CODE")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page/download", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /download/check_subscription", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Params struct{ Code string } }
		result := "oe_download_invalid_code"
		if json.NewDecoder(r.Body).Decode(&q) == nil && q.Params.Code == code {
			result = "success"
		}
		fmt.Fprintf(w, `{"result": %q}`, result)
	})
	mux.HandleFunc("GET /thanks/download", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("code") == code {
			fmt.Fprintf(w, `<html><a href="http://%s/download/%s?payload=%s">download</a>`, r.Host, args[0], code)
		}
	})
	mux.HandleFunc("GET /download/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, data) })
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv("PORTAL", s.URL)
}

func TestJoinMergeNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"--refresh-merge", "./a", "o", "1"}, []string{"--refresh-merge", "./a o 1"}},
		{[]string{"--refresh-merge", "./a o 1", "--check"}, []string{"--refresh-merge", "./a o 1", "--check"}},
		{[]string{"--refresh-merge=./a o 1"}, []string{"--refresh-merge=./a o 1"}},
		{[]string{"--refresh-merge", "./a", "o", "1", "--refresh-merge", "./b", "p", "2", "-q"}, []string{"--refresh-merge", "./a o 1", "--refresh-merge", "./b p 2", "-q"}},
		{[]string{"--refresh-merge", "./a", "o"}, []string{"--refresh-merge", "./a o"}},
		{[]string{"--refresh-merge", "./a", "--check"}, []string{"--refresh-merge", "./a", "--check"}},
		{[]string{"--refresh-merge", "--check"}, []string{"--refresh-merge", "", "--check"}},
		{[]string{"--refresh-merge"}, []string{"--refresh-merge"}},
		{[]string{"--refresh-merge", "./a", "o", "1", "2"}, []string{"--refresh-merge", "./a o 1", "2"}},
		{[]string{"--", "--refresh-merge", "./a", "o", "1"}, []string{"--", "--refresh-merge", "./a", "o", "1"}},
	} {
		if got := joinMergeNames(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q\ngot  %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want []string }{
		{[]string{"/usr/bin/odyssey-bot", "plan"}, []string{"plan"}},
		{[]string{"/usr/local/bin/lock-repos", "--check"}, []string{"lock-repos", "--check"}},
		{[]string{"/bin/odoo-enterprise-import", "--apply"}, []string{"enterprise-import", "--apply"}},
		{[]string{"odoo-enterprise-download"}, []string{"enterprise-download"}},
		{[]string{"lock-repos", "--refresh-merge", "./a", "o", "1"}, []string{"lock-repos", "--refresh-merge", "./a o 1"}},
	} {
		if got := arguments(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q", test.in, got)
		}
	}
}
