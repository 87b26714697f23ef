package lock_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

func TestDrop(t *testing.T) {
	t.Parallel()
	const repos = `# ours
./odoo:
    remotes:
        odoo: https://example.org/odoo.git   # theirs
        acme: https://example.org/acme.git
        oca: "https://example.org/oca.git"
    target: odoo 17.0
    merges:
        - odoo 17.0
        # until it is in 17.0
        - acme 17.0-fix

        - {remote: oca, ref: 17.0-docs}
        - remote: acme
          ref: 17.0-more
          depth: 3
# of the web
./web: {remotes: {oca: https://example.org/web.git}, merges: [oca 17.0, oca 17.0-x]}
`
	without := func(lines ...string) string {
		text := repos
		for _, line := range lines {
			if !strings.Contains(text, line) {
				t.Fatalf("no %q", line)
			}
			text = strings.Replace(text, line, "", 1)
		}
		return text
	}
	before, after, _ := strings.Cut(repos, "    target")
	const fix, more, docs = "        - acme 17.0-fix\n", "        - remote: acme\n          ref: 17.0-more\n          depth: 3\n", "        - {remote: oca, ref: 17.0-docs}\n"
	const acme, oca = "        acme: https://example.org/acme.git\n", "        oca: \"https://example.org/oca.git\"\n"
	for name, test := range map[string]struct {
		in        string
		positions []int
		want      string
		remotes   []string
	}{
		"one":         {repos, []int{1}, without(fix), nil},
		"a mapping":   {repos, []int{3}, without(more), nil},
		"the last of": {repos, []int{1, 3}, without(fix, more, acme), []string{"acme"}},
		"braces":      {repos, []int{2}, without(docs, oca), []string{"oca"}},
		"all but one": {repos, []int{1, 2, 3}, without(fix, more, docs, acme, oca), []string{"acme", "oca"}},
		"fetch_all":   {before + "    fetch_all: [oca]\n    target" + after, []int{2}, strings.Replace(without(docs), "    target", "    fetch_all: [oca]\n    target", 1), nil},
		"target":      {strings.Replace(repos, "target: odoo", "target: oca", 1), []int{2}, strings.Replace(without(docs), "target: odoo", "target: oca", 1), nil},
	} {
		got, remotes, err := lock.Drop("repos.yaml", []byte(test.in), false, "odoo", test.positions, gitname.Operator(false))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.remotes, remotes); diff != "" {
			t.Errorf("%s: remotes (-want +got):\n%s", name, diff)
		}
	}
	for name, in := range map[string]string{"one line": repos, "alias": "./web:\n  remotes: &r {oca: https://example.org/a.git}\n  merges: &m\n    - oca 17.0\n    - oca 17.0-x\n./b: {remotes: *r, merges: *m}\n"} {
		if got, _, err := lock.Drop("repos.yaml", []byte(in), false, "web", []int{1}, gitname.Operator(false)); !errors.Is(err, lock.ErrShape) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	for _, positions := range [][]int{{0, 1, 2, 3}} {
		if _, _, err := lock.Drop("repos.yaml", []byte(repos), false, "odoo", positions, gitname.Operator(false)); err == nil {
			t.Error("nothing is left, and no error")
		}
	}
}

func TestDrop_lock(t *testing.T) {
	t.Parallel()
	id := func(c string) string { return strings.Repeat(c, 40) }
	head := "./odoo:\n  remotes:\n    odoo: https://example.org/odoo.git\n    acme: https://example.org/acme.git\n  merges:\n  # locked-from: odoo 17.0\n  - odoo " + id("a") + "\n"
	middle := "  # locked-from: acme fix\n  # merge-base: " + id("c") + "\n  - acme " + id("b") + "\n"
	tail := "  # locked-from: odoo docs\n  # merge-base: " + id("d") + "\n  - odoo " + id("e") + "\n  # tree: " + id("f") + "\n\n./web:\n  remotes: {oca: https://example.org/web.git}\n  merges:\n  - oca " + id("a") + "\n  # tree: " + id("1") + "\n"
	got, remotes, err := lock.Drop("l", []byte(head+middle+tail), true, "./odoo", []int{1}, gitname.Operator(false))
	want := strings.Replace(head, "    acme: https://example.org/acme.git\n", "", 1) + strings.Replace(strings.Replace(tail, "  # merge-base: "+id("d")+"\n", "", 1), "  # tree: "+id("f")+"\n", "", 1)
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" || len(remotes) != 1 {
		t.Errorf("%v, %v (-want +got):\n%s", err, remotes, diff)
	}
}
