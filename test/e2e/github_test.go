package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/world"
)

// hub is a GitHub, which is held to GitHub's own description of itself, with a
// derived-image repository, the bot's App, and upstreams elsewhere.
type hub struct {
	*githubtest.Server
	t      *testing.T
	app    *githubtest.App
	image  forge.Name
	human  forgetest.Human // the repository's owner
	odoo   *gitserver.Repo
	tools  *gitserver.Repo
	git    *gitserver.Server
	owner  *github.Forge // to look at the repository
	dir    string
	binary string
	addr   string // of webhooks
}

const hubSecret = "a-secret-of-the-github-tests"

func newHub(t *testing.T) *hub {
	t.Helper()
	t.Parallel()
	h := &hub{
		Server: githubtest.New(t, githubtest.Options{}), t: t, git: gitserver.New(t), dir: t.TempDir(),
		image: forge.Name{Owner: "acme", Name: "odoo-image"},
	}
	var err error
	h.binary, err = binary()
	must(t, err)
	h.addr, err = world.FreeAddress()
	must(t, err)
	token := h.AddUser("acme")
	h.AddRepo(h.image)
	h.human = h.As("acme", h.image)
	h.app = h.AddApp("odyssey", nil)
	h.app.Install("acme", h.image)
	h.app.SetHook("http://"+h.addr+"/webhooks/github", hubSecret)
	h.owner, err = github.New(github.Options{API: h.URL, Token: secret.New(token)})
	must(t, err)
	h.odoo, h.tools = h.git.Repo(t, "odoo"), h.git.Repo(t, "server-tools")
	h.odoo.Commit(t, "17.0", map[string]string{"odoo/release.py": "1\n"})
	h.odoo.Add(t, gitserver.Commit{Branch: hotfix, Parents: []string{"refs/heads/17.0"}, Files: map[string]string{"stock.py": "1\n"}})
	h.tools.Commit(t, "17.0", map[string]string{"base_exception/__manifest__.py": "{}\n"})
	repos := fmt.Sprintf(`./odoo:
  remotes:
    odoo: %[1]s
    acme: %[1]s
  target: odoo 17.0
  merges:
    - odoo 17.0
    - acme 17.0-hotfix-stock
./oca/server-tools:
  remotes:
    oca: %[2]s
  merges:
    - oca 17.0
`, h.odoo.URL, h.tools.URL)
	h.push("Declare the sources", map[string]string{"repos.yaml": repos, "repos.lock.yaml": h.lock(repos)})
	return h
}

// push commits as the owner, to main.
func (h *hub) push(message string, files map[string]string) {
	h.t.Helper()
	c := forgetest.Commit{Branch: "main", Message: message, Files: map[string]forgetest.File{}}
	for path, content := range files {
		c.Files[path] = forgetest.File{Content: content}
	}
	h.human.Push(h.t, c)
}

