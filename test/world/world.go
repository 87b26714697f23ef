// Package world makes what the end-to-end tests and the demo need on a real
// Gitea: upstream repositories, a derived-image repository that aggregates
// them, the bot's account and configuration, and the odyssey-bot program.
package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/test/giteatest"
)

// World is one set of accounts and repositories on a server. Several worlds
// share a server; their names begin with different prefixes.
type World struct {
	Server   *giteatest.Server
	Owner    giteatest.User // of the derived-image repository
	Bot      giteatest.User
	Upstream giteatest.User // of the upstream repositories
	Image    string         // "OWNER/NAME" of the derived-image repository
	Dir      string         // scratch
	Binary   string         // odyssey-bot

	// ForgeURL is how the bot reaches the forge; a test may put a proxy there.
	ForgeURL string
	// AllowURL is a further address, such as a proxy's, where the bot may ask
	// upstreams; or "".
	AllowURL string
	// Environ is appended to the bot's environment when it runs once.
	Environ []string
	// Onboarding has repositories without an .odyssey.yaml be asked for one.
	Onboarding bool
	// Credentials names a credential-store file for private upstreams, or "".
	Credentials string
	// More is added to the configuration of Run.
	More string
}

// New makes the accounts and an empty derived-image repository.
func New(ctx context.Context, server *giteatest.Server, binary, dir, prefix string) (*World, error) {
	w := &World{Server: server, Dir: dir, Binary: binary, ForgeURL: server.URL}
	for login, user := range map[string]*giteatest.User{"acme": &w.Owner, "odyssey": &w.Bot, "oca": &w.Upstream} {
		made, err := server.NewUser(ctx, prefix+login)
		if err != nil {
			return nil, err
		}
		*user = made
	}
	if err := w.restrictBot(ctx); err != nil {
		return nil, err
	}
	w.Image = w.Owner.Login + "/odoo-image"
	if err := server.NewRepo(ctx, w.Owner, "odoo-image", giteatest.RepoOptions{}); err != nil {
		return nil, err
	}
	return w, server.AddCollaborator(ctx, w.Owner, w.Image, w.Bot)
}

// restrictBot gives the bot a token with the scopes that the README names.
func (w *World) restrictBot(ctx context.Context) (err error) {
	w.Bot.Token, err = w.Server.NewToken(ctx, w.Bot, "odyssey", "write:repository", "write:issue", "read:user")
	return err
}

// Build compiles odyssey-bot into dir, with build tags ("failpoint"), and
// returns its path.
func Build(ctx context.Context, dir string, tags ...string) (string, error) {
	binary := filepath.Join(dir, "odyssey-bot")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "-tags", strings.Join(tags, ","), "github.com/nuobit/odyssey/cmd/odyssey-bot")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build odyssey-bot: %w: %s", err, out)
	}
	return binary, nil
}

// NewUpstream makes an empty upstream repository.
func (w *World) NewUpstream(ctx context.Context, name string) error {
	return w.Server.NewRepo(ctx, w.Upstream, name, giteatest.RepoOptions{Empty: true})
}

// URL is the clone URL of an upstream repository.
func (w *World) URL(name string) string {
	return w.Server.URL + "/" + w.Upstream.Login + "/" + name + ".git"
}

// Subject is one upstream commit to make.
type Subject struct{ Author, Text string }

// Grow puts commits on a branch of an upstream repository and returns its new
// head. Each commit changes a file of its own, which no other branch changes, in
// the addon that its subject names.
func (w *World) Grow(ctx context.Context, name, branch string, subjects ...Subject) (string, error) {
	return w.Fork(ctx, name, "", branch, subjects...)
}

// Fork is Grow for a branch that begins at another one, from.
func (w *World) Fork(ctx context.Context, name, from, branch string, subjects ...Subject) (string, error) {
	var commits []giteatest.Commit
	for _, s := range subjects {
		commits = append(commits, giteatest.Commit{
			Branch: branch, From: from, Message: s.Text, Author: s.Author,
			Files: s.files(name, branch, len(commits)),
		})
	}
	heads, err := w.Server.Push(ctx, w.Upstream, w.Upstream.Login+"/"+name, commits...)
	if err != nil {
		return "", err
	}
	return heads[len(heads)-1], nil
}

// CommitUpstream puts files on a branch of an upstream repository, and returns
// its new head.
func (w *World) CommitUpstream(ctx context.Context, name, branch, message string, files map[string]string) (string, error) {
	c := giteatest.Commit{Branch: branch, Message: message, Files: map[string]giteatest.File{}}
	for path, content := range files {
		c.Files[path] = giteatest.File{Content: content}
	}
	heads, err := w.Server.Push(ctx, w.Upstream, w.Upstream.Login+"/"+name, c)
	if err != nil {
		return "", err
	}
	return heads[0], nil
}

