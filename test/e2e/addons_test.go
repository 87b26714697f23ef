package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/world"
)

// wrong are addons of a repository beside Odoo's, each with something that keeps it
// from working there.
func wrong() map[string]string {
	return map[string]string{
		"stock/__manifest__.py":          "{'name': 'Stock, again', 'version': '17.0.1.0.0', 'depends': ['base']}\n",
		"base_exception/__manifest__.py": "{'name': 'Exceptions', 'version': '17.0.1.0.1', 'depends': ['base', 'base_nowhere']}\n",
		"cloud/__manifest__.py":          "{'name': 'Cloud', 'version': '17.0.1.0.0', 'depends': ['base'], 'external_dependencies': {'python': ['boto3>=1.26', 'urllib3']}}\n",
		"older/__manifest__.py":          "{'name': 'Older', 'version': '16.0.2.1.0', 'depends': ['base']}\n",
		"broken/__manifest__.py":         "{'name': 'Broken', 'depends': [base]\n",
	}
}

// said waits for what the bot says of a commit under a name.
func (s *stage) said(commit, name string) (state, text string) {
	s.t.Helper()
	s.eventually(func() string {
		var all []struct{ Context, Status, Description string }
		s.api(http.MethodGet, "/commits/"+commit+"/statuses?sort=recentupdate", nil, &all)
		for _, one := range all {
			if one.Context == name {
				state, text = one.Status, one.Description
				return ""
			}
		}
		return fmt.Sprintf("there is no status %q beside %s: %+v", name, commit, all)
	})
	return state, text
}

// Addons that would not work together are told in the text, and by a status beside
// the commit that fails; when upstream has mended them, it passes.
func TestAddonChecks(t *testing.T) {
	s := newStage(t)
	s.commit("Lock Python", map[string]string{"requirements.lock.txt": "urllib3==1.26.18 --hash=sha256:" + strings.Repeat("0", 64) + "\n"})
	_, err := s.CommitUpstream(t.Context(), "server-tools", "17.0", "[ADD] cloud, older, broken: new addons", wrong())
	must(t, err)
	s.wantRun("./oca/server-tools opened")
	pr := s.one()
	golden(t, "testdata/addons-wrong.md", pr.Title+"\n\n"+anonymous(s, pr.Body))
	if state, text := s.said(pr.Head.SHA, "odyssey/addons"); state != "failure" || text != "This brings 5 problems of addons" {
		t.Errorf("the status is %s, %q", state, text)
	}
	s.wantRun("./oca/server-tools unchanged")

	mended := wrong()
	mended["base_exception/__manifest__.py"] = "{'name': 'Exceptions', 'version': '17.0.1.0.1', 'depends': ['base']}\n"
	mended["cloud/__manifest__.py"] = "{'name': 'Cloud', 'version': '17.0.1.0.0', 'depends': ['base'], 'external_dependencies': {'python': ['urllib3']}}\n"
	mended["older/__manifest__.py"] = "{'name': 'Older', 'version': '17.0.2.1.0', 'depends': ['base']}\n"
	mended["broken/__manifest__.py"] = "{'name': 'Mended', 'depends': ['base']}\n"
	delete(mended, "stock/__manifest__.py")
	commit := giteatest.Commit{Branch: "17.0", Message: "[FIX] all: mend", Files: map[string]giteatest.File{"stock/__manifest__.py": {Mode: "delete"}}}
	for path, content := range mended {
		commit.Files[path] = giteatest.File{Content: content}
	}
	_, err = s.Server.Push(t.Context(), s.Upstream, s.Upstream.Login+"/server-tools", commit)
	must(t, err)
	s.wantRun("./oca/server-tools updated")
	pr = s.one()
	if state, text := s.said(pr.Head.SHA, "odyssey/addons"); state != "success" {
		t.Errorf("when all is mended the status is %s, %q\n%s", state, text, pr.Body)
	}
}

