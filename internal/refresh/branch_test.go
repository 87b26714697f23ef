package refresh

import (
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"
)

func TestBranch(t *testing.T) {
	t.Parallel()
	for group, want := range map[string]string{
		"./odoo":                         "odyssey/merge/odoo",
		"odoo":                           "odyssey/merge/odoo",
		"./odoo/":                        "odyssey/merge/odoo",
		"./oca/web":                      "odyssey/merge/oca+web",
		"./oca/web oca 17.0":             "odyssey/merge/oca+web++oca++17.0",
		"./odoo acme feature/stock-lots": "odyssey/merge/odoo++acme++feature+stock-lots",
		"./my repo":                      "odyssey/merge/my++repo",
		"all":                            "odyssey/merge/all",
	} {
		if got := branch(Merges, group); got != want {
			t.Errorf("branch(%q) = %s, want %s", group, got, want)
		}
	}
	if got := branch(Sync, "./odoo"); got != "odyssey/lock" {
		t.Errorf("a sync has %s", got)
	}
}

// groups makes groups of every mode: destinations, merges of destinations, and
// what people name.
func groups() []string {
	parts := []string{
		"oca", "web", "oca-web", "oca+web", "oca++web", "oca_web", "oca.web", "oca web", "web ", " web", "lock", "odoo.lock", "x.lock", ".hidden", "..", "...", "a..b", "a.", "a.-b",
		"é", "e\u0301", "日本", "@", "@{", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "-a", "a-", "HEAD", "Web", "+", "++", "+-", "-+", "+-0123456789ab",
		strings.Repeat("x", 149), strings.Repeat("x", 150), strings.Repeat("x", 151), strings.Repeat("x", 199) + "y", strings.Repeat("é", 100),
	}
	all := []string{"all", "merge", "a.b", "a..b.lock"}
	for _, a := range parts {
		all = append(all, "./"+a)
		for _, b := range parts {
			all = append(all, "./"+a+"/"+b, "./"+a+" "+b)
		}
		for _, ref := range []string{"17.0", "f/17.0", "17.0+x", "lock", "web", "oca/web", "refs/pull/3/head", "é", strings.Repeat("r", 250)} {
			all = append(all, "./"+a+" oca "+ref, "./"+a+" oca+web "+ref, "./oca/"+a+" web "+ref)
		}
	}
	return all
}

func TestBranch_oneToOne(t *testing.T) {
	t.Parallel()
	names := map[string]string{branch(Sync, "lock"): "the sync"}
	for _, group := range groups() {
		name := branch(Merges, group)
		if first, taken := names[name]; taken && first != path.Clean(group) {
			t.Errorf("%q and %q share the branch %s", first, group, name)
		}
		names[name] = path.Clean(group)
		if last := name[strings.LastIndex(name, "/")+1:]; len(last) > maxBranch {
			t.Errorf("%q has a branch of %d bytes", group, len(last))
		}
	}
	for name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if names[dir] != "" {
				t.Errorf("the branch %s is a directory of %s", dir, name)
			}
		}
	}
	for name, group := range names {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+./_-") != "" {
			t.Errorf("%q has the branch %q", group, name)
		}
	}
	wellFormed(t, names)
}

// wellFormed has git check the names of branches.
func wellFormed(t *testing.T, names map[string]string) {
	t.Helper()
	// One git checks all of them: it makes no branch when one name is bad.
	var script strings.Builder
	for name := range names {
		fmt.Fprintf(&script, "create refs/heads/%s 0123456789012345678901234567890123456789\n", name)
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", "--bare", "--template=", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	fmt.Fprintf(&script, "abort\n")
	cmd := exec.CommandContext(t.Context(), "git", "-C", dir, "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader("start\n" + script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("git update-ref: %v: %s", err, out)
	}
}
