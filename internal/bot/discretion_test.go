package bot_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

// mirrored makes the scene's second remote a repository of the same forge, which
// is below a URL.
func mirrored(t *testing.T, at string) (*scene, forge.Name) {
	t.Helper()
	s := newScene(t, "")
	mirror := forge.Name{Owner: "acme", Name: "enterprise"}
	s.fake.AddRepo(mirror)
	url := at + mirror.String() + ".git"
	s.git.commits[url+" 17.0"] = id(3)
	with := strings.ReplaceAll(repos, strings.Fields(web)[0], url)
	s.push("main", map[string]string{refresh.ReposFile: with, refresh.LockFile: strings.ReplaceAll(s.newest(), strings.Fields(web)[0], url)})
	s.git.commits[url+" 17.0"] = id(31)
	return s, mirror
}

const (
	byHTTPS    = "https://forge.example.org/"
	byOtherSSH = "ssh://git@ssh.forge.example.org:2222/" // Gitea's SSH_DOMAIN, ssh.github.com
)

// organised is a forge some of whose repositories are of a private organisation.
type organised struct {
	*forgetest.Fake
	internal func(forge.Name) bool
}

func (f organised) Repo(ctx context.Context, name forge.Name) (forge.Repo, error) {
	got, err := f.Fake.Repo(ctx, name)
	got.Internal = f.internal(name)
	return got, err
}

// What is in a repository of a private organisation is told in its own, and not in
// one that everybody may read.
func TestFault_T1_PrivateOrganisations(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{false, true} {
		s, mirror := mirrored(t, byHTTPS)
		f := organised{s.fake, func(name forge.Name) bool { return both || name == mirror }}
		_, err := s.bot.Run(t.Context(), f, s.name, bot.Demand{})
		must(t, err)
		if body := s.one().Body; strings.Contains(body, "stock: "+id(31)[:7]) != (both && s.name.Owner == mirror.Owner) {
			t.Errorf("both are of %s and %s: %v\n%s", s.name.Owner, mirror.Owner, both, body)
		}
	}
}

// What is in a private remote is told in a repository that is as private, and
// nowhere else; what is in Enterprise, nowhere. The history's canary is in the title of its commit.
func TestFault_T1_PrivateRemotes(t *testing.T) {
	t.Parallel()
	canary := "[FIX] stock: " + id(31)[:7]
	private := func(s *scene, mirror forge.Name) { s.fake.SetPrivate(mirror, true) }
	bothPrivate := func(s *scene, mirror forge.Name) {
		s.fake.SetPrivate(mirror, true)
		s.fake.SetPrivate(s.name, true)
	}
	for _, test := range []struct {
		name  string
		at    string
		setUp func(s *scene, mirror forge.Name)
		told  bool
	}{
		{"all public", byHTTPS, func(*scene, forge.Name) {}, true},
		{"public by ssh", "git@forge.example.org:", func(*scene, forge.Name) {}, true},
		{"public elsewhere", "https://git.example.org/", func(*scene, forge.Name) {}, true},
		{"elsewhere and not for everybody", "https://git.example.org/", func(s *scene, _ forge.Name) { s.git.closed = "git.example.org" }, false},
		{"elsewhere as somebody", "https://bot@git.example.org/", func(*scene, forge.Name) {}, false},
		{"the remote is private", byHTTPS, private, false},
		{"private by ssh", "git@forge.example.org:", private, false},
		{"private by ssh under another host name", byOtherSSH, private, false},
		{"both are private", byHTTPS, bothPrivate, true},
		{"both are private, by ssh under another host name", byOtherSSH, bothPrivate, true},
		{"the bot may not see the remote", byHTTPS, func(s *scene, mirror forge.Name) {
			s.fake.As(forgetest.FakeHuman, mirror).Rename(s.t, "other")
		}, false},
		{"it is where Enterprise is", byHTTPS, func(s *scene, _ forge.Name) {
			s.push("main", map[string]string{refresh.ConfigFile: "enterprise: {destination: ./web}\n"})
		}, false},
		{"it is where Enterprise is, and all are private", byHTTPS, func(s *scene, mirror forge.Name) {
			bothPrivate(s, mirror)
			s.push("main", map[string]string{refresh.ConfigFile: "enterprise: {destination: ./web}\n"})
		}, false},
		{"the operator says so", byHTTPS, func(s *scene, _ forge.Name) {
			s.bot.Private = []string{"git@forge.example.org:ACME/Enterprise"}
		}, false},
		{"the operator says so, and all are private", byHTTPS, func(s *scene, mirror forge.Name) {
			bothPrivate(s, mirror)
			s.bot.Private = []string{byHTTPS + "acme/enterprise.git"}
		}, false},
		{"the operator says so of another host name, and all are private", byOtherSSH, func(s *scene, mirror forge.Name) {
			bothPrivate(s, mirror)
			s.bot.Private = []string{byHTTPS + "acme/enterprise.git"}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, test.at)
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
