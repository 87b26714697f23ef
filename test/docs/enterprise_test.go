package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// The files that docs/enterprise.md gives to copy are what the bot takes, and each
// says in its first line which it is.
func TestEnterprise(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i, part := range strings.Split(read(t, "../../docs/enterprise.md"), "```") {
		first, rest, _ := strings.Cut(strings.TrimPrefix(part, "yaml\n"), "\n")
		if name, ok := strings.CutPrefix(strings.TrimSpace(first), "# "); i%2 == 1 && ok {
			files[name] = strings.ReplaceAll("   "+first+"\n"+rest, "\n   ", "\n")
		}
	}
	if len(files) != 3 {
		t.Fatalf("the document has %d files", len(files))
	}
	dir := t.TempDir()
	text := strings.ReplaceAll(files["odyssey.yaml"], "/run/secrets/", dir+"/")
	for _, name := range []string{"gitea-token", "webhook-secret", "git-credentials", "odoo-subscription", "odyssey.yaml"} {
		content := "something-secret\n"
		if name == "odyssey.yaml" {
			content = text
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, err := config.LoadServing(filepath.Join(dir, "odyssey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	repos, err := lock.Parse("repos.yaml", []byte(files["repos.yaml"]), gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := config.ParseRepo(".odyssey.yaml", []byte(files[".odyssey.yaml"]))
	if err != nil || !policy.Enterprise.Enabled {
		t.Fatalf("%+v, %v", policy.Enterprise, err)
	}
	mirror, d := server.Enterprise[0], repos.Find(policy.Enterprise.Destination)
	if d == nil || d.Remotes[0].URL != server.Forges[0].URL+"/"+mirror.Mirror+".git" || d.Merges[0].Ref != mirror.Branch {
		t.Errorf("the three do not fit: %+v, %+v", mirror, d)
	}
	if mirror.Code.Reveal() != "something-secret" || server.Forges[0].Repositories[1] != mirror.Mirror {
		t.Errorf("the mirror is %+v, watched are %q", mirror, server.Forges[0].Repositories)
	}
}
