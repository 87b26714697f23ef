package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// conversation is a server's git-upload-pack at the other end of a pipe,
// which speaks protocol version 2.
type conversation struct {
	cmd *command
	in  io.WriteCloser
	out *bufio.Reader
}

// dial starts the program that git itself would start to reach the target:
// its own http helper, ssh, or upload-pack for a local path. It returns
// errNoV2 when the target is to be asked by git itself instead. Of what the
// server says, most bytes are read.
func (c *Client) dial(ctx context.Context, t target, most int) (*conversation, error) {
	var cmd *command
	switch t.Scheme {
	case "https", "http":
		cmd = c.remoteHelper(ctx, t)
	case "ssh":
		cmd = c.command(ctx, t, t.ssh[0], t.sshArgs()...)
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL=version=2")
	case "file":
		if _, err := os.Stat(t.Path); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoRepository, err)
		}
		cmd = c.git(ctx, t, "upload-pack", "--timeout=60", t.Path)
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL=version=2")
	default:
		return nil, errNoV2
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, cmd.failure(err)
	}
	return &conversation{cmd: cmd, in: in, out: bufio.NewReaderSize(&limited{&counted{out, c.received}, most}, bufferOf(most))}, nil
}

// bufferOf is how much is read at once of what is not longer than most.
func bufferOf(most int) int {
	if most > maxOutput {
		return packBuffer
	}
	return 4 << 10
}

// remoteHelper prepares the program that git itself would start for http. To
// start it directly saves one process for each remote.
func (c *Client) remoteHelper(ctx context.Context, t target) *command {
	c.execPath.once.Do(func() {
		if out, err := c.git(ctx, target{}, "--exec-path").output(); err == nil {
			c.execPath.dir = strings.TrimSpace(string(out))
		}
	})
	if c.execPath.dir == "" {
		return c.git(ctx, t, "remote-"+t.Scheme, "origin", t.String())
	}
	return c.command(ctx, t, filepath.Join(c.execPath.dir, "git-remote-"+t.Scheme), "origin", t.String())
}

// sshArgs are the words after "ssh": the user's host and the remote command,
// its path quoted for the remote's shell.
func (t target) sshArgs() []string {
	args := append([]string{}, t.ssh[1:]...)
	args = append(args, "-o", "SendEnv=GIT_PROTOCOL")
	if t.Port != "" {
		args = append(args, "-p", t.Port)
	}
	host := t.Host
	if t.User != "" {
		host = t.User + "@" + host
	}
	path := t.Path
	if strings.HasPrefix(path, "/~") {
		path = path[1:]
	}
	quoted := "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
	return append(args, "--", host, "git-upload-pack "+quoted)
}

// connect asks the http helper for a plain line to the server's upload-pack.
func (v *conversation) connect() error {
	if _, err := io.WriteString(v.in, "stateless-connect git-upload-pack\n"); err != nil {
		return err
	}
	answer, err := v.out.ReadString('\n')
	switch {
	case err != nil:
		return transientf("git's http helper says nothing: %w", err)
	case answer == "fallback\n":
		return errNoV2
	case answer != "\n":
		return fmt.Errorf("git's http helper answers %q", answer)
	}
	return nil
}

// end closes the conversation. Given the error that broke it off, it returns
// that, or better what the program itself complained about.
func (v *conversation) end(broken error) error {
	_ = v.in.Close()
	if errors.Is(broken, io.EOF) || errors.Is(broken, io.ErrUnexpectedEOF) || errors.Is(broken, syscall.EPIPE) {
		_, _ = io.Copy(io.Discard, v.out)
		failed := v.cmd.Wait() // it ended by itself, and has said why
		if failed != nil && (len(v.cmd.stderr.data) > 0 || v.cmd.ctx.Err() != nil) {
			return v.cmd.failure(failed)
		}
		return broken
	}
	// All has been said, whatever would become of the program.
	_ = v.cmd.Cancel()
	_ = v.cmd.Wait()
	return broken
}