// Commit puts files on the derived-image repository's default branch as its
// owner, and returns the commit.
func (w *World) Commit(ctx context.Context, message string, files map[string]string) (string, error) {
	c := giteatest.Commit{Branch: "main", Message: message, Files: map[string]giteatest.File{}}
	for path, content := range files {
		c.Files[path] = giteatest.File{Content: content}
	}
	heads, err := w.Server.Push(ctx, w.Owner, w.Image, c)
	if err != nil {
		return "", err
	}
	return heads[0], nil
}

// File reads a file of the derived-image repository at a ref.
func (w *World) File(ctx context.Context, ref, path string) (string, error) {
	var file struct{ Content []byte }
	err := w.API(ctx, http.MethodGet, "/contents/"+path+"?ref="+ref, nil, &file)
	return string(file.Content), err
}

// Lock runs lock-repos, the program, on a repos.yaml and an existing lock (or
// ""), and returns the lock it writes.
func (w *World) Lock(ctx context.Context, repos, locked string, args ...string) (string, error) {
	dir, err := os.MkdirTemp(w.Dir, "lock-")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "repos.yaml"), []byte(repos), 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "repos.lock.yaml")
	if locked != "" {
		if err := os.WriteFile(path, []byte(locked), 0o600); err != nil {
			return "", err
		}
	}
	if w.Credentials != "" {
		args = append(args, "--git-credentials", w.Credentials)
	}
	cmd := exec.CommandContext(ctx, w.Binary, append([]string{"lock-repos"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("lock-repos: %w: %s", err, out)
	}
	data, err := os.ReadFile(path)
	return string(data), err
}

// Config writes the bot's configuration and returns its path.
func (w *World) Config() (string, error) {
	token := filepath.Join(w.Dir, "token")
	if err := os.WriteFile(token, []byte(w.Bot.Token+"\n"), 0o600); err != nil {
		return "", err
	}
	text := fmt.Sprintf(`version: 1
forges:
  - kind: gitea
    url: %s
    tokenFile: token
    repositories: [%s]
onboarding: %t
git:
  allow: [%s]
`, w.ForgeURL, w.Image, w.Onboarding, strings.TrimSuffix(w.Server.URL+", "+w.AllowURL, ", "))
	if w.Credentials != "" {
		text += "  credentialsFile: " + w.Credentials + "\n"
	}
	text += w.More
	path := filepath.Join(w.Dir, "odyssey.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Run runs odyssey-bot run, the program, and returns the outcomes and what it
// printed to stderr.
func (w *World) Run(ctx context.Context, args ...string) ([]bot.Outcome, string, error) {
	config, err := w.Config()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, w.Binary, append([]string{"run", "--json", "--config", config, "--state", filepath.Join(w.Dir, "state")}, args...)...)
	cmd.Env = append(os.Environ(), w.Environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var outcomes []bot.Outcome
	if bad := json.Unmarshal(stdout.Bytes(), &outcomes); bad != nil && err == nil {
		err = bad
	}
	return outcomes, stderr.String(), err
}

// PullRequest is a pull request as Gitea's API has it.
type PullRequest struct {
	Number int64  `json:"number"`
	URL    string `json:"html_url"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	State  string `json:"state"`
	Merged bool   `json:"merged"`
	Head   struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	} `json:"head"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
}

// PullRequests lists the pull requests of the derived-image repository in a
// state ("open", "closed", "all"), oldest first.
func (w *World) PullRequests(ctx context.Context, state string) ([]PullRequest, error) {
	var prs []PullRequest
	err := w.API(ctx, http.MethodGet, "/pulls?limit=50&sort=oldest&state="+state, nil, &prs)
	return prs, err
}

// API calls Gitea's API about the derived-image repository as its owner; path
// starts behind /repos/OWNER/NAME.
func (w *World) API(ctx context.Context, method, path string, in, out any) error {
	return w.Server.API(ctx, w.Owner, method, "/repos/"+w.Image+path, in, out)
}

// Diff returns the changes of a pull request as a unified diff.
func (w *World) Diff(ctx context.Context, number int64) (string, error) {
	url := fmt.Sprintf("%s/api/v1/repos/%s/pulls/%d.diff", w.Server.URL, w.Image, number)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "token "+w.Owner.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return string(data), err
}
