package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Bounds of what a tool prints, in bytes.
const (
	maxOutput = 32 << 20 // of a result: a lock of some thousand packages
	maxStderr = 16 << 10 // of what it complains about; the last are kept
)

var errTooMuch = fmt.Errorf("printed more than %d MiB", maxOutput>>20)

// bounded is a buffer of at most maxOutput.
type bounded struct {
	data []byte
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxOutput {
		b.full = true
		return 0, errTooMuch
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// tail keeps the last bytes written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - maxStderr; over > 0 {
		t.data = slices.Delete(t.data, 0, over)
	}
	return len(p), nil
}

// runner runs tools with an environment of its own.
type runner struct {
	env    []string
	dir    string // where they run; "/" when empty
	redact redactor
}

func newRunner(environ []string) *runner {
	return &runner{env: baseEnvironment(environ), redact: newRedactor(environ)}
}

// output runs a program and returns what it prints to stdout, at most
// maxOutput. what names the step in errors, which are *ToolError when the
// program fails.
func (r *runner) output(ctx context.Context, what, path string, args ...string) ([]byte, error) {
	out := &bounded{}
	err := r.run(ctx, what, out, nil, path, args...)
	if out.full {
		return nil, fmt.Errorf("%s: %s %w", what, filepath.Base(path), errTooMuch)
	}
	return out.data, err
}

// quiet runs a program for what it does. What it prints becomes the error's,
// and is returned.
func (r *runner) quiet(ctx context.Context, what, path string, args ...string) (string, error) {
	out := &tail{}
	err := r.run(ctx, what, nil, out, path, args...)
	return string(out.data), err
}

// run runs a program in a process group of its own, which is killed as a whole
// when ctx ends: pip and uv leave building to children. Without stdout both
// outputs go to one tail.
func (r *runner) run(ctx context.Context, what string, stdout *bounded, both *tail, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir = r.env, r.dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	complaint := both
	if complaint == nil {
		complaint = &tail{}
	}
	cmd.Stderr = complaint
	if stdout != nil {
		cmd.Stdout = stdout
	} else {
		cmd.Stdout = complaint
	}
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	e := &ToolError{What: what, Tool: program(path, args), ExitCode: -1, Output: r.redact.clean(string(complaint.data))}
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		return fmt.Errorf("%s: run %s: %w", what, filepath.Base(path), err)
	}
	e.ExitCode = exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal().String()
	}
	return e
}

// program is the name of what runs: Python's by the module that it runs.
func program(path string, args []string) string {
	if i := slices.Index(args, "-m"); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return filepath.Base(path)
}

// lookPath finds a program by the caller's PATH, not by that of this process.
// The result is absolute.
func lookPath(name string, environ []string) (string, error) {
	if strings.ContainsRune(name, '/') {
		path, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		return path, executable(path)
	}
	for _, dir := range filepath.SplitList(variable(environ, "PATH")) {
		path := filepath.Join(dir, name)
		if filepath.IsAbs(path) && executable(path) == nil {
			return path, nil
		}
	}
	return "", errors.New("no such program on PATH")
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("there is no such file")
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return errors.New("is no program")
	}
	return nil
}

// variable is the last value of a variable in an environment.
func variable(environ []string, name string) string {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}
