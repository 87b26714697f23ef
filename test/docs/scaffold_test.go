package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/deployment"
	"github.com/nuobit/odyssey/test/world"
)

// The commands that README.md begins with make what it says.
func TestScaffold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bot, err := world.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(read(t, "../../README.md"), "## Begin a repository\n")
	for line := range strings.Lines(block(t, section, "\n")) {
		words := strings.Fields(line)
		if words[0] != "odyssey-bot" {
			t.Fatalf("another command: %s", line)
		}
		cmd := exec.Command(bot, words[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	if all := deployment.Odoo(t, "k8s", filepath.Join(dir, "odoo-deployment")); len(all) != 6 {
		t.Errorf("there are %d containers", len(all))
	}
	if _, err := os.Stat(filepath.Join(dir, "odoo-image", "repos.yaml")); err != nil {
		t.Error(err)
	}
}

var fileRE = regexp.MustCompile("`([^`/ ]+)`")

// The table of a derived image's README names every file that is there for
// somebody to change, and none that is not.
func TestScaffold_files(t *testing.T) {
	t.Parallel()
	const scaffold = "../../scaffolds/derived-image"
	named := map[string]bool{"README.md": true, ".gitignore": true, ".dockerignore": true, ".github": true, ".gitea": true}
	for line := range strings.Lines(read(t, scaffold+"/README.md")) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, name := range fileRE.FindAllStringSubmatch(cell, -1) {
			named[name[1]] = true
		}
	}
	entries, err := os.ReadDir(scaffold)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !named[e.Name()] {
			t.Errorf("the README does not tell of %s", e.Name())
		}
		delete(named, e.Name())
	}
	for name := range named {
		t.Errorf("the README tells of %s, which is not there", name)
	}
}
