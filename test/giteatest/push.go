package giteatest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Commit is one commit to be pushed.
type Commit struct {
	Branch  string          // it is made on top of this branch, or of From where there is none
	From    string          // branch or commit; "" for the repository's default branch
	Files   map[string]File // new content by path
	Message string
	Author  string // "Name <email>"; the pusher's own by default
	Amend   bool   // replaces the branch's newest commit, as a forced push does
	Orphan  bool   // has no parent: the branch begins anew
}

// File is a file's new content. The zero Mode is a plain file.
type File struct {
	Content string
	Mode    string // "100644", "100755", "120000" (symbolic link to Content); "delete"
}

// Push makes the commits with the git command, pushes them as user in one
// go to repo ("owner/name"), and returns their object ids. Commits on the
// same branch follow one another.
func (s *Server) Push(ctx context.Context, as User, repo string, commits ...Commit) ([]string, error) {
	dir, err := os.MkdirTemp("", "giteatest-push-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	g := pusher{dir: dir, as: as, url: s.URL + "/" + repo + ".git"}
	if _, err := g.git(ctx, nil, "init", "--quiet", "--bare", "--initial-branch=none", "."); err != nil {
		return nil, err
	}
	if _, err := g.git(ctx, nil, "fetch", "--quiet", g.url, "+refs/heads/*:refs/heads/*", "+HEAD:refs/default"); err != nil {
		if _, empty := g.git(ctx, nil, "fetch", "--quiet", g.url, "+refs/heads/*:refs/heads/*"); empty != nil {
			return nil, err
		}
	}
	var heads, refspecs []string
	for _, c := range commits {
		head, err := g.commit(ctx, c)
		if err != nil {
			return nil, err
		}
		heads = append(heads, head)
		refspecs = append(refspecs, "+refs/heads/"+c.Branch)
	}
	slices.Sort(refspecs)
	_, err = g.git(ctx, nil, append([]string{"push", "--quiet", g.url}, slices.Compact(refspecs)...)...)
	return heads, err
}

// DeleteBranch deletes a branch as user.
func (s *Server) DeleteBranch(ctx context.Context, as User, repo, branch string) error {
	g := pusher{dir: os.TempDir(), as: as, url: s.URL + "/" + repo + ".git"}
	dir, err := os.MkdirTemp("", "giteatest-push-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g.dir = dir
	if _, err := g.git(ctx, nil, "init", "--quiet", "--bare", "."); err != nil {
		return err
	}
	_, err = g.git(ctx, nil, "push", "--quiet", g.url, ":refs/heads/"+branch)
	return err
}

// pusher is a bare repository that a user pushes from.
type pusher struct {
	dir, url string
	as       User
}

// commit makes a commit by git fast-import, which needs no work tree, and
// returns its object id.
func (g pusher) commit(ctx context.Context, c Commit) (string, error) {
	author := c.Author
	if author == "" {
		author = fmt.Sprintf("%s <%s>", g.as.Login, g.as.Email)
	}
	var in bytes.Buffer
	fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter %s now\ndata %d\n%s\n", c.Branch, author, len(c.Message), c.Message)
	if c.Orphan { // fast-import goes on from the branch otherwise
		in.Reset()
		fmt.Fprintf(&in, "reset refs/heads/%s\ncommit refs/heads/%s\ncommitter %s now\ndata %d\n%s\n", c.Branch, c.Branch, author, len(c.Message), c.Message)
	} else if parent, err := g.parent(ctx, c); err == nil {
		fmt.Fprintf(&in, "from %s\n", parent)
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		file := c.Files[path]
		switch file.Mode {
		case "delete":
			fmt.Fprintf(&in, "D %s\n", path)
			continue
		case "":
			file.Mode = "100644"
		}
		fmt.Fprintf(&in, "M %s inline %s\ndata %d\n%s\n", file.Mode, path, len(file.Content), file.Content)
	}
	if _, err := g.git(ctx, &in, "fast-import", "--quiet", "--force", "--date-format=now"); err != nil {
		return "", err
	}
	return g.git(ctx, nil, "rev-parse", "refs/heads/"+c.Branch)
}

// parent resolves what a commit is made on top of.
func (g pusher) parent(ctx context.Context, c Commit) (string, error) {
	branch := "refs/heads/" + c.Branch
	if c.Amend {
		return g.git(ctx, nil, "rev-parse", "--verify", branch+"^")
	}
	if head, err := g.git(ctx, nil, "rev-parse", "--verify", branch); err == nil {
		return head, nil
	}
	from := c.From
	if from == "" {
		from = "refs/default"
	}
	return g.git(ctx, nil, "rev-parse", "--verify", from+"^{commit}")
}

// git runs the git command apart from any configuration of the machine; the
// token goes by the environment.
func (g pusher) git(ctx context.Context, in *bytes.Buffer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = g.dir
	basic := base64.StdEncoding.EncodeToString([]byte(g.as.Login + ":" + g.as.Token))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Basic " + basic,
	}
	if in != nil {
		cmd.Stdin = in
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
