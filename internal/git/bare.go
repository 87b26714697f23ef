package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// bare is a repository without a work tree. Its settings are the client's: it
// has no configuration file that matters.
type bare struct {
	c   *Client
	dir string
	env []string // beside the client's: where else objects are, for one
	// most is how long a file that git writes may get, in bytes; 0: any length.
	most int64
}

// bare makes a repository in a directory. It writes the four files that make
// one, rather than have git write its templates.
func (c *Client) bare(dir string) (*bare, error) {
	for _, sub := range []string{"objects/info", "objects/pack", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	head := filepath.Join(dir, "HEAD")
	if _, err := os.Stat(head); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(head, []byte("ref: refs/heads/none\n"), 0o644); err != nil {
			return nil, err
		}
	}
	return &bare{c: c, dir: dir}, nil
}

func (b *bare) command(ctx context.Context, t target, args ...string) *command {
	cmd := b.program(ctx, t, args)
	cmd.Env = append(append(cmd.Env, "GIT_DIR="+b.dir), b.env...)
	return cmd
}

// program is git, or git below a shell that bounds what it writes.
func (b *bare) program(ctx context.Context, t target, args []string) *command {
	if b.most == 0 {
		return b.c.git(ctx, t, args...)
	}
	script := "ulimit -f " + strconv.FormatInt(b.most/512, 10) + ` && exec git "$@"` // blocks of 512 bytes
	return b.c.command(ctx, t, "sh", append([]string{"-c", script, "git"}, args...)...)
}

func (b *bare) git(ctx context.Context, t target, args ...string) ([]byte, error) {
	return b.command(ctx, t, args...).output()
}

// line runs git and returns what it printed, trimmed.
func (b *bare) line(ctx context.Context, args ...string) (string, error) {
	out, err := b.git(ctx, target{}, args...)
	return strings.TrimSpace(string(out)), err
}

// shallow returns the commits whose parents were cut off.
func (b *bare) shallow() (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join(b.dir, "shallow"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	cut := map[string]bool{}
	for id := range strings.FieldsSeq(string(data)) {
		cut[id] = true
	}
	return cut, nil
}

// counted runs a fetch and tells the client's Received what packs it brought.
func (b *bare) counted(fetch func() error) error {
	before := b.packed()
	err := fetch()
	if n := b.packed() - before; n > 0 {
		b.c.received(n)
	}
	return err
}

// packed is how many bytes the packs of the repository have.
func (b *bare) packed() (sum int64) {
	packs, err := filepath.Glob(filepath.Join(b.dir, "objects", "pack", "pack-*.pack"))
	if err != nil {
		return 0 // not with this pattern
	}
	for _, pack := range packs {
		if info, err := os.Stat(pack); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// each runs git and calls yield with each piece of its output up to end, cut
// off at maxRecord.
func (b *bare) each(ctx context.Context, end byte, yield func(piece string), args ...string) error {
	cmd := b.command(ctx, target{}, args...)
	cmd.Stdout = &splitter{end: end, most: maxRecord, yield: yield}
	return cmd.run()
}
