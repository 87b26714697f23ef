package scaffolds_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/pytools"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/standin"
)

// scene is a derived-image repository on a forge, as far as git goes, and a
// machine that runs its workflows by act.
type scene struct {
	forge, dir, temp string
	hosted           *gitserver.Repo // where dir is pushed to
	registry         *registrytest.Daemon
	env              []string
}

// secrets of the repository, and the token of a run.
const (
	upstreamPassword = "canary-upstream"
	runToken         = "canary-token"
	registryToken    = "canary-registry"
)

// programs are act and this project's, in one directory.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, build := range []*exec.Cmd{
		exec.Command("go", "build", "-o", bin, "github.com/nuobit/odyssey/cmd/odyssey-bot", "github.com/nuobit/odyssey/cmd/odoo-build-image"),
		exec.Command("go", "build", "-C", "../tools/act", "-o", bin, "github.com/nektos/act"),
	} {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return bin
}

// newScene scaffolds a repository whose one source is a private repository with
// the stand-in for Odoo, and pushes it to a server that asks for the run's token.
func newScene(t *testing.T, bin, forge string, environ []string) *scene {
	t.Helper()
	home := t.TempDir()
	registry, err := registrytest.StartDaemon(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Stop)
	s := &scene{forge: forge, dir: filepath.Join(home, "odoo-image"), temp: filepath.Join(home, "temp"), registry: registry}
	if err := os.Mkdir(s.temp, 0o755); err != nil {
		t.Fatal(err)
	}
	upstream, server := gitserver.New(t), gitserver.New(t)
	odoo := upstream.Repo(t, "odoo")
	odoo.Add(t, standin.Commit(standin.Series))
	upstream.RequirePassword("ann", upstreamPassword)
	s.hosted = server.Repo(t, "acme/odoo-image")
	s.hosted.Git(t, "config", "http.receivepack", "true")
	server.RequirePassword("token", runToken)

	s.write(t, "credentials", "http://ann:"+upstreamPassword+"@"+upstream.Host()+"\n")
	s.write(t, "secrets", "GITHUB_TOKEN="+runToken+"\nGIT_CREDENTIALS=http://ann:"+upstreamPassword+"@"+upstream.Host()+
		"\nREGISTRY_USER=bob\nREGISTRY_TOKEN="+registryToken+"\n")
	s.write(t, "event.json", `{"repository": {"default_branch": "17.0"}}`)
	// act takes every forge for one that speaks TLS.
	s.write(t, "gitconfig", "[user]\nname = Ann\nemail = ann@example.com\n[url \""+server.URL+"/\"]\ninsteadOf = https://"+server.Host()+"/\n")
	s.env = append(append(os.Environ(), environ...), "HOME="+home, "GIT_CONFIG_GLOBAL="+filepath.Join(s.temp, "gitconfig"),
		"PATH="+strings.Join([]string{bin, filepath.Dir(pytools.UV(t)), os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"XDG_CACHE_HOME="+filepath.Join(home, "cache"), "ODOO_SRC="+filepath.Join(home, "src"), "ODOO_VENV="+filepath.Join(home, "venv"),
		"ODOO_ADDONS_PATH_FILE="+filepath.Join(home, "addons_path"))

	runtime := s.registry.Host + "/nuobit/oci-odoo:17.0-py310-trixie-r0001"
	runtime += "@" + registrytest.Push(t, runtime, registrytest.Base{Labels: map[string]string{"io.github.nuobit.odyssey.python": pythonMinor(t)}})
	s.must(t, "git", "init", "--quiet", "--initial-branch=17.0", s.dir)
	s.must(t, "git", "remote", "add", "origin", s.hosted.URL)
	s.must(t, "odyssey-bot", "scaffold", "derived-image", "--series", standin.Series, "--forge", forge,
		"--builder-image", "ghcr.io/nuobit/oci-odoo-builder:17.0-py310-trixie-r0001@sha256:"+strings.Repeat("1", 64),
		"--runtime-image", runtime, "--image", s.registry.Host+"/acme/odoo", s.dir)
	s.edit(t, "repos.yaml", "https://github.com/odoo/odoo.git", odoo.URL)
	s.publish(t)
	return s
}

func (s *scene) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.temp, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) edit(t *testing.T, name, old, text string) {
	t.Helper()
	file := filepath.Join(s.dir, name)
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

// publish commits all, and brings it to the server.
func (s *scene) publish(t *testing.T) {
	t.Helper()
	s.must(t, "git", "add", "--all")
	s.must(t, "git", "commit", "--quiet", "--message", "change")
	s.must(t, "git", "push", "--quiet", s.hosted.Dir, "17.0")
}

// call runs a program in the repository and returns what it said.
func (s *scene) call(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "env", append([]string{name}, args...)...) // by the PATH of its own
	cmd.Env = s.env
	if info, err := os.Stat(s.dir); err == nil && info.IsDir() {
		cmd.Dir = s.dir
	}
	out, err := cmd.CombinedOutput()
	for _, secret := range []string{upstreamPassword, runToken, registryToken, signingPassword} {
		if bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s %q shows %s:\n%s", name, args, secret, out)
		}
	}
	return string(out), err
}

