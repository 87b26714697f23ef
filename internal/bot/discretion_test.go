package bot_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

// mirrored makes the scene's second remote a repository of the same forge.
func mirrored(t *testing.T) (*scene, forge.Name) {
	t.Helper()
	s := newScene(t, "")
	mirror := forge.Name{Owner: "acme", Name: "enterprise"}
	s.fake.AddRepo(mirror)
	described, err := s.fake.Repo(t.Context(), s.name)
	must(t, err)
	url := strings.TrimSuffix(described.WebURL, s.name.String()) + mirror.String() + ".git"
	s.git.commits[url+" 17.0"] = id(3)
	with := strings.ReplaceAll(repos, strings.Fields(web)[0], url)
	s.push("main", map[string]string{refresh.ReposFile: with, refresh.LockFile: strings.ReplaceAll(s.newest(), strings.Fields(web)[0], url)})
	s.git.commits[url+" 17.0"] = id(31)
	return s, mirror
}

// What is in a private remote is told in a repository that is as private, and
// nowhere else. The history's canary is in the title of its commit.
func TestFault_T1_PrivateRemotes(t *testing.T) {
	t.Parallel()
	canary := "[FIX] stock: " + id(31)[:7]
	for _, test := range []struct {
		name  string
		setUp func(s *scene, mirror forge.Name)
		told  bool
	}{
		{"all public", func(*scene, forge.Name) {}, true},
		{"the remote is private", func(s *scene, mirror forge.Name) { s.fake.SetPrivate(mirror, true) }, false},
		{"both are private", func(s *scene, mirror forge.Name) {
			s.fake.SetPrivate(mirror, true)
			s.fake.SetPrivate(s.name, true)
		}, true},
		{"the bot may not see the remote", func(s *scene, mirror forge.Name) { s.fake.As(forgetest.FakeHuman, mirror).Rename(s.t, "other") }, false},
		{"it is where Enterprise is", func(s *scene, _ forge.Name) {
			s.push("main", map[string]string{refresh.ConfigFile: "enterprise: {destination: ./web}\n"})
		}, false},
		{"the operator says so", func(s *scene, _ forge.Name) {
			s.bot.Private = []string{"git@forge.example.org:ACME/Enterprise"}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t)
			test.setUp(s, mirror)
			s.run("./web opened")
			pr := s.one()
			got, err := s.fake.Branch(t.Context(), s.repo, pr.Head)
			must(t, err)
			if told := strings.Contains(strings.ReplaceAll(pr.Body, `\[`, "["), "stock: "+id(31)[:7]); told != test.told {
				t.Errorf("the canary %q is told: %v, want %v, in\n%s", canary, told, test.told, pr.Body)
			}
			if !test.told && (strings.Contains(pr.Title+got.Message+s.logged.String(), "stock:") || strings.Contains(pr.Body, "Ana Prat")) {
				t.Errorf("told elsewhere:\n%s\n%s\n%s", pr.Title, got.Message, s.logged.String())
			}
			if !strings.Contains(pr.Body, "1 commit") {
				t.Errorf("how far it moves is not told:\n%s", pr.Body)
			}
		})
	}
}
