// Package buildahtest builds images with a real buildah, and looks into them.
// It has a base image, Debian 13 with Python, in place of those that only a
// registry has; test/setup.sh installs what it needs.
//
//	store, err := buildahtest.Open(ctx)
//	base, err := store.Base(ctx)
//	err = store.Build(ctx, buildahtest.Build{Context: dir, Image: "localhost/x", Args: map[string]string{"BASE_17_0": base}})
//	c, err := store.From(ctx, "localhost/x")
//	defer c.Remove(ctx)
//	out, err := c.Run(ctx, buildahtest.Process{Args: []string{"id"}})
//
// It works as root, or by a sudo that asks for no password. What runs in an
// image has the network of the machine, its process ids, and no cgroup of its own.
package buildahtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nuobit/odyssey/test/setup"
)

// Store is buildah's storage: images, and the layers of earlier builds, which
// later ones take over. It is in the user's cache, and several processes may
// use it at once.
type Store struct {
	asRoot []string // what runs a command as root
	dir    string
	tree   string // root of the work tree that uses it
	spare  time.Duration
	used   *os.File // locked, shared, while the store is in use
}

// Open installs what is missing and opens the storage.
func Open(ctx context.Context) (*Store, error) {
	if _, err := setup.Part("buildah", ""); err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	tree, err := setup.Root()
	if err != nil {
		return nil, err
	}
	return open(ctx, &Store{dir: filepath.Join(cache, "odyssey", "buildah"), tree: tree, spare: spare})
}

// open opens a storage by its directories.
func open(ctx context.Context, s *Store) (_ *Store, err error) {
	if os.Geteuid() != 0 {
		s.asRoot = []string{"sudo", "-n"}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(s.dir, "tmp"), 0o755), os.MkdirAll(s.notes(), 0o755)); err != nil {
		return nil, err
	}
	if s.used, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := s.prune(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, syscall.Flock(int(s.used.Fd()), syscall.LOCK_SH)
}

// Close gives the storage back. Images stay.
func (s *Store) Close() error { return s.used.Close() }

// command is a command that root runs. It gets the time to put its mounts in
// order when the context ends.
func (s *Store) command(ctx context.Context, args ...string) *exec.Cmd {
	args = slices.Concat(s.asRoot, []string{"env", "TMPDIR=" + filepath.Join(s.dir, "tmp")}, args)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Command is buildah with this storage, as another program may call it; no word
// has a space in it.
func (s *Store) Command() []string {
	return slices.Concat(s.asRoot, []string{"env", "TMPDIR=" + filepath.Join(s.dir, "tmp")}, s.programWords())
}

func (s *Store) programWords() []string {
	return []string{"buildah", "--root", filepath.Join(s.dir, "root"), "--runroot", filepath.Join(s.dir, "run")}
}

func (s *Store) buildahCommand(ctx context.Context, args ...string) *exec.Cmd {
	return s.command(ctx, slices.Concat(s.programWords(), args)...)
}

// AsRoot is what stands before a command that root is to run; nothing where the
// tests are root's.
func (s *Store) AsRoot() []string { return slices.Clone(s.asRoot) }

// Root runs a command as root, and returns its stdout.
func (s *Store) Root(ctx context.Context, args ...string) ([]byte, error) {
	return output(s.command(ctx, args...), args[0])
}

// buildah runs a buildah command, and returns its stdout without the newline.
func (s *Store) buildah(ctx context.Context, args ...string) (string, error) {
	out, err := output(s.buildahCommand(ctx, args...), "buildah "+args[0])
	return strings.TrimSpace(string(out)), err
}

// Error is a command that failed. Output is all that it wrote.
type Error struct {
	Command string
	Output  string
	Err     error // *exec.ExitError when it ran
}

func (e *Error) Error() string {
	const lines = 40
	text := strings.Split(strings.TrimSpace(e.Output), "\n")
	if len(text) > lines {
		text = slices.Concat([]string{"…"}, text[len(text)-lines:])
	}
	return fmt.Sprintf("%s: %v\n%s", e.Command, e.Err, strings.Join(text, "\n"))
}

func (e *Error) Unwrap() error { return e.Err }

// ExitCode is that of the command, or -1 when it did not run.
func (e *Error) ExitCode() int {
	if exit := (*exec.ExitError)(nil); errors.As(e.Err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func output(cmd *exec.Cmd, name string) ([]byte, error) {
	var stdout bytes.Buffer
	both := &locked{}
	cmd.Stderr = both
	cmd.Stdout = io.MultiWriter(&stdout, both)
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), &Error{Command: name, Output: both.String(), Err: err}
	}
	return stdout.Bytes(), nil
}

// locked is a buffer that stdout and stderr are written to, each by a goroutine
// of os/exec. The buffer is not embedded: its ReadFrom takes no lock.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// Environ has another program's buildah use this storage; file is written for
// that.
func (s *Store) Environ(file string) ([]string, error) {
	text := fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(s.dir, "root"), filepath.Join(s.dir, "run"))
	return []string{"CONTAINERS_STORAGE_CONF=" + file, "TMPDIR=" + filepath.Join(s.dir, "tmp")}, os.WriteFile(file, []byte(text), 0o644)
}

