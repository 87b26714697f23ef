package scaffolds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/test/setup"
)

// workflows are the scaffold's, for each forge.
func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("derived-image/.*/workflows/*.yml")
	if err != nil || len(files) != 6 {
		t.Fatalf("workflows: %v, %v", files, err)
	}
	return files
}

func TestWorkflows_actionlint(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", append([]string{"tool", "-modfile=../tools/actionlint/go.mod", "actionlint", "-shellcheck=", "-pyflakes=", "-no-color"}, workflows(t)...)...)
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

// workflow is what the tests read of one.
type workflow struct {
	Name string
	Jobs map[string]struct {
		RunsOn    string `yaml:"runs-on"`
		Container string
		Steps     []struct {
			Uses, Run string
			Env       map[string]string
		}
	}
}

func readWorkflow(t *testing.T, file string) workflow {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// Both sets do the same; that for Gitea and Forgejo without any action of others,
// as the builder image has no Node.js to run one.
func TestWorkflows_same(t *testing.T) {
	t.Parallel()
	for _, file := range workflows(t) {
		if !strings.Contains(file, ".github/") {
			continue
		}
		github, gitea := readWorkflow(t, file), readWorkflow(t, strings.Replace(file, ".github/", ".gitea/", 1))
		if github.Name != gitea.Name {
			t.Errorf("%s: %q and %q", file, github.Name, gitea.Name)
		}
		ours, theirs := calls(github), calls(gitea)
		if !slices.Equal(ours, theirs) || len(ours) == 0 {
			t.Errorf("%s calls\n%s\nand for Gitea\n%s", file, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		}
		for name, job := range gitea.Jobs {
			for _, step := range job.Steps {
				if step.Uses != "" {
					t.Errorf("%s: job %s uses %s", gitea.Name, name, step.Uses)
				}
			}
		}
	}
}

var (
	continuedRE = regexp.MustCompile(`\\\n\s*`)
	// callRE finds a call of a program of this project in a line of a script.
	callRE = regexp.MustCompile(`(?:odyssey-bot|odoo-build-image)"? .+`)
)

// calls are the words of all calls of programs of this project, sorted.
func calls(w workflow) (all []string) {
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			all = append(all, callRE.FindAllString(continuedRE.ReplaceAllString(step.Run, ""), -1)...)
		}
	}
	slices.Sort(all)
	return all
}

// No value that somebody else chooses is written into a script, and what builds
// packages of others has no secret.
func TestWorkflows_secrets(t *testing.T) {
	t.Parallel()
	for _, file := range workflows(t) {
		for name, job := range readWorkflow(t, file).Jobs {
			for _, step := range job.Steps {
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: a script of job %s has an expression in it", file, name)
				}
				builds := strings.Contains(step.Run, "requirements.lock.txt") && strings.Contains(step.Run, "odoo-build-image ")
				for key, value := range step.Env {
					if builds && strings.Contains(value, "secrets.") {
						t.Errorf("%s: job %s builds with %s", file, name, key)
					}
				}
			}
		}
	}
}

// No workflow goes on with an image that is not pinned, nor with the scaffold's
// zeros, which are of no image.
func TestWorkflows_pins(t *testing.T) {
	t.Parallel()
	good, zeros := "@sha256:"+strings.Repeat("5e", 32), "@sha256:"+strings.Repeat("0", 64)
	for _, file := range workflows(t) {
		script := ""
		for _, step := range readWorkflow(t, file).Jobs["pins"].Steps {
			if strings.Contains(step.Run, "ODOO_BUILDER_IMAGE") {
				script = step.Run
			}
		}
		images := []string{"Dockerfile.source-build", "Dockerfile"}
		if !strings.HasSuffix(file, "release.yml") {
			images = images[:1]
		}
		if out, err := pins(t, script, map[string]string{"": good}); err != nil || strings.Count(out, good) != len(images) {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
		for _, image := range images {
			for _, wrong := range []string{"", zeros} {
				out, err := pins(t, script, map[string]string{"": good, image: wrong})
				if want := "::error file=" + image + "::pin ODOO_"; err == nil || !strings.Contains(out, want) {
					t.Errorf("%s takes %q in %s: %v\n%s", file, wrong, image, err, out)
				}
			}
		}
	}
}

// pins runs the script of the job pins, and returns what it prints and hands on.
// The Dockerfiles have the given digests, that of "" where there is no other.
func pins(t *testing.T, script string, digests map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile", "Dockerfile.source-build", "system-runtime-packages.txt"} {
		data, err := os.ReadFile(filepath.Join("derived-image", name))
		if err != nil {
			t.Fatal(err)
		}
		digest, ok := digests[name]
		if !ok {
			digest = digests[""]
		}
		text := strings.ReplaceAll(string(data), "@sha256:"+strings.Repeat("0", 64), digest)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := filepath.Join(dir, "output")
	cmd := exec.Command("bash", "-e", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GITHUB_OUTPUT="+output)
	printed, err := cmd.CombinedOutput()
	handed, readErr := os.ReadFile(output)
	if readErr != nil {
		t.Error(readErr)
	}
	return string(printed) + string(handed), err
}
