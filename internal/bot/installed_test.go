package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
)

// surveyed are upstreams that show what is in their commits: addons a and b, of
// which each commit has files of its own.
type surveyed struct{ *upstreams }

func (surveyed) Ensure(context.Context, string, []string) error { return nil }

func (surveyed) Look(_ context.Context, _ string, commits []string, _ int, choose func([][]git.Entry) []string) ([][]git.Entry, map[string][]byte, error) {
	listings := make([][]git.Entry, len(commits))
	for i, commit := range commits {
		for _, addon := range []string{"a", "b"} {
			listings[i] = append(listings[i], git.Entry{Mode: git.ModeFile, ID: strings.Repeat("a", 40), Path: "addons/" + addon + "/__manifest__.py"},
				git.Entry{Mode: git.ModeFile, ID: commit, Path: "addons/" + addon + "/views/x.xml"})
		}
	}
	contents := map[string][]byte{}
	for _, id := range choose(listings) {
		contents[id] = []byte("{'name': 'x'}")
	}
	return listings, contents, nil
}

func (surveyed) Touches(context.Context, string, git.Range) ([]git.Touch, error) { return nil, nil }

// What keeps addons from working is said beside the commit that brings it, and of
// each commit anew.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := newScene(t, "")
	from := surveyed{s.git}
	s.bot.Git = broken{from}
	said := func() forge.Status {
		t.Helper()
		s.run("./odoo opened")
		all, err := s.fake.Statuses(t.Context(), s.repo, s.open()[0].HeadSHA)
		must(t, err)
		if len(all) != 1 || all[0].Name != "odyssey/addons" {
			t.Fatalf("said: %+v", all)
		}
		return all[0]
	}
	s.git.commits[acme] = id(12)
	if got := said(); got.Conclusion != forge.Failed || got.Title != "This brings 1 problem of addons" {
		t.Errorf("got %+v", got)
	}
	if body := s.open()[0].Body; !strings.Contains(body, "**a** depends on `nowhere`, which is nowhere") {
		t.Errorf("the text:\n%s", body)
	}
	s.human.Merge(t, s.open()[0].Number)
	s.git.commits[acme] = id(13)
	if got := said(); got.Conclusion != forge.Succeeded || got.Title != "The addons fit together as before" {
		t.Errorf("got %+v", got)
	}
}

// broken are upstreams of which commit 12 and all later ones have an addon that
// depends on one that is nowhere.
type broken struct{ surveyed }

func (b broken) Look(ctx context.Context, url string, commits []string, most int, choose func([][]git.Entry) []string) ([][]git.Entry, map[string][]byte, error) {
	bad := strings.Repeat("b", 40)
	listings, contents, err := b.surveyed.Look(ctx, url, commits, most, func(listings [][]git.Entry) []string {
		for i, commit := range commits {
			if commit >= id(12) {
				listings[i][0].ID = bad
			}
		}
		return choose(listings)
	})
	if _, asked := contents[bad]; asked {
		contents[bad] = []byte("{'name': 'x', 'depends': ['nowhere']}")
	}
	return listings, contents, err
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
