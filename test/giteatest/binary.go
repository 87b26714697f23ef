package giteatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"
)

const (
	giteaModule   = "code.gitea.io/gitea"
	odysseyModule = "github.com/nuobit/odyssey"
)

// binary is a built Gitea and the files it needs at run time.
type binary struct {
	path    string // the executable
	static  string // its templates and translations: the module's directory
	version string // "v1.26.0"
}

// locate finds the Gitea that test/gitea/go.mod asks for and builds it unless
// the user's cache directory has it: 4 minutes on two cores. Processes that
// want it at the same time wait for one of them. Progress goes to log.
func locate(ctx context.Context, log io.Writer) (binary, error) {
	module, err := moduleDir(ctx)
	if err != nil {
		return binary{}, err
	}
	b, err := describe(ctx, module)
	if err != nil {
		return binary{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return binary{}, err
	}
	b.path = filepath.Join(cache, "odyssey", "test", "gitea-"+b.version)
	if _, err := os.Stat(b.path); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(filepath.Dir(b.path), 0o755); err != nil {
		return binary{}, err
	}
	unlock, err := lockedfile.MutexAt(b.path + ".lock").Lock()
	if err != nil {
		return binary{}, fmt.Errorf("lock the Gitea build: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(b.path); err == nil {
		return b, nil
	}
	return b, build(ctx, module, b, log)
}

func build(ctx context.Context, module string, b binary, log io.Writer) error {
	fmt.Fprintf(log, "giteatest: building Gitea %s (a few minutes, once) into %s\n", b.version, b.path)
	partial := fmt.Sprintf("%s.partial-%d", b.path, os.Getpid())
	defer os.Remove(partial)
	_, err := goTool(ctx, module, "build", "-tags", "sqlite sqlite_unlock_notify", "-o", partial, giteaModule)
	if err != nil {
		return fmt.Errorf("build Gitea: %w", err)
	}
	fmt.Fprintf(log, "giteatest: built %s\n", b.path)
	return os.Rename(partial, b.path)
}

// describe asks the nested module which Gitea it requires and where the
// module cache has it.
func describe(ctx context.Context, module string) (binary, error) {
	const format = "{{.Version}}\n{{.Dir}}"
	out, err := goTool(ctx, module, "list", "-m", "-f", format, giteaModule)
	if err != nil {
		return binary{}, fmt.Errorf("find Gitea's module: %w", err)
	}
	version, dir, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if dir == "" {
		if _, err := goTool(ctx, module, "mod", "download", giteaModule); err != nil {
			return binary{}, fmt.Errorf("download Gitea's module: %w", err)
		}
		if out, err = goTool(ctx, module, "list", "-m", "-f", format, giteaModule); err != nil {
			return binary{}, fmt.Errorf("find Gitea's module: %w", err)
		}
		version, dir, _ = strings.Cut(strings.TrimSpace(out), "\n")
	}
	if version == "" || dir == "" {
		return binary{}, fmt.Errorf("%s does not say where %s is: %q", module, giteaModule, out)
	}
	return binary{static: dir, version: version}, nil
}

// moduleDir is test/gitea in this checkout: found from this source file, or,
// when paths were trimmed from the binary, by asking the go command where the
// Odyssey module is.
func moduleDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok {
		dir := filepath.Join(filepath.Dir(filepath.Dir(file)), "gitea")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && filepath.IsAbs(dir) {
			return dir, nil
		}
	}
	root, err := goTool(ctx, ".", "list", "-m", "-f", "{{.Dir}}", odysseyModule)
	if err != nil {
		return "", fmt.Errorf("find the Odyssey checkout: %w", err)
	}
	return filepath.Join(strings.TrimSpace(root), "test", "gitea"), nil
}

// goTool runs the go command in dir and returns what it prints.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], errors.Join(err, errors.New(strings.TrimSpace(stderr.String()))))
	}
	return string(out), nil
}
