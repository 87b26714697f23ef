package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
)

const withMirror = `forges:
  - kind: gitea
    url: https://git.example.com
    tokenFile: token
    repositories: [acme/image]
`

func TestLoadServer_mirror(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"token": "x\n", "code": "M0-canary\n", "odyssey.yaml": withMirror + `enterprise:
  - {repository: acme/image, mirror: acme/enterprise, platformVersion: src_17e, subscriptionCodeFile: code, workDirectory: work}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := config.LoadServer(filepath.Join(dir, "odyssey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := s.Enterprise[0]
	if m.Forge != "gitea" || m.Portal != "https://www.odoo.com" || m.WorkDirectory != filepath.Join(dir, "work") || m.ReportDirectory != "" || m.Code.Reveal() != "M0-canary" {
		t.Errorf("the mirror is %+v", m)
	}
	if want := []string{"acme/image", "acme/enterprise"}; !slices.Equal(s.Forges[0].Repositories, want) {
		t.Errorf("watched are %q, want %q", s.Forges[0].Repositories, want)
	}
}

func TestParseServer_mirrorFaults(t *testing.T) {
	t.Parallel()
	const rest = "platformVersion: src_17e, subscriptionCodeFile: code"
	in := withMirror + `  - {kind: github, tokenFile: token, repositories: [acme/other]}
enterprise:
  - {forge: gitea, repository: acme/image, mirror: Acme/Image, workDirectory: a, ` + rest + `}
  - {forge: gitee, repository: acme/x, mirror: acme/y, reportRepository: Acme/Y, workDirectory: a, portal: "ftp://x", ` + rest + `}
  - {forge: github, repository: acme/other, mirror: acme/enterprise, workDirectory: c, ` + rest + `}
  - {repository: acme/z, mirror: acme/zz, workDirectory: d, ` + rest + `}
  - {forge: gitea, mirror: ../x}
`
	_, err := config.ParseServer("f.yaml", []byte(in))
	got := faults(t, err)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], "\n")
	}
	want := []string{
		`:8: enterprise[0].mirror: is the repository itself`,
		`:8: enterprise[0]: "Acme/Image" has a mirror or is one already, see line 8`,
		`:9: enterprise[1].forge: there is no forge "gitee"`,
		`:9: enterprise[1].portal: the URL must begin with https:// or http://`,
		`:9: enterprise[1].reportRepository: is the repository or the mirror itself`,
		`:9: enterprise[1].workDirectory: "a" is taken, see line 8`,
		`:10: enterprise[2].forge: a mirror on GitHub cannot be filled`,
		`:11: enterprise[3]: lacks forge`,
		`:12: enterprise[4].mirror: "../x" does not match ^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`,
		`:12: enterprise[4]: lacks repository, platformVersion, subscriptionCodeFile, workDirectory`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
