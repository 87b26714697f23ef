package git

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// maxStderr is how much of what a command complains about is kept, in bytes.
const maxStderr = 4 << 10

// tail keeps the last bytes written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - maxStderr; over > 0 {
		t.data = slices.Delete(t.data, 0, over)
	}
	return len(p), nil
}

// command is a hardened exec.Cmd and what it complained about.
type command struct {
	*exec.Cmd
	stderr *tail
	ctx    context.Context //nolint:containedctx // the command's own life, not a caller's
}

// command prepares a program in a process group of its own, which is killed
// as a whole when ctx ends: git leaves its transport to children.
func (c *Client) command(ctx context.Context, t target, name string, args ...string) *command {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(c.env, t.env, inEnvironment(slices.Concat(c.settings, t.settings)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	stderr := &tail{}
	cmd.Stderr = stderr
	return &command{cmd, stderr, ctx}
}

// git prepares a git command.
func (c *Client) git(ctx context.Context, t target, args ...string) *command {
	return c.command(ctx, t, "git", args...)
}

// output runs the command and returns what it printed, at most maxOutput.
func (cmd *command) output() ([]byte, error) {
	out := &bounded{}
	cmd.Stdout = out
	err := cmd.run()
	switch {
	case out.full:
		return nil, errTooMuch
	case err != nil:
		return nil, err
	}
	return out.data, nil
}

func (cmd *command) run() error {
	if err := cmd.Run(); err != nil {
		return cmd.failure(err)
	}
	return nil
}

// failure turns what Wait returned into an *Error.
func (cmd *command) failure(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: %w", cmd.Args[0], err)
	}
	e := &Error{Args: cmd.Args[1:], ExitCode: -1, Stderr: clean(string(cmd.stderr.data))}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		e.ExitCode = exit.ExitCode()
	}
	switch {
	case errors.Is(cmd.ctx.Err(), context.DeadlineExceeded):
		e.Stderr, e.class = "fatal: no answer in time", ErrTransient
	case cmd.ctx.Err() != nil:
		return cmd.ctx.Err()
	default:
		e.class = classify(e.Stderr)
	}
	return e
}
