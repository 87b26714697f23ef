package chain

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/standin"
	"github.com/nuobit/odyssey/test/world"
)

// versions of the module acme_base, in the order of their commits.
var versions = []string{"17.0.1.0.0", "17.0.1.1.0"}

// grant makes the private upstream and the deployment repository, and gives each
// token what it is for.
func (s *stage) grant(ctx context.Context) {
	s.t.Helper()
	s.must(s.NewUpstream(ctx, "odoo"))
	s.must(s.Server.NewRepo(ctx, s.Upstream, "addons", giteatest.RepoOptions{Empty: true, Private: true}))
	for _, user := range []giteatest.User{s.Bot, s.Owner} {
		s.must(s.Server.AddCollaborator(ctx, s.Upstream, s.Upstream.Login+"/addons", user))
	}
	s.deployment = s.Owner.Login + "/odoo-deployment"
	s.must(s.Server.NewRepo(ctx, s.Owner, "odoo-deployment", giteatest.RepoOptions{Empty: true}))

	for name, scope := range map[string]string{"GITHUB_TOKEN": "read:repository", "REGISTRY_TOKEN": "write:package"} {
		token, err := s.Server.NewToken(ctx, s.Owner, name, scope)
		s.must(err)
		s.tokens[name] = token
	}
	reader, err := s.Server.NewToken(ctx, s.Owner, "reader", "read:repository")
	s.must(err)
	s.tokens["GIT_CREDENTIALS"] = reader
	s.tokens["DEPLOYMENT_TOKEN"] = s.Bot.Token

	s.secrets = s.t.TempDir()
	credentials := (&url.URL{Scheme: "http", User: url.UserPassword(s.Owner.Login, reader), Host: s.host()}).String() + "\n"
	text := "REGISTRY_USER=" + s.Owner.Login + "\n"
	for name, token := range s.tokens {
		if name == "GIT_CREDENTIALS" {
			token = strings.TrimSpace(credentials)
		}
		text += name + "=" + token + "\n"
	}
	for name, content := range map[string]string{
		"secrets": text, "git-credentials": credentials, "event.json": `{"repository": {"default_branch": "main"}}`,
	} {
		s.must(os.WriteFile(filepath.Join(s.secrets, name), []byte(content), 0o600))
	}
	s.Credentials = filepath.Join(s.secrets, "git-credentials")
}

// publish commits a version of the module to the private upstream, and returns
// the commit.
func (s *stage) publish(version string) string {
	s.t.Helper()
	heads, err := s.Server.Push(s.t.Context(), s.Upstream, s.Upstream.Login+"/addons", giteatest.Commit{
		Branch: standin.Series, Message: "[IMP] acme_base: " + version, Files: map[string]giteatest.File{
			"acme_base/__init__.py":     {},
			"acme_base/__manifest__.py": {Content: "{'name': 'Acme', 'version': '" + version + "', 'depends': ['web'], 'license': 'LGPL-3'}\n"},
		},
	})
	s.must(err)
	return heads[0]
}

// scaffold fills the derived-image repository and the deployment repository as
// their owners would.
func (s *stage) scaffold() {
	s.t.Helper()
	ctx := s.t.Context()
	odoo := giteatest.Commit{Branch: standin.Series, Message: "[ADD] base: the beginning", Files: map[string]giteatest.File{}}
	for path, content := range standin.Files() {
		odoo.Files[path] = giteatest.File{Content: content, Mode: standin.Modes()[path]}
	}
	_, err := s.Server.Push(ctx, s.Upstream, s.Upstream.Login+"/odoo", odoo)
	s.must(err)
	s.publish(versions[0])

	files := s.scaffolded("derived-image", "--series", standin.Series, "--forge", "gitea", "--branch", "main",
		"--builder-image", s.builder, "--runtime-image", s.runtime, "--image", s.repository())
	files["repos.yaml"] = fmt.Sprintf("./odoo:\n  remotes:\n    odoo: %s\n  target: odoo 17.0\n  merges:\n    - odoo 17.0\n\n"+
		"./acme/addons:\n  remotes:\n    acme: %s\n  target: acme 17.0\n  merges:\n    - acme 17.0\n", s.URL("odoo"), s.URL("addons"))
	files[".odyssey.yaml"] += "deployments:\n  - repository: " + s.deployment + "\n"
	files["requirements.in"] = "psycopg2-binary==2.9.13\n"
	if files["repos.lock.yaml"], err = s.Lock(ctx, files["repos.yaml"], ""); err != nil {
		s.t.Fatal(err)
	}
	files["requirements.lock.txt"] = s.pythonLock(files)
	_, err = s.Commit(ctx, "Begin", files)
	s.must(err)

	files = s.scaffolded("deployment", "--kind", "k8s", "--host", "odoo.example.com", "--image", s.repository()+":17.0-py313-trixie-r0000@sha256:"+strings.Repeat("0", 64))
	s.must(s.push(s.Owner, s.deployment, "Begin", files))
	s.must(s.Server.AddCollaborator(ctx, s.Owner, s.deployment, s.Bot))
}