// Build is one call of buildah bud.
type Build struct {
	Context string // directory
	File    string // Dockerfile, by default the context's
	Image   string // name of what comes out
	Target  string // stage, by default the last
	// Platform, such as linux/arm64, is the machine's by default.
	Platform string
	Args     map[string]string
	Secrets  map[string]string // id to file
	// AllStages builds those, too, that nothing seems to need. buildah 1.28 does
	// not see that FROM x-${Y} needs a stage.
	AllStages bool
	// Cache lets layers of earlier builds be taken over, and keeps these.
	Cache bool
}

// Build builds an image, and returns what buildah printed. The error is an
// *Error.
func (s *Store) Build(ctx context.Context, b Build) (string, error) {
	args := []string{
		"bud", "--isolation", "chroot", "--pull-never", "--layers=" + strconv.FormatBool(b.Cache),
		"--skip-unused-stages=" + strconv.FormatBool(!b.AllStages), "--tag", b.Image,
	}
	if b.File != "" {
		args = append(args, "--file", b.File)
	}
	if b.Target != "" {
		args = append(args, "--target", b.Target)
	}
	if b.Platform != "" {
		args = append(args, "--platform", b.Platform)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		args = append(args, "--build-arg", name+"="+b.Args[name])
	}
	for id, file := range b.Secrets {
		args = append(args, "--secret", "id="+id+",src="+file)
	}
	cmd := s.buildahCommand(ctx, append(args, b.Context)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), &Error{Command: "buildah bud " + b.Image, Output: out.String(), Err: err}
	}
	return out.String(), nil
}

// Config is what an image says of how it is to be run.
type Config struct {
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	ExposedPorts map[string]struct{}
	Labels       map[string]string
}

// Config reads an image's configuration.
func (s *Store) Config(ctx context.Context, image string) (*Config, error) {
	return s.config(ctx, "image", image)
}

func (s *Store) config(ctx context.Context, kind, name string) (*Config, error) {
	out, err := s.buildah(ctx, "inspect", "--type", kind, name)
	if err != nil {
		return nil, err
	}
	var found struct {
		OCIv1 struct {
			Config *Config `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return nil, fmt.Errorf("buildah inspect %s: %w", name, err)
	}
	return found.OCIv1.Config, nil
}

// Archive writes all layers of an image, none compressed, to a file.
func (s *Store) Archive(ctx context.Context, image, file string) error {
	if _, err := s.buildah(ctx, "push", "--quiet", "--disable-compression", image, "docker-archive:"+file); err != nil {
		return err
	}
	_, err := s.Root(ctx, "chmod", "a+r", file)
	return err
}

// Forget removes an image's name, and what no other image needs.
func (s *Store) Forget(ctx context.Context, image string) error {
	_, err := s.buildah(ctx, "rmi", "--force", image)
	return err
}
