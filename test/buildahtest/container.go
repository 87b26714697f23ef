package buildahtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Container is a file system made of an image, to be changed and to run things
// in.
type Container struct {
	ID string

	store *Store
	root  string // where it is mounted
}

// From makes a container of an image.
func (s *Store) From(ctx context.Context, image string) (*Container, error) {
	id, err := s.buildah(ctx, "from", "--pull-never", "--quiet", image)
	if err != nil {
		return nil, err
	}
	c := &Container{ID: id, store: s}
	if c.root, err = s.buildah(ctx, "mount", id); err != nil {
		c.Remove(ctx)
		return nil, err
	}
	return c, nil
}

// Root is where the machine has the container's file system.
func (c *Container) Root() string { return c.root }

// Remove ends the container, also when the context has ended. What still runs
// in it has to be ended before.
func (c *Container) Remove(ctx context.Context) {
	_, _ = c.store.buildah(context.WithoutCancel(ctx), "rm", c.ID)
}

// Process is what runs in a container.
type Process struct {
	Args    []string
	User    string // UID:GID, by default the image's
	Env     map[string]string
	Volumes map[string]string // where in the container to a path of the machine; not to be written
}

// Run runs a process to its end, and returns its stdout without the newline.
// The error is an *Error.
func (c *Container) Run(ctx context.Context, p Process) (string, error) {
	r, err := c.Start(ctx, p)
	if err != nil {
		return "", err
	}
	defer r.Close()
	err = r.Wait()
	return strings.TrimRight(r.read("stdout"), "\n"), err
}

// outside is where a container has the directory that its processes write to.
const outside = "/mnt"

// wrapper starts a process. buildah loses output now and then when it ends as
// soon as it has written, so it goes to files.
const wrapper = `echo $$ >` + outside + `/pid; exec "$@" >` + outside + `/stdout 2>` + outside + `/stderr`

// Running is a process that was started.
type Running struct {
	store *Store
	name  string
	dir   string
	cmd   *exec.Cmd
	own   bytes.Buffer // of buildah
}

// Start starts a process. The image needs a sh and a /mnt.
func (c *Container) Start(ctx context.Context, p Process) (*Running, error) {
	dir, err := os.MkdirTemp("", "buildahtest-")
	if err != nil {
		return nil, err
	}
	r := &Running{store: c.store, name: strings.Join(p.Args, " "), dir: dir}
	errs := []error{os.Chmod(dir, 0o755)}
	for _, name := range []string{"pid", "stdout", "stderr"} {
		file := filepath.Join(dir, name)
		errs = append(errs, os.WriteFile(file, nil, 0o666), os.Chmod(file, 0o666)) // any user of the container writes to it
	}
	args := []string{"run", "--isolation", "chroot", "--volume", dir + ":" + outside}
	if p.User != "" {
		args = append(args, "--user", p.User)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		args = append(args, "--env", name+"="+p.Env[name])
	}
	for inside, path := range p.Volumes {
		args = append(args, "--volume", path+":"+inside+":ro")
	}
	args = slices.Concat(args, []string{c.ID, "--", "/bin/sh", "-c", wrapper, "sh"}, p.Args)
	r.cmd = c.store.buildahCommand(ctx, args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.own, &r.own
	if err := errors.Join(append(errs, r.cmd.Start())...); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return r, nil
}

// Wait waits for the end. The error is an *Error.
func (r *Running) Wait() error {
	if err := r.cmd.Wait(); err != nil {
		return &Error{Command: r.name, Output: r.Output() + r.own.String(), Err: err}
	}
	return nil
}

// Output is what the process has written so far.
func (r *Running) Output() string { return r.read("stdout") + r.read("stderr") }

// Signal sends the process a signal, such as TERM.
func (r *Running) Signal(ctx context.Context, name string) error {
	_, err := r.store.Root(ctx, "kill", "-"+name, strings.TrimSpace(r.read("pid")))
	return err
}

// Kill ends the process and all that it has started, at once, as a machine that
// loses its power does.
func (r *Running) Kill(ctx context.Context) error {
	pid := strings.TrimSpace(r.read("pid"))
	pids, err := descendants(pid)
	if err != nil {
		return err
	}
	_, err = r.store.Root(ctx, slices.Concat([]string{"kill", "-KILL", pid}, pids)...)
	return err
}

// descendants are what a process has started, and what these have.
func descendants(pid string) ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[string][]string{}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may have any character in it.
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 1 {
			children[fields[1]] = append(children[fields[1]], filepath.Base(filepath.Dir(file)))
		}
	}
	all := slices.Clone(children[pid])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// Close removes what the process has written. It has to have ended.
func (r *Running) Close() { _ = os.RemoveAll(r.dir) }

func (r *Running) read(name string) string {
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Shell has root run a script.
func (c *Container) Shell(ctx context.Context, script string) (string, error) {
	return c.Run(ctx, Process{Args: []string{"sh", "-euc", script}, User: "0:0"})
}

// File is one entry of a file system.
type File struct {
	Type     byte   // of find: f, d, l, p, s, b, c
	Mode     uint32 // permissions, with setuid, setgid and sticky as in stat(2)
	UID, GID int
	Size     int64
	Link     string // target of a symbolic link
}

// Files lists a container's file system by slash-separated path, without a
// slash in front. The root is not in it.
func (c *Container) Files(ctx context.Context) (map[string]File, error) {
	out, err := c.store.Root(ctx, "find", c.root, "-xdev", "-mindepth", "1", "-printf", `%y %m %U %G %s\0%l\0%P\0`)
	if err != nil {
		return nil, err
	}
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	files := make(map[string]File, len(fields)/3)
	for entry := range slices.Chunk(fields, 3) {
		f := File{Link: entry[1]}
		if _, err := fmt.Sscanf(entry[0], "%c %o %d %d %d", &f.Type, &f.Mode, &f.UID, &f.GID, &f.Size); err != nil {
			return nil, fmt.Errorf("find printed %q: %w", entry[0], err)
		}
		files[entry[2]] = f
	}
	return files, nil
}

// Read returns a file's content. A link in the path is followed on the
// machine, not in the container.
func (c *Container) Read(ctx context.Context, path string) (string, error) {
	out, err := c.store.Root(ctx, "cat", filepath.Join(c.root, path))
	return string(out), err
}

// Write makes a file of root's.
func (c *Container) Write(ctx context.Context, path, content string, mode uint32) error {
	_, err := c.Run(ctx, Process{
		Args: []string{"sh", "-euc", `printf %s "$1" >"$0"; chmod "$2" "$0"`, path, content, strconv.FormatUint(uint64(mode), 8)}, User: "0:0",
	})
	return err
}

// Commit makes an image of the container as it is.
func (c *Container) Commit(ctx context.Context, image string) error {
	_, err := c.store.buildah(ctx, "commit", "--quiet", c.ID, image)
	return err
}

// Config reads how the container is to be run.
func (c *Container) Config(ctx context.Context) (*Config, error) {
	return c.store.config(ctx, "container", c.ID)
}

// Configure changes how the container is to be run, by flags of buildah config.
func (c *Container) Configure(ctx context.Context, flags ...string) error {
	_, err := c.store.buildah(ctx, slices.Concat([]string{"config"}, flags, []string{c.ID})...)
	return err
}
