package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// OpenBare opens the repository without a work tree in a directory of the
// caller's own, and makes it if need be.
func (c *Client) OpenBare(dir string) (*Local, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := c.bare(dir)
	if err != nil {
		return nil, err
	}
	return &Local{c: c, dir: b.dir, git: b.dir, bare: true}, nil
}

// Clone says what Fetch brings.
type Clone struct {
	Commit string
	Depth  int    // of its history
	Trees  bool   // no files, if the server can leave them out
	Keep   string // the name of the ref below refs/odyssey/ that keeps the commit
}

// Fetch brings a commit and some of its history from a remote.
func (l *Local) Fetch(ctx context.Context, url string, what Clone) error {
	if err := checkIDs(what.Commit); err != nil {
		return err
	}
	args := []string{
		"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--update-shallow",
		"--depth=" + strconv.Itoa(what.Depth),
	}
	if what.Trees {
		args = append(args, "--filter=blob:none")
	}
	args = append(args, "--", "upstream", "+"+what.Commit+":refs/odyssey/"+what.Keep)
	_, err := retry(ctx, l.c.patient(), func(ctx context.Context) (struct{}, error) {
		cmd, err := l.remote(ctx, url, args...)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, cmd.run()
	})
	if err != nil {
		return fmt.Errorf("fetch from %s: %w", gitname.Redact(url), err)
	}
	return nil
}

// FetchBlob brings a file that a Fetch of trees has left out.
func (l *Local) FetchBlob(ctx context.Context, url, id string) error {
	if err := checkIDs(id); err != nil {
		return err
	}
	_, err := retry(ctx, l.c, func(ctx context.Context) (struct{}, error) {
		cmd, err := l.remote(ctx, url, "-c", "remote.upstream.promisor=true", "cat-file", "-e", id)
		if err != nil {
			return struct{}{}, err
		}
		cmd.Env = append(cmd.Env, "GIT_NO_LAZY_FETCH=0")
		return struct{}{}, cmd.run()
	})
	if err != nil {
		return fmt.Errorf("fetch from %s: %w", gitname.Redact(url), err)
	}
	return nil
}

// ErrLease says that somebody else has moved the branch.
var ErrLease = errors.New("the branch is not where it was")

// Push makes a branch of a remote be at a commit, if it is at lease now; lease is
// empty when there must be no such branch. The error is ErrLease if it is not.
func (l *Local) Push(ctx context.Context, url, branch, commit, lease string) error {
	ref := "refs/heads/" + branch
	given := []string{commit, lease}
	if lease == "" {
		given = given[:1]
	}
	if err := errors.Join(checkIDs(given...), gitname.CheckRef(ref)); err != nil {
		return err
	}
	_, err := retry(ctx, l.c.patient(), func(ctx context.Context) (struct{}, error) {
		cmd, err := l.remote(ctx, url, "push", "--porcelain", "--no-verify", "--force-with-lease="+ref+":"+lease, "--", "upstream", commit+":"+ref)
		if err != nil {
			return struct{}{}, err
		}
		var out bytes.Buffer
		cmd.Stdout = &out
		err = cmd.run()
		if err != nil && strings.Contains(out.String(), "(stale info)") {
			return struct{}{}, ErrLease
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("push to %s: %w", gitname.Redact(url), err)
	}
	return nil
}

// remote prepares a git command that talks to a remote of the name upstream.
func (l *Local) remote(ctx context.Context, url string, args ...string) (*command, error) {
	t, err := l.c.target(ctx, url)
	if err != nil {
		return nil, err
	}
	t.settings = append(t.settings,
		setting{"remote.upstream.url", t.String()},

		setting{"fetch.unpackLimit", "1"}, setting{"fetch.writeCommitGraph", "false"},
		setting{"pack.window", "0"}, // what was received, or made as one pack, is sent as it is
		setting{"push.recurseSubmodules", "no"},
	)
	cmd := l.c.git(ctx, t, args...)
	cmd.Dir, cmd.Env = l.dir, append(cmd.Env, "GIT_DIR="+l.git)
	return cmd, nil
}
