package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
)

// surveyed are upstreams that show what is in their commits: addons a and b, of
// which each commit has files of its own.
type surveyed struct{ *upstreams }

func (surveyed) Ensure(context.Context, string, []string) error { return nil }

func (surveyed) Entries(_ context.Context, _, tree string) ([]git.Entry, error) {
	var all []git.Entry
	for _, addon := range []string{"a", "b"} {
		all = append(all, git.Entry{Mode: git.ModeFile, ID: strings.Repeat("a", 40), Path: "addons/" + addon + "/__manifest__.py"},
			git.Entry{Mode: git.ModeFile, ID: tree, Path: "addons/" + addon + "/views/x.xml"})
	}
	return all, nil
}

func (surveyed) Touches(context.Context, string, git.Range) ([]git.Touch, error) { return nil, nil }

func (surveyed) Files(_ context.Context, _ string, ids []string, _ int) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, id := range ids {
		all[id] = []byte("{'name': 'x'}")
	}
	return all, nil
}

// Where the deployments say what is installed, pull requests are about that, and
// tell the rest in passing; where one does not, or cannot, they are about all.
func TestInstalled(t *testing.T) {
	t.Parallel()
	const both, a = "`odoo-update DB a,b`", "`odoo-update DB a`"
	for _, test := range []struct {
		name, policy, file, want string
	}{
		{"no deployment", "", "", both},
		{"it says so", "deployments: [{repository: acme/odoo-image, installed: [installed.txt]}]\n", "# production\na, sale\nbase # all\n", a},
		{"nothing is", "deployments: [{repository: acme/odoo-image, installed: [installed.txt]}]\n", "", "**Upgrade:** none"},
		{"another says nothing", "deployments: [{repository: acme/odoo-image, installed: [installed.txt]}, {repository: acme/odoo-image}]\n", "a\n", both},
		{"no such file", "deployments: [{repository: acme/odoo-image, installed: [other.txt]}]\n", "a\n", both},
		{"no such repository", "deployments: [{repository: acme/nowhere, installed: [installed.txt]}]\n", "a\n", both},
		{"not a list", "deployments: [{repository: acme/odoo-image, installed: [installed.txt]}]\n", "a\n<b>\n", both},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			s.bot.Git = surveyed{s.git}
			policy := strings.ReplaceAll("version: 1\n"+test.policy, "acme/odoo-image", s.name.String())
			s.push("main", map[string]string{".odyssey.yaml": policy, "installed.txt": test.file})
			s.git.commits[acme] = id(12)
			s.run("./odoo opened")
			if body := s.open()[0].Body; !strings.Contains(body, test.want) {
				t.Errorf("the text lacks %s:\n%s", test.want, body)
			}
			if told := strings.Contains(s.logged.String(), "installed is not known"); told != slices.Contains([]string{"no such file", "no such repository", "not a list"}, test.name) {
				t.Errorf("logged: %s", s.logged.String())
			}
		})
	}
}
