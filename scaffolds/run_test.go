package scaffolds_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/pytools"
	"github.com/nuobit/odyssey/test/standin"
)

// The place of a run: a derived-image repository, the programs, and what the
// runner of a forge gives to a job.
type runner struct {
	dir, temp string
	env       []string
	secrets   map[string]string
	outputs   map[string]string // JOB.NAME
}

// newRunner scaffolds a derived-image repository whose one source is a private
// repository with the stand-in for Odoo. Bin has this project's programs.
func newRunner(t *testing.T, bin, forge string) *runner {
	t.Helper()
	home := t.TempDir()
	r := &runner{dir: filepath.Join(home, "odoo-image"), temp: filepath.Join(home, "temp"), outputs: map[string]string{}}
	if err := os.Mkdir(r.temp, 0o755); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(),
		"PATH="+strings.Join([]string{bin, filepath.Dir(pytools.UV(t)), os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"XDG_CACHE_HOME="+filepath.Join(home, "cache"), "ODOO_SRC="+filepath.Join(home, "src"), "ODOO_VENV="+filepath.Join(home, "venv"),
		"ODOO_ADDONS_PATH_FILE="+filepath.Join(home, "addons_path"), "RUNNER_TEMP="+r.temp,
		"GITHUB_OUTPUT="+filepath.Join(r.temp, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.temp, "summary"),
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	srv := gitserver.New(t)
	odoo := srv.Repo(t, "odoo")
	odoo.Add(t, standin.Commit(standin.Series))
	srv.RequirePassword("ann", "s3cret")
	r.secrets = map[string]string{"GIT_CREDENTIALS": "http://ann:s3cret@" + srv.Host()}

	digest := "@sha256:" + strings.Repeat("1", 64)
	r.must(t, "git", "init", "--quiet", "--initial-branch=17.0", r.dir)
	r.must(t, "odyssey-bot", "scaffold", "derived-image", "--series", standin.Series, "--forge", forge,
		"--builder-image", "ghcr.io/nuobit/oci-odoo-builder:17.0-py310-trixie-r0001"+digest,
		"--runtime-image", "ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0001"+digest, r.dir)
	r.edit(t, "repos.yaml", "https://github.com/odoo/odoo.git", odoo.URL)
	r.commit(t)
	return r
}

func (r *runner) edit(t *testing.T, name, old, text string) {
	t.Helper()
	file := filepath.Join(r.dir, name)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %q", name, old)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(data, []byte(old), []byte(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *runner) commit(t *testing.T) {
	t.Helper()
	r.must(t, "git", "add", "--all")
	r.must(t, "git", "commit", "--quiet", "--message", "change")
}

func (r *runner) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "env", append([]string{name}, args...)...) // by the PATH of its own
	cmd.Env = r.env
	if info, err := os.Stat(r.dir); err == nil && info.IsDir() {
		cmd.Dir = r.dir
	}
	return cmd
}

