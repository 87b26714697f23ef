package bot

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/deploy"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// labels are what two images say of themselves, by tag.
type labels map[string]deploy.Content

func (l labels) Describe(_ context.Context, image deploy.Image) (deploy.Content, error) {
	return l[image.Tag], nil
}

// The bot may read more of an image's source than who reads the deployment. Of
// where Enterprise is in it, wherever that is from, nothing is told to anybody.
func TestFault_T1_DeploymentText(t *testing.T) {
	t.Parallel()
	const odoo, acme, moved = "https://git.example.org/odoo.git", "https://mirror.example.org/acme/ent.git", "https://mirror.example.org/acme/moved.git"
	lockOf := func(digit string) string {
		var text strings.Builder
		for _, d := range [][2]string{{"./odoo", odoo}, {"./enterprise", acme}, {"./ee", moved}} {
			text.WriteString(d[0] + ":\n  remotes:\n    up: " + d[1] + "\n  merges:\n  # locked-from: up 17.0\n  - up " + strings.Repeat(digit, 40) + "\n")
		}
		return text.String()
	}
	for _, test := range []struct {
		name              string
		source, deployed  bool // private
		config            string
		merges            int
		odoo, acme, moved bool // told
	}{
		{"all public", false, false, "", 3, true, false, true},
		{"destination", false, false, "enterprise: {destination: ee}\n", 3, true, true, false},
		{"private source", true, false, "", 0, true, false, true},
		{"private deployment", false, true, "", 3, true, false, true},
		{"both private", true, true, "enterprise: {destination: ./ee}\n", 3, true, true, false},
		{"broken policy", false, false, "enterprise: [\n", 0, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := forgetest.NewFake()
			source, name := forge.Name{Owner: "acme", Name: "image"}, forge.Name{Owner: "acme", Name: "deployment"}
			fake.AddRepo(name)
			var commits []string
			human := fake.AddRepo(source)
			for _, digit := range []string{"1", "2"} {
				commits = append(commits, human.Push(t, forgetest.Commit{Branch: "main", Message: digit, Files: map[string]forgetest.File{
					refresh.LockFile: {Content: lockOf(digit)}, refresh.ConfigFile: {Content: test.config},
				}})...)
			}
			fake.SetPrivate(source, test.source)
			fake.SetPrivate(name, test.deployed)
			repo, err := fake.Repo(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			policy, err := gitname.Bot(nil)
			if err != nil {
				t.Fatal(err)
			}
			url := strings.TrimSuffix(repo.WebURL, name.String()) + source.String()
			r := &deployer{
				keeper: keeper{Bot: &Bot{Git: git.New(git.Options{Policy: policy}), URLs: policy, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, forge: fake, repo: repo},
				Deployment: Deployment{Image: deploy.Image{Tag: "2", Digest: "sha256:2"}, Registry: labels{
					"1": {Source: url, Revision: commits[0], Parts: []deploy.Part{{Name: "./secret", Key: "1"}}},
					"2": {Source: url, Revision: commits[1], Parts: []deploy.Part{{Name: "./secret", Key: "2"}}},
				}},
			}
			var text refresh.Deployment
			changes := []deploy.Change{{References: []deploy.Reference{{Old: deploy.Image{Tag: "1", Digest: "sha256:1"}}}}}
			if err := r.compare(t.Context(), &text, changes); err != nil {
				t.Fatal(err)
			}
			if quiet := test.source && !test.deployed; len(text.Merges) != test.merges || (len(text.Parts) == 0) != quiet {
				t.Errorf("the merges are %+v, the parts %q", text.Merges, text.Parts)
			}
			for url, told := range map[string]bool{odoo: test.odoo, acme: test.acme, moved: test.moved} {
				if text.Discretion.Tells(url) != told {
					t.Errorf("%s is told of: %v, want %v", url, !told, told)
				}
			}
		})
	}
}
