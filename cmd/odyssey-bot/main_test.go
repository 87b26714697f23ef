package main

import (
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
	testscript.Main(m, map[string]func(){"odyssey-bot": main, "lock-repos": main, "odoo-enterprise-import": main, "odoo-enterprise-download": main})
}

func TestScript(t *testing.T) {
	t.Parallel()
	clitest.Scripts(t, "testdata/script", nil, map[string]clitest.Command{"images": images})
}

// images runs a registry with two releases of an image, $OLD and $NEW, and makes
// of a file what names the old one.
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
	for _, name := range args {
		expanded := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(expanded), 0o644))
	}
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
