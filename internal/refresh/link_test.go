package refresh

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	oldID = strings.Repeat("a1", 20)
	newID = strings.Repeat("b2", 20)
)

func TestUpstream(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"https://github.com/odoo/odoo.git":              "https://github.com/odoo/odoo",
		"https://github.com/odoo/odoo":                  "https://github.com/odoo/odoo",
		"https://github.com/odoo/odoo.git/":             "https://github.com/odoo/odoo",
		"https://ana@github.com/odoo/odoo":              "https://github.com/odoo/odoo",
		"git@github.com:odoo/odoo.git":                  "https://github.com/odoo/odoo",
		"ssh://git@github.com/odoo/odoo.git":            "https://github.com/odoo/odoo",
		"ssh://git@GitHub.com:22/odoo/odoo.git":         "https://GitHub.com/odoo/odoo",
		"git@codeberg.org:o/r":                          "https://codeberg.org/o/r",
		"git@gitlab.com:group/sub/r.git":                "https://gitlab.com/group/sub/r/-",
		"https://gitlab.example.com/group/sub/r.git":    "https://gitlab.example.com/group/sub/r/-",
		"https://git.example.org/o/r.git":               "https://git.example.org/o/r",
		"https://git.example.org:8443/pre/fix/o/r.git":  "https://git.example.org:8443/pre/fix/o/r",
		"http://127.0.0.1:3000/o/r.git":                 "http://127.0.0.1:3000/o/r",
		"http://[::1]:3000/o/r.git":                     "http://[::1]:3000/o/r",
		"https://[2001:db8::1]/o/r":                     "https://[2001:db8::1]/o/r",
		"https://git.example.org/~ana/r":                "https://git.example.org/~ana/r",
		"https://git.example.org/a%20b/%5Bc%5D%28d%29":  "https://git.example.org/a%20b/%5Bc%5D%28d%29",
		"https://git.example.org/a%60%7C%3C%3E%22%5C/r": "https://git.example.org/a%60%7C%3C%3E%22%5C/r",
		"https://git.example.org/a%23b/c%3Fd":           "https://git.example.org/a%23b/c%3Fd",
		"https://git.example.org/é/日本":                  "https://git.example.org/%C3%A9/%E6%97%A5%E6%9C%AC",
		// No web pages are known, or it is no address at all.
		"git@git.example.org:o/r.git":          "",
		"ssh://git@git.example.org:2222/o/r":   "",
		"git://git.example.org/o/r.git":        "",
		"/srv/git/r.git":                       "",
		"file:///srv/git/r.git":                "",
		"https://ana:s3cret@github.com/o/r":    "",
		"https://ghp_s3cret@github.com/o/r":    "",
		"https://github.com/o/(r)":             "",
		"https://github.com/o/r](https://evil": "",
		"https://github.com/o r":               "",
		"":                                     "",
	} {
		web := newUpstream(remote)
		commit, compare := web.commit(newID), web.compare("3 commits", oldID, newID)
		wantCommit, wantCompare := "`b2b2b2b`", "3 commits"
		if want != "" {
			wantCommit = "[`b2b2b2b`](" + want + "/commit/" + newID + ")"
			wantCompare = "[3 commits](" + want + "/compare/" + oldID + "..." + newID + ")"
		}
		if commit != wantCommit || compare != wantCompare {
			t.Errorf("%s:\ngot  %s\n     %s\nwant %s\n     %s", remote, commit, compare, wantCommit, wantCompare)
		}
	}
}

// M1 and T1: an address from repos.yaml neither breaks out of its link nor
// leads elsewhere, and no link has a credential.
func TestFault_M1_Link(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"%29%20x%20%28", "%5D%28https://evil.example%29", "%7C", "%3Cimg%3E", "%22%20title=%22", "%0A%0A%23", "*a*", "_a_", "~a~", "@org/team", "a%5C", "%60", "&lt;", "www.evil.example", "-/merge_requests/1", "%252e", "..%2f..",
	} {
		for _, remote := range []string{"https://git.example.org/o/" + path + "/r", "https://ana@git.example.org/" + path} {
			web := newUpstream(remote)
			source := "| a | b |\n|---|---|\n| " + web.compare("3 commits", oldID, newID) + " | " + web.commit(newID) + " |\n"
			elements, text, links := render(t, source)
			switch {
			case web.base == "":
				if len(links) > 0 {
					t.Errorf("%s: links to %q", remote, links)
				}
				continue
			case elements != tableOf("td", "a", "td", "a", "code") || len(links) != 2:
				t.Errorf("%s: renders to %s, links %q\n%s", remote, elements, links, source)
			}
			if diff := cmp.Diff([]string{"a", "b", "3", "commits", "b2b2b2b"}, strings.Fields(text)); diff != "" {
				t.Errorf("%s: shows (-want +got):\n%s", remote, diff)
			}
			if slices.ContainsFunc(links, func(l string) bool {
				u, err := url.Parse(l)
				return err != nil || u.Host != "git.example.org" || u.Scheme != "https" || u.User != nil
			}) {
				t.Errorf("%s: links to %q", remote, links)
			}
		}
	}
}