func (s *scene) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := s.call(t, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(out)
}

// act runs a workflow on this machine.
func (s *scene) act(t *testing.T, event, workflow string, more ...string) (string, error) {
	t.Helper()
	label := map[string]string{"github": "ubuntu-24.04", "gitea": "ubuntu-latest"}[s.forge]
	return s.call(t, "act", append(more, event, "--workflows", "."+s.forge+"/workflows/"+workflow, "--platform", label+"=-self-hosted",
		"--var", "ODYSSEY_ON_HOST=true", "--var", "LANGUAGES=ca,es", "--secret-file", filepath.Join(s.temp, "secrets"), "--eventpath", filepath.Join(s.temp, "event.json"),
		"--github-instance", strings.TrimPrefix(strings.TrimSuffix(s.hosted.URL, "/acme/odoo-image.git"), "http://"))...)
}

// red has the check fail at a step. (act sometimes loses what the step said last.)
func (s *scene) red(t *testing.T, step string) {
	t.Helper()
	if out, err := s.act(t, "pull_request", "check.yml"); err == nil || !strings.Contains(out, "Failure - Main "+step+" ") {
		t.Errorf("%s: the check does not fail at %q: %v\n%s", s.forge, step, err, out)
	}
}

// A scaffolded repository with a private upstream becomes one whose check is
// green, by what its README tells and its workflows do; what is not locked or
// pinned makes it red.
func TestWorkflows_run(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	environ := installCosign(t, bin)
	checkFlags(t, bin)
	for _, forge := range []string{"github", "gitea"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, bin, forge, environ)
			s.red(t, "Check the lock")

			s.must(t, "odyssey-bot", "lock-repos", "--git-credentials", filepath.Join(s.temp, "credentials"))
			s.publish(t)
			s.red(t, "Build")

			s.refresh(t)
			out, err := s.act(t, "pull_request", "check.yml")
			if err != nil || !strings.Contains(out, "Odoo Server 17.0") {
				t.Errorf("%s: check: %v\n%s", forge, err, out)
			}

			s.release(t)

			s.edit(t, "Dockerfile.source-build", "@sha256:1111", ":latest#")
			s.publish(t)
			s.red(t, "Take them from the Dockerfiles")
		})
	}
}

