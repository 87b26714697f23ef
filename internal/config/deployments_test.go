package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
)

func TestParseRepo_deployments(t *testing.T) {
	t.Parallel()
	got, err := config.ParseRepo(".odyssey.yaml", []byte(`deployments:
  - repository: acme/deployment
    image: ghcr.io/acme/odoo
    instances:
      - {name: staging, files: [overlays/staging/**]}
      - {name: production, files: ['overlays/production/{a,b}.yaml']}
    inOrder: true
    installed: [installed-addons.txt]
  - repository: acme/other
    files: ['**/*.container']
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Deployment{
		{
			Repository: "acme/deployment", Image: "ghcr.io/acme/odoo", InOrder: true, Installed: []string{"installed-addons.txt"},
			Instances: []config.Instance{{Name: "staging", Files: []string{"overlays/staging/**"}}, {Name: "production", Files: []string{"overlays/production/{a,b}.yaml"}}},
		},
		{Repository: "acme/other", Files: []string{"**/*.container"}},
	}
	if diff := cmp.Diff(want, got.Deployments); diff != "" {
		t.Error(diff)
	}
}

func TestParseRepo_deploymentsErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"repository: acme", `deployments[0].repository: "acme" does not match`},
		{"files: [a]", `deployments[0]: lacks repository`},
		{"{repository: a/b, files: [a], instances: [{name: x, files: [y]}]}", `deployments[0].instances: stands beside files`},
		{"{repository: a/b, instances: [{name: x, files: [y]}, {name: x, files: [z]}]}", `deployments[0].instances[1].name: "x" is there twice`},
		{"{repository: a/b, instances: [{name: x, files: [y]}], inOrder: true}", `deployments[0].inOrder: there is no order without two instances`},
		{"{repository: a/b, files: ['{a']}", `deployments[0].files[0]: "{a" is no valid glob`},
		{"{repository: a/b, installed: [/etc/passwd]}", `deployments[0].installed[0]: "/etc/passwd" is no path`},
		{"{repository: a/b, installed: [../x]}", `deployments[0].installed[0]: "../x" is no path`},
		{"{repository: a/b, image: 'ghcr.io/acme/odoo@sha256:1'}", `deployments[0].image: `},
		{"{repository: a/b, wrong: 1}", `deployments[0]: unknown key "wrong"`},
	} {
		_, err := config.ParseRepo("c", []byte("deployments:\n  - "+test.text+"\n"))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
	}
}