// lock makes the lock of a repos.yaml, by the program.
func (h *hub) lock(repos string) string {
	h.t.Helper()
	dir := h.t.TempDir()
	must(h.t, os.WriteFile(filepath.Join(dir, "repos.yaml"), []byte(repos), 0o600))
	cmd := exec.Command(h.binary, "lock-repos")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("lock-repos: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "repos.lock.yaml"))
	must(h.t, err)
	return string(text)
}

// grow puts a commit on the hotfix branch upstream.
func (h *hub) grow(text string) (head string) {
	h.t.Helper()
	return h.odoo.Add(h.t, gitserver.Commit{Branch: hotfix, Message: text, Files: map[string]string{"stock.py": text + "\n"}})[0]
}

// config writes the bot's configuration, with more lines at its end.
func (h *hub) config(more string) string {
	h.t.Helper()
	dir := h.t.TempDir()
	for name, content := range map[string]string{
		"key.pem": string(h.app.Key), "hook": hubSecret + "\n",
		"odyssey.yaml": fmt.Sprintf(`version: 1
forges:
  - kind: github
    apiURL: %s
    appID: %d
    privateKeyFile: key.pem
    webhookSecretFile: hook
    repositories: [%s]
git:
  allow: [%s]
onboarding: false
store: %s
%s`, h.URL, h.app.ID, h.image, h.git.URL, filepath.Join(h.dir, "odyssey.db"), more),
	} {
		must(h.t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return filepath.Join(dir, "odyssey.yaml")
}

// run runs odyssey-bot run, which must do "GROUP ACTION" each.
func (h *hub) run(want ...string) {
	h.t.Helper()
	cmd := exec.Command(h.binary, "run", "--json", "--config", h.config(""))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("run: %v\n%s", err, &stderr)
	}
	var outcomes []bot.Outcome
	must(h.t, json.Unmarshal(stdout.Bytes(), &outcomes))
	var got []string
	for _, o := range outcomes {
		got = append(got, strings.TrimSpace(o.Group+" "+string(o.Action)))
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("run: got %q, want %q\n%+v", got, want, outcomes)
	}
}

// serve starts the bot where the App's events go. It ends with the test.
func (h *hub) serve() *world.Server {
	h.t.Helper()
	status, err := world.FreeAddress()
	must(h.t, err)
	config := h.config(fmt.Sprintf("listen: %s\nstatusListen: %s\nsweep: 1m\n", h.addr, status))
	s, err := world.StartProgram(h.t.Context(), h.binary, config, h.addr, status)
	if s != nil {
		h.t.Cleanup(func() {
			s.Kill()
			if h.t.Failed() {
				h.t.Logf("odyssey-bot serve said:\n%s", s.Log())
			}
			for _, canary := range []string{hubSecret, strings.Split(string(h.app.Key), "\n")[1], "ghs_"} {
				if strings.Contains(s.Log(), canary) {
					h.t.Errorf("the log has %q in it", canary)
				}
			}
		})
	}
	must(h.t, err)
	return s
}

func (h *hub) repo() forge.Repo {
	h.t.Helper()
	repo, err := h.owner.Repo(h.t.Context(), h.image)
	must(h.t, err)
	return repo
}

func (h *hub) open() []forge.PullRequest {
	h.t.Helper()
	open, err := h.owner.OpenPullRequests(h.t.Context(), h.repo())
	must(h.t, err)
	return open
}

// one returns the only open pull request.
func (h *hub) one() forge.PullRequest {
	h.t.Helper()
	open := h.open()
	if len(open) != 1 {
		h.t.Fatalf("%d pull requests are open, want 1", len(open))
	}
	return open[0]
}

// locked reads the lock on a branch.
func (h *hub) locked(branch string) string {
	h.t.Helper()
	text, err := h.owner.File(h.t.Context(), h.repo(), branch, "repos.lock.yaml")
	must(h.t, err)
	return string(text)
}

// isWrite reports whether a request changes something that can be seen.
func isWrite(r githubtest.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.Path, "/access_tokens")
}

// writes lists what the bot wrote since the last call, reactions apart.
func (h *hub) writes() (writes []string) {
	for _, r := range h.Requests() {
		if r.As == h.app.Login() && isWrite(r) && !strings.HasSuffix(r.Path, "/reactions") {
			writes = append(writes, r.Method+" "+r.Path)
		}
	}
	return writes
}

func (h *hub) eventually(what func() string) {
	h.t.Helper()
	eventually(h.t, what)
}

// ends waits for the bot's last reaction to a comment.
func (h *hub) ends(comment int64, r forge.Reaction) {
	h.t.Helper()
	want := h.app.Login() + " " + string(r)
	h.eventually(func() string {
		if got := h.human.Reactions(h.t, comment); !slices.Contains(got, want) {
			return fmt.Sprintf("the reactions are %v, without %q", got, want)
		}
		return ""
	})
}

// replies are what the bot said on an issue or pull request.
func (h *hub) replies(number int64) (texts []string) {
	h.t.Helper()
	all, err := h.owner.Comments(h.t.Context(), h.repo(), number)
	must(h.t, err)
	for _, c := range all {
		if c.Author == h.app.Login() {
			texts = append(texts, c.Body)
		}
	}
	return texts
}

// The merge refresh, as an App: opened, left alone, updated in place, and done
// when it is merged. The commits are GitHub's own, so that it shows them as
// verified.
func TestGitHub_mergeRefresh(t *testing.T) {
	h := newHub(t)
	h.run("idle")
	first := h.grow("[FIX] stock: one")
	h.run("./odoo opened")
	pr := h.one()
	if pr.Title != "Refresh `./odoo`: acme 17.0-hotfix-stock +1 commit" || pr.Head != "odyssey/merge/odoo" || pr.Author != h.app.Login() {
		t.Errorf("%+v", pr)
	}
	if lock := h.locked(pr.Head); !strings.Contains(lock, "  - acme "+first+"\n") {
		t.Errorf("the lock is\n%s", lock)
	}
	h.Requests()
	h.run("./odoo unchanged")
	if calls := h.Requests(); len(calls) > 14 || slices.ContainsFunc(calls, isWrite) {
		t.Errorf("nothing is new, and the bot makes %d calls: %+v", len(calls), calls)
	}
	second := h.grow("[FIX] stock: two")
	h.run("./odoo updated")
	if again := h.one(); again.Number != pr.Number || !strings.Contains(h.locked(pr.Head), second) {
		t.Errorf("%+v", again)
	}
	h.human.Merge(t, pr.Number)
	h.run("idle")
	if lock := h.locked("main"); !strings.Contains(lock, second) {
		t.Errorf("the lock is\n%s", lock)
	}
}

// A writer's command, told by a webhook of the App's.
func TestGitHub_command(t *testing.T) {
	h := newHub(t)
	h.serve()
	issue := h.human.OpenIssue(t, "Talk to the bot", "Hello.")
	head := h.grow("[FIX] stock: one")
	said := h.human.Comment(t, issue, "Let us have it.\n\n/refresh ./odoo\n")
	h.ends(said, forge.Seen)
	h.ends(said, forge.Done)
	if pr := h.one(); !strings.Contains(h.locked(pr.Head), head) {
		t.Errorf("%+v", pr)
	}
	if got := h.human.Reactions(t, said); !slices.Equal(got, []string{h.app.Login() + " eyes", h.app.Login() + " rocket"}) && !slices.Equal(got, []string{h.app.Login() + " rocket"}) {
		t.Errorf("reactions %v", got)
	}
	if replies := h.replies(issue); len(replies) > 1 {
		t.Errorf("the bot says %q", replies)
	}
}