func (r *runner) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := r.command(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

var expressionRE = regexp.MustCompile(`^\$\{\{ ([a-z]+)\.([A-Za-z_.]+) \}\}$`)

// value is the value of an expression in the env of a step.
func (r *runner) value(t *testing.T, text string) string {
	t.Helper()
	found := expressionRE.FindStringSubmatch(text)
	switch {
	case found == nil && strings.Contains(text, "${{"):
		t.Fatalf("the test does not know what %s is", text)
	case found == nil:
		return text
	case found[1] == "secrets":
		return r.secrets[found[2]]
	case found[1] == "needs":
		return r.outputs[strings.Replace(found[2], ".outputs.", ".", 1)]
	case found[1] == "github" && found[2] == "token":
		return "token-of-the-run"
	}
	t.Fatalf("the test does not know what %s is", text)
	return ""
}

// run runs the scripts of a job, until the first that fails. Actions of others are
// left out; there is a checkout already. It returns what they said.
func (r *runner) run(t *testing.T, w workflow, job string) (string, error) {
	t.Helper()
	var said bytes.Buffer
	sha := r.must(t, "git", "rev-parse", "HEAD")
	if len(w.Jobs[job].Steps) == 0 {
		t.Fatalf("%s has no job %s", w.Name, job)
	}
	for _, step := range w.Jobs[job].Steps {
		if step.Run == "" {
			continue
		}
		cmd := r.command(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Env = append(cmd.Env, "GITHUB_SHA="+sha)
		for key, value := range step.Env {
			cmd.Env = append(cmd.Env, key+"="+r.value(t, value))
		}
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			return said.String(), err
		}
	}
	output, err := os.ReadFile(filepath.Join(r.temp, "output"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.outputs[job+"."+name] = value
	}
	return said.String(), nil
}

// A scaffolded repository becomes one whose check is green, by the commands that
// its README and its workflows tell, with a private upstream; and what is not
// locked makes it red.
func TestWorkflows_run(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "github.com/nuobit/odyssey/cmd/odyssey-bot", "github.com/nuobit/odyssey/cmd/odoo-build-image")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, forge := range []string{"github", "gitea"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, bin, forge)
			check := readWorkflow(t, filepath.Join(r.dir, "."+forge, "workflows", "check.yml"))
			refresh := readWorkflow(t, filepath.Join(r.dir, "."+forge, "workflows", "python-lock.yml"))
			if out, err := r.run(t, check, "build"); err == nil || !strings.Contains(out, "repos.lock.yaml disagrees with repos.yaml") {
				t.Errorf("without a lock the check says %v\n%s", err, out)
			}
			credentials := filepath.Join(r.temp, "mine")
			if err := os.WriteFile(credentials, []byte(r.secrets["GIT_CREDENTIALS"]+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.must(t, "odyssey-bot", "lock-repos", "--git-credentials", credentials)
			r.commit(t)
			if out, err := r.run(t, check, "build"); err == nil || !strings.Contains(out, "--refresh-requirements-lock") {
				t.Errorf("without a Python lock the check says %v\n%s", err, out)
			}
			job := map[string]string{"github": "resolve", "gitea": "refresh"}[forge]
			steps := refresh.Jobs[job].Steps
			if forge == "gitea" { // the last one pushes to the forge, which there is none of here
				kept := refresh.Jobs[job]
				kept.Steps = steps[:len(steps)-1]
				refresh.Jobs[job] = kept
			}
			if out, err := r.run(t, refresh, job); err != nil {
				t.Fatalf("refresh: %v\n%s", err, out)
			}
			lock, err := os.ReadFile(filepath.Join(r.dir, "requirements.lock.txt"))
			if err != nil || !bytes.Contains(lock, []byte("--hash=sha256:")) {
				t.Errorf("the lock: %v\n%s", err, lock)
			}
			r.commit(t)
			r.green(t, check)
		})
	}
}

// green runs both jobs of the check, which must pass, and looks for secrets.
func (r *runner) green(t *testing.T, check workflow) {
	t.Helper()
	if out, err := r.run(t, check, "pins"); err != nil || !strings.HasPrefix(r.outputs["pins.builder"], "ghcr.io/nuobit/oci-odoo-builder:17.0") {
		t.Errorf("pins: %v, %v\n%s", err, r.outputs, out)
	}
	out, err := r.run(t, check, "build")
	if err != nil || !strings.Contains(out, "Odoo Server 17.0") {
		t.Errorf("check: %v\n%s", err, out)
	}
	if strings.Contains(out, "s3cret") {
		t.Errorf("the check shows the credentials:\n%s", out)
	}
	if left, err := filepath.Glob(filepath.Join(r.temp, "*credentials*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	r.edit(t, "Dockerfile.source-build", "@sha256:1111", ":latest#")
	if out, err := r.run(t, check, "pins"); err == nil || !strings.Contains(out, "pin ODOO_BUILDER_IMAGE") {
		t.Errorf("a builder that is not pinned: %v\n%s", err, out)
	}
}
