package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Local is a repository on this machine: with a work tree, which an operator
// named, or a bare one of the program's own. Its own configuration counts, but for
// hooks, credentials and monitors; no other does.
type Local struct {
	c        *Client
	dir, git string
	bare     bool
}

// ErrNoLocal is of a directory that is no work tree of git's.
var ErrNoLocal = errors.New("is no git work tree")

// OpenLocal opens the work tree whose top is dir. The error satisfies
// errors.Is(err, ErrNoLocal) when there is no .git in it.
func (c *Client) OpenLocal(ctx context.Context, dir string) (*Local, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git")); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s %w", dir, ErrNoLocal)
	}
	l := &Local{c: c, dir: dir, git: filepath.Join(dir, ".git")}
	l.git, err = l.Line(ctx, "rev-parse", "--absolute-git-dir")
	return l, err
}

// Command is a run of git in a Local.
type Command struct {
	Args   []string
	Config map[string]string // settings for this run
	GitDir string            // another repository; empty: the work tree's own
	Stdin  io.Reader
	Stdout io.Writer
}

// Run runs git.
func (l *Local) Run(ctx context.Context, c Command) error {
	t := target{}
	// The work tree's files are the repository's, byte for byte.
	t.settings = append(t.settings, setting{"core.autocrlf", "false"}, setting{"core.attributesFile", "/dev/null"})
	for key, value := range c.Config {
		t.settings = append(t.settings, setting{key, value})
	}
	cmd := l.c.git(ctx, t, c.Args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout = l.dir, c.Stdin, c.Stdout
	switch {
	case c.GitDir != "":
		cmd.Env = append(cmd.Env, "GIT_DIR="+c.GitDir)
	case l.bare:
		cmd.Env = append(cmd.Env, "GIT_DIR="+l.git)
	default:
		cmd.Env = append(cmd.Env, "GIT_DIR="+l.git, "GIT_WORK_TREE="+l.dir)
	}
	return cmd.run()
}

// Line runs git and returns what it printed, trimmed.
func (l *Local) Line(ctx context.Context, args ...string) (string, error) {
	out := &bounded{}
	if err := l.Run(ctx, Command{Args: args, Stdout: out}); err != nil {
		return "", err
	}
	if out.full {
		return "", errTooMuch
	}
	return strings.TrimSpace(string(out.data)), nil
}

// Files calls yield for each file of a commit or tree, below paths if there are
// any, in git's order.
func (l *Local) Files(ctx context.Context, tree, gitDir string, paths []string, yield func(Entry)) error {
	var broken error
	count := 0
	args := append([]string{"ls-tree", "-r", "-z", "--full-tree", tree, "--"}, paths...)
	out := &splitter{end: 0, most: maxListing, yield: func(record string) {
		e, err := parseEntry(record)
		if count++; err == nil && count > maxEntries {
			err = errTooLarge
		}
		if broken == nil {
			broken = err
		}
		if broken == nil {
			yield(e)
		}
	}}
	err := l.Run(ctx, Command{Args: args, Stdout: out, GitDir: gitDir, Config: map[string]string{"core.quotePath": "false"}})
	return errors.Join(err, broken)
}

// Blob returns a file that has no more than most bytes.
func (l *Local) Blob(ctx context.Context, id string, most int) ([]byte, error) {
	var out capped
	out.most = most
	err := l.Run(ctx, Command{Args: []string{"cat-file", "blob", id}, Stdout: &out})
	if out.over {
		return nil, fmt.Errorf("blob %s has more than %d KiB", id, most>>10)
	}
	return out.data, err
}

// capped keeps what is written to it, unless it is more than most bytes.
type capped struct {
	data []byte
	most int
	over bool
}

func (l *capped) Write(p []byte) (int, error) {
	if l.over = l.over || len(l.data)+len(p) > l.most; !l.over {
		l.data = append(l.data, p...)
	}
	return len(p), nil
}

// GitDir is the repository's directory.
func (l *Local) GitDir() string { return l.git }

// Dir is the work tree's directory, absolute.
func (l *Local) Dir() string { return l.dir }

// When is when a commit was made, by its committer's clock.
func (l *Local) When(ctx context.Context, commit string) (time.Time, error) {
	text, err := l.Line(ctx, "show", "-s", "--format=%ct", commit)
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// Blobs returns the contents of blobs, in the order of ids, of 64 MiB at most
// together.
func (l *Local) Blobs(ctx context.Context, ids []string) ([][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out := &bounded{}
	in := strings.NewReader(strings.Join(ids, "\n") + "\n")
	if err := l.Run(ctx, Command{Args: []string{"cat-file", "--batch"}, Stdin: in, Stdout: out}); err != nil {
		return nil, err
	}
	var all [][]byte
	rest := out.data
	for _, id := range ids {
		head, _, ok := strings.Cut(string(rest[:min(len(rest), 200)]), "\n")
		words := strings.Fields(head)
		if !ok || len(words) != 3 || words[1] != "blob" {
			return nil, fmt.Errorf("blob %s: git says %.100q", id, head)
		}
		size, err := strconv.Atoi(words[2])
		if err != nil || len(head)+1+size > len(rest) {
			return nil, fmt.Errorf("blob %s is cut off", id)
		}
		rest = rest[len(head)+1:]
		all = append(all, rest[:size:size])
		rest = rest[min(size+1, len(rest)):]
	}
	return all, nil
}
