package scaffolds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/deploy"
	"github.com/nuobit/odyssey/internal/scaffold"
	"github.com/nuobit/odyssey/test/deployment"
)

// The configuration that the release workflow writes for bump-deployment is one
// that the bot takes, for each forge.
func TestWorkflows_bump(t *testing.T) {
	t.Parallel()
	for forge, url := range map[scaffold.Forge]string{
		scaffold.GitHub: "https://github.com", scaffold.Gitea: "https://git.example.com", scaffold.Forgejo: "https://git.example.com",
	} {
		dir := t.TempDir()
		files, err := scaffold.Render(scaffold.DerivedImage, &scaffold.Values{Series: "18.0", Forge: forge})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if filepath.Base(f.Path) == "release.yml" {
				if err := os.WriteFile(filepath.Join(dir, "release.yml"), f.Content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		steps := readWorkflow(t, filepath.Join(dir, "release.yml")).Jobs["bump"].Steps
		script := steps[len(steps)-1].Run
		_, script, found := strings.Cut(script, "cat >")
		script, _, ended := strings.Cut(script, "\nodyssey-bot")
		if !found || !ended {
			t.Fatalf("%s: the step writes no configuration:\n%s", forge, script)
		}
		cmd := exec.Command("bash", "-euc", `printf 'canary-token\n' >"$DOCKER_CONFIG/token"; cat >`+script)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DOCKER_CONFIG=" + dir, "GITHUB_SERVER_URL=" + url, "GITHUB_REPOSITORY=acme/odoo-image"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := os.Chmod(filepath.Join(dir, "token"), 0o600); err != nil {
			t.Fatal(err)
		}
		server, err := config.LoadServer(filepath.Join(dir, "odyssey.yaml"))
		if err != nil || len(server.Forges) != 1 || server.Forges[0].Kind != string(forge) {
			t.Errorf("%s: %v, %+v", forge, err, server.Forges)
		}
	}
}

// bump-deployment finds the image wherever a deployment scaffold names it: then
// all containers run the new one.
func TestDeployment_bump(t *testing.T) {
	t.Parallel()
	const image = "registry.example.com/acme/odoo:18.0-py312-trixie-r0002@sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
	to, err := deploy.ParseImage(image)
	if err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		dir := filepath.Join(t.TempDir(), kind)
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("deployment", kind))); err != nil {
			t.Fatal(err)
		}
		paths, err := deploy.Paths(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		paths = deploy.Select(paths, nil)
		files := map[string][]byte{}
		for _, p := range paths {
			if files[p], err = os.ReadFile(filepath.Join(dir, p)); err != nil {
				t.Fatal(err)
			}
		}
		_, changes, err := deploy.Bump{To: to}.Files(files, paths)
		if err != nil || len(changes) == 0 {
			t.Fatalf("%s: %d changes, %v", kind, len(changes), err)
		}
		for _, c := range changes {
			if err := os.WriteFile(filepath.Join(dir, c.Path), c.New, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range deployment.Odoo(t, kind, dir) {
			if c.Image != image {
				t.Errorf("%s runs %s", c.Name, c.Image)
			}
		}
	}
}