func (s *stage) push(as giteatest.User, repo, message string, files map[string]string) error {
	c := giteatest.Commit{Branch: "main", Message: message, Files: map[string]giteatest.File{}}
	for path, content := range files {
		c.Files[path] = giteatest.File{Content: content}
	}
	_, err := s.Server.Push(s.t.Context(), as, repo, c)
	return err
}

// repository is where releases are pushed to.
func (s *stage) repository() string { return s.host() + "/" + s.Owner.Login + "/odoo" }

// scaffolded are the files of a new repository.
func (s *stage) scaffolded(kind string, args ...string) map[string]string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), kind)
	cmd := exec.CommandContext(s.t.Context(), s.Binary, append(append([]string{"scaffold", kind}, args...), dir)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("scaffold %s: %v\n%s", kind, err, out)
	}
	files := map[string]string{}
	s.must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return files
}

// refresh has the bot run, and merges the one pull request that it opens, which
// is to a commit.
func (s *stage) refresh(commit string) {
	s.t.Helper()
	outcomes, said, err := s.Run(s.t.Context())
	if err != nil {
		s.t.Fatalf("run: %v\n%s", err, said)
	}
	s.secret(said)
	open, err := s.PullRequests(s.t.Context(), "open")
	s.must(err)
	if len(open) != 1 || !strings.Contains(open[0].Body, commit) {
		s.t.Fatalf("%+v: the bot has opened %+v", outcomes, open)
	}
	s.merge(s.Image, open[0].Number)
}

// merge merges a pull request as soon as the forge has found that it can be.
func (s *stage) merge(repo string, number int64) {
	s.t.Helper()
	path := fmt.Sprintf("/repos/%s/pulls/%d/merge", repo, number)
	var err error
	for range 300 {
		if err = s.Server.API(s.t.Context(), s.Owner, http.MethodPost, path, map[string]string{"Do": "merge"}, nil); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.must(err)
}

// proposals are the pull requests of the deployment repository.
func (s *stage) proposals(state string) (prs []world.PullRequest) {
	s.t.Helper()
	s.must(s.Server.API(s.t.Context(), s.Owner, http.MethodGet, "/repos/"+s.deployment+"/pulls?limit=50&state="+state, nil, &prs))
	return prs
}

// one is the only pull request of the deployment repository. It carries an image.
func (s *stage) one(image string) world.PullRequest {
	s.t.Helper()
	all := s.proposals("all")
	if len(all) != 1 || all[0].State != "open" {
		s.t.Fatalf("%s: the proposals are %+v", s.title, all)
	}
	tag, _, _ := strings.Cut(strings.TrimPrefix(image, s.repository()+":"), "@")
	if all[0].Title != "Deploy "+tag {
		s.t.Errorf("the proposal is called %q, and the tag is %s", all[0].Title, tag)
	}
	for _, got := range s.deployed(all[0].Head.Ref) {
		if got != image {
			s.t.Errorf("%s: the proposal has %s, and the image is %s", s.title, got, image)
		}
	}
	return all[0]
}
