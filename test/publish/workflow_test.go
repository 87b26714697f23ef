package publish

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/test/setup"
)

const root = "../.."

// workflows are this repository's.
func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("workflows: %v, %v", files, err)
	}
	return files
}

func TestWorkflows_actionlint(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", append([]string{"tool", "-modfile=" + root + "/tools/actionlint/go.mod", "actionlint", "-shellcheck=", "-pyflakes=", "-no-color"}, workflows(t)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}

func TestWorkflows_zizmor(t *testing.T) {
	t.Parallel()
	dir, err := setup.Part("zizmor", "zizmor")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "bin", "zizmor"), append([]string{"--offline", "--persona", "pedantic", "--no-progress"}, workflows(t)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("zizmor: %v\n%s", err, out)
	}
}

var (
	// action is one by its commit, with the version that this is.
	action = regexp.MustCompile(`^\S+@[0-9a-f]{40} # v[0-9.]+$`)
	script = regexp.MustCompile(`images/[a-z]+\.sh (\w+)`)
	target = regexp.MustCompile(`\bmake ([a-z-]+)`)
)

// An action is pinned, the same version is the same commit everywhere, no value
// that somebody else chooses is written into a script, and what a script calls is
// there.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	publish, err := os.ReadFile(root + "/images/publish.sh")
	if err != nil {
		t.Fatal(err)
	}
	scaffolds, err := filepath.Glob(root + "/scaffolds/derived-image/.github/workflows/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	commits := map[string]string{}
	for _, file := range append(workflows(t), scaffolds...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			_, uses, found := strings.Cut(strings.TrimSpace(line), "uses: ")
			if !found {
				continue
			}
			name, rest, _ := strings.Cut(uses, "@")
			commit, version, _ := strings.Cut(rest, " # ")
			if known := commits[name+" "+version]; !action.MatchString(uses) || known != "" && known != commit {
				t.Errorf("%s: %s; elsewhere it is %s", file, uses, known)
			}
			commits[name+" "+version] = commit
		}
	}
	for _, file := range workflows(t) {
		for _, run := range scripts(t, file) {
			if strings.Contains(run, "${{") {
				t.Errorf("%s: a script has an expression in it: %s", file, run)
			}
			for _, m := range target.FindAllStringSubmatch(run, -1) {
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s: there is no make %s", file, m[1])
				}
			}
			for _, m := range script.FindAllStringSubmatch(run, -1) {
				if !strings.Contains(string(publish), "\n"+m[1]+"() {") {
					t.Errorf("%s: there is no %s", file, m[0])
				}
			}
		}
	}
}

// scripts are those that a workflow runs.
func scripts(t *testing.T, file string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			all = append(all, step.Run)
		}
	}
	return all
}