// GitHub has checks: the same stands there, with the problems in its summary.
func TestGitHub_addonChecks(t *testing.T) {
	h := newHub(t)
	h.push("Lock Python", map[string]string{"requirements.lock.txt": "urllib3==1.26.18 --hash=sha256:" + strings.Repeat("0", 64) + "\n"})
	h.serve()
	h.last("neutral", "Nothing to do")
	h.tools.Add(t, gitserver.Commit{Branch: "17.0", Message: "[ADD] cloud, older, broken: new addons", Files: wrong()})
	h.Rerequest("acme", h.image, false)
	h.eventually(func() string {
		for _, c := range h.Checks(h.image) {
			if c.Name != "odyssey/addons" {
				continue
			}
			if c.Conclusion != "failure" || c.Status != "completed" || !strings.Contains(c.Summary, "`boto3") || !strings.Contains(c.Summary, "depends on `base_nowhere`, which is nowhere") || !strings.HasPrefix(c.Title, "This brings ") {
				return fmt.Sprintf("the check run is %+v", c)
			}
			if at := h.head("odyssey/merge/oca+server-tools"); c.Head != at {
				return fmt.Sprintf("it stands beside %s, and the branch is at %s", c.Head, at)
			}
			return ""
		}
		return "there is no check run of the addons"
	})
}

// A release's workflow stands in a checkout of the repository, whose .odyssey.yaml
// says where the image runs.
func TestDeploy_declared(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	s.AllowURL = "http://" + registry.Host
	old := s.release(registry, "1")
	must(t, s.Server.NewRepo(t.Context(), s.Owner, "deployment", giteatest.RepoOptions{}))
	deployment := *s.World
	deployment.Image = s.Owner.Login + "/deployment"
	must(t, s.Server.AddCollaborator(t.Context(), s.Owner, deployment.Image, s.Bot))
	at := &stage{World: &deployment, t: t, proxy: s.proxy}
	named := fmt.Sprintf(kustomized, old.name, old.tag, old.digest)
	at.commit("Deploy", map[string]string{overlay: named, "overlays/staging/kustomization.yaml": named, "elsewhere.yaml": "image: " + old.String() + "\n"})
	s.commit("Say where it runs", map[string]string{".odyssey.yaml": fmt.Sprintf(`deployments:
  - repository: %s
    instances:
      - {name: staging, files: ["overlays/staging/**"]}
      - {name: production, files: ["overlays/production/**"]}
`, deployment.Image)})
	next := s.release(registry, "2")

	checkout := t.TempDir()
	must(t, os.WriteFile(filepath.Join(checkout, ".odyssey.yaml"), []byte(s.file("main", ".odyssey.yaml")), 0o600))
	config, err := s.Config()
	must(t, err)
	config, err = filepath.Abs(config)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), s.Binary, "bump-deployment", "--config", config, "--image", next.String())
	cmd.Dir = checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	open := at.pullRequests("open")
	if len(open) != 2 {
		t.Fatalf("%d pull requests are open, want one for each instance", len(open))
	}
	for _, pr := range open {
		instance := "production"
		if strings.Contains(pr.Head.Ref, "staging") {
			instance = "staging"
		}
		diff := at.diff(pr.Number)
		if !strings.Contains(diff, "overlays/"+instance+"/kustomization.yaml") || strings.Contains(diff, "elsewhere.yaml") || strings.Count(diff, "\n+++ ") != 1 || !strings.Contains(diff, next.digest) {
			t.Errorf("%s changes\n%s", pr.Title, diff)
		}
	}
}

// A server makes the refreshes of base images and of the Python lock as well: when a
// comment asks, and when the default branch has changed.
func TestServe_otherKinds(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	s.AllowURL = "http://" + registry.Host
	pin := func(tag string) string {
		return foundation(t, registry, "oci-odoo", "17.0-py310-trixie-r"+tag, "3.10.19", strings.Repeat("1", 40))
	}
	s.commit("Pin the foundation", map[string]string{
		"Dockerfile": "FROM " + pin("0001") + "\n", "requirements.lock.txt": "", ".odyssey.yaml": "base: {schedule: never}\npython: {schedule: never}\n",
	})
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	pin("0002")
	k.ends(k.say(s.Owner, "/refresh base"), "rocket")
	pr := s.one()
	if pr.Head.Ref != "odyssey/base" || !strings.Contains(pr.Title, "r0002") {
		t.Fatalf("%s: %s", pr.Head.Ref, pr.Title)
	}
	// No operator of this bot has Python locks resolved, and it says so.
	asked := k.say(s.Owner, "/refresh python")
	k.ends(asked, "rocket")
	said := k.replies()
	if len(said) == 0 || !strings.Contains(said[len(said)-1].Body, "python.local") {
		t.Errorf("the bot says %+v", said)
	}

	pin("0003")
	s.commit("Say something", map[string]string{"README.md": "# Something\n"})
	s.eventually(func() string {
		if pr := s.one(); !strings.Contains(pr.Title, "r0003") {
			return "a push does not move the pull request: " + pr.Title + "\n" + server.Log()
		}
		return ""
	})
}