// pythonMinor is the version of python3, such as 3.11.
func pythonMinor(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// release runs the release workflow three times: the second time and the third there is nothing new but signatures.
// An environment stays where it is made, and that is not /opt here.
func (s *scene) release(t *testing.T) {
	t.Helper()
	s.edit(t, "."+s.forge+"/workflows/release.yml", "odoo-build-image pack ", `odoo-build-image pack --image-venv "$ODOO_VENV" `)
	s.publish(t)
	tagged := s.registry.Host + "/acme/odoo:17.0-py310-trixie-r0001@sha256:"
	out, err := s.act(t, "push", "release.yml")
	at := strings.Index(out, tagged)
	if err != nil || at < 0 {
		t.Fatalf("%s: release: %v\n%s", s.forge, err, out)
	}
	image := out[at : at+len(tagged)+64]
	s.signed(t, image)
	answer, err := http.Get("http://" + s.registry.Host + "/v2/acme/odoo/tags/list")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	tags, err := io.ReadAll(answer.Body)
	// The others are cosign's, and the list of what hangs on the image.
	if want := `"17.0-py310-trixie-r`; err != nil || strings.Count(string(tags), want) != 1 {
		t.Errorf("%s: the registry has %s, %v", s.forge, tags, err)
	}
}

var (
	subcommandRE = regexp.MustCompile(`^[a-z][a-z-]+$`)
	flagRE       = regexp.MustCompile(`(?:^|[ +])(--[a-z-]+)`)
)

// checkFlags checks that the programs have the commands and flags that the
// workflows call them with, those that do not run here among them.
func checkFlags(t *testing.T, bin string) {
	t.Helper()
	for _, file := range workflows(t) {
		for _, call := range calls(readWorkflow(t, file)) {
			words := strings.Fields(strings.ReplaceAll(call, `"`, ""))
			args := []string{"--help"}
			if subcommandRE.MatchString(words[1]) {
				args = []string{words[1], "--help"}
			}
			out, err := exec.Command(filepath.Join(bin, words[0]), args...).CombinedOutput()
			if err != nil || len(args) == 2 && !bytes.Contains(out, []byte(" "+words[1]+" ")) {
				t.Errorf("%s: there is no command %s %s: %v", file, words[0], words[1], err)
			}
			for _, flag := range flagRE.FindAllStringSubmatch(call, -1) {
				if !bytes.Contains(out, []byte(flag[1]+" ")) {
					t.Errorf("%s: %s %s has no flag %s", file, words[0], words[1], flag[1])
				}
			}
		}
	}
}

// refresh makes the Python lock: on Gitea by the workflow, which pushes it to a
// branch; that for GitHub needs actions that only GitHub has.
func (s *scene) refresh(t *testing.T) {
	t.Helper()
	s.refuseBranches(t)
	if s.forge == "gitea" {
		if out, err := s.act(t, "workflow_dispatch", "python-lock.yml"); err != nil {
			t.Fatalf("Python lock: %v\n%s", err, out)
		}
		if files := s.hosted.Git(t, "diff", "--name-only", "17.0", "python-lock-1"); files != "requirements.lock.txt" {
			t.Errorf("the branch changes %q", files)
		}
		s.handIn(t, "python-lock-1")
		s.must(t, "git", "pull", "--quiet", s.hosted.Dir, "python-lock-1")
	} else {
		s.must(t, "odoo-build-image", "--git-credentials", filepath.Join(s.temp, "credentials"), "--refresh-requirements-lock",
			"-r", "requirements.in", "repos.lock.yaml", "requirements.lock.txt")
	}
	lock, err := os.ReadFile(filepath.Join(s.dir, "requirements.lock.txt"))
	if err != nil || !bytes.Contains(lock, []byte("--hash=sha256:")) {
		t.Errorf("the lock: %v\n%s", err, lock)
	}
	if s.must(t, "git", "status", "--porcelain") != "" {
		s.publish(t)
	}
}

// dispatch runs the workflow as the bot does.
func (s *scene) dispatch(t *testing.T, branch string) (string, error) {
	t.Helper()
	event, err := json.Marshal(map[string]any{"repository": map[string]string{"default_branch": "17.0"}, "inputs": map[string]string{"branch": branch}})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(s.temp, "event.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "event.json", string(event))
	defer s.write(t, "event.json", string(before))
	return s.act(t, "workflow_dispatch", "python-lock.yml")
}

// refuseBranches names branches that are not the bot's: nothing is run or pushed.
func (s *scene) refuseBranches(t *testing.T) {
	t.Helper()
	before := s.hosted.Git(t, "for-each-ref")
	for _, branch := range []string{"17.0", "odyssey/python-lock/$(touch x)", "--all; touch x #"} {
		out, err := s.dispatch(t, branch)
		if err == nil || !strings.Contains(out, "leave it empty") {
			t.Errorf("%s: the branch %q is taken: %v\n%s", s.forge, branch, err, out)
		}
	}
	if after := s.hosted.Git(t, "for-each-ref"); after != before {
		t.Errorf("%s: pushed:\n%s\n%s", s.forge, before, after)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "x")); err == nil {
		t.Errorf("%s: a branch's name was run", s.forge)
	}
}

// handIn has the workflow hand in the lock as the bot wants it: by a branch that
// does not exist, of which it makes the same as without, and no other.
func (s *scene) handIn(t *testing.T, same string) {
	t.Helper()
	branch := "odyssey/python-lock/" + strings.Repeat("5e", 16)
	if out, err := s.dispatch(t, branch); err != nil {
		t.Fatalf("Python lock: %v\n%s", err, out)
	}
	if diff := s.hosted.Git(t, "diff", same, branch); diff != "" {
		t.Errorf("the branch differs:\n%s", diff)
	}
	s.hosted.Git(t, "branch", "--force", branch, "17.0")
	out, err := s.dispatch(t, branch)
	if err == nil || s.hosted.Git(t, "diff", "17.0", branch) != "" {
		t.Errorf("a branch that exists is pushed to: %v\n%s", err, out)
	}
}
