package source

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/lock"
)

// ShellCommands are the shell_command_after of a destination, which Materialize runs in
// its tree.
func ShellCommands(d *lock.Destination) ([]string, error) { return shellCommands(d) }

// shellCommands are the shell_command_after of a destination.
func shellCommands(d *lock.Destination) ([]string, error) {
	for _, f := range d.Extra {
		if f.Key != "shell_command_after" {
			continue
		}
		nodes := []*yaml.Node{f.Value}
		if f.Value.Kind == yaml.SequenceNode {
			nodes = f.Value.Content
		}
		var commands []string
		for _, n := range nodes {
			if n.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("shell_command_after must be a command or a list of commands")
			}
			if n.Value != "" && n.ShortTag() != "!!null" {
				commands = append(commands, n.Value)
			}
		}
		return commands, nil
	}
	return nil, nil
}

// refuse refuses a lock with shell commands, unless they are allowed, and one
// with the staging directory as a destination.
func (b *builder) refuse(file *lock.File) error {
	for i := range file.Destinations {
		d := &file.Destinations[i]
		if first, _, _ := strings.Cut(d.Clean(), "/"); first == stagingName {
			return fault(file, d, "", "is a directory that a build itself uses")
		}
		commands, err := shellCommands(d)
		if err != nil {
			return fault(file, d, "", "%v", err)
		}
		if len(commands) > 0 && !b.AllowShellCommands {
			return fault(file, d, "--allow-shell-commands runs them, with the rights of this build", "has shell_command_after, and running commands of the lock was not allowed")
		}
	}
	return nil
}

// shell runs the commands in a directory that is a work tree while they run.
func (b *builder) shell(ctx context.Context, d *lock.Destination, a *aggregate, commands []string, dir string) error {
	remotes := map[string]string{}
	for _, r := range d.Remotes {
		remotes[r.Name] = r.URL
	}
	remove, err := b.Store.Worktree(ctx, a.tree, dir, remotes)
	if err != nil {
		return err
	}
	for _, command := range commands {
		b.say("shell", d.Path, "%s", printable(command))
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, b.Environ...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = 2 * time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("shell_command_after %s: %w\n%s", printable(command), err, last(out, 2000))
		}
	}
	if err := remove(); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, ".git"))
}

func last(out []byte, n int) string {
	return string(out[max(0, len(out)-n):])
}
