package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// write writes a destination's files beside the source tree and moves them into
// place.
func (b *builder) write(ctx context.Context, d *lock.Destination, a *aggregate, commands []string, p *place, t *staging, report *Destination) error {
	start := time.Now()
	entries := a.entries
	if entries == nil {
		var err error
		if entries, err = b.Store.List(ctx, a.tree); err != nil {
			return err
		}
	}
	if err := checkEntries(entries); err != nil {
		return err
	}
	entries = withoutBytecode(entries)
	files, links := split(entries)
	targets, err := b.linkTargets(ctx, links)
	if err != nil {
		return err
	}
	if err := checkLinks(d, links, targets); err != nil {
		return err
	}
	attributes, err := b.Store.Attributes(ctx, entries)
	if err != nil {
		return err
	}
	converts := git.Converts(attributes)
	rest, err := t.rest(files, converts)
	if err != nil {
		return err
	}
	if err := t.makeDirs(entries); err != nil {
		return err
	}
	if converts {
		report.Bytes, err = b.checkOut(ctx, a.tree, files, t.dir)
	} else if err = b.writeAll(ctx, d, rest, t); err == nil {
		report.Bytes, err = t.bytes.Load(), writeLinks(t.dir, links, targets)
	}
	if err != nil {
		return err
	}
	report.Files = len(entries)
	known := t.written
	if len(commands) > 0 {
		known = nil // they may have changed any
		if err := b.shell(ctx, d, a, commands, t.dir); err != nil {
			return err
		}
	}
	if err := p.put(t.dir, a.tree, commands, known); err != nil {
		return err
	}
	b.done("write", d.Path, true, start, "%d files, %s", report.Files, Size(report.Bytes))
	return nil
}

// checkEntries refuses what cannot be written as a file, or not safely.
func checkEntries(entries []git.Entry) error {
	var gitlinks []string
	for _, e := range entries {
		if e.Mode == git.ModeGitlink {
			gitlinks = append(gitlinks, printable(e.Path))
		}
		for name := range strings.SplitSeq(e.Path, "/") {
			if name == "" || name == "." || name == ".." || isDotGit(name) || strings.ContainsRune(name, 0) {
				return fmt.Errorf("%s is a path that no repository may have", printable(e.Path))
			}
		}
	}
	if len(gitlinks) > 0 {
		return fmt.Errorf("%s: submodules are not supported\n  list the submodule's repository as a destination of its own in repos.yaml, and take the submodule out of the branch", strings.Join(gitlinks, ", "))
	}
	return nil
}

// withoutBytecode leaves out what Python would have made itself.
func withoutBytecode(entries []git.Entry) []git.Entry {
	return slices.DeleteFunc(entries, isBytecode)
}

func isBytecode(e git.Entry) bool { return strings.Contains("/"+e.Path, "/"+bytecode+"/") }

// isDotGit reports whether some file system takes a name for .git.
func isDotGit(name string) bool {
	name = strings.TrimRight(strings.ToLower(name), " .")
	name, _, _ = strings.Cut(name, ":") // an NTFS stream
	return name == ".git" || name == "git~1"
}

// few is the number of files that a second process is not worth the while for.
const few = 2000

// writeAll writes files where the directories are there and the links are not,
// so that no file is ever written through one.
func (b *builder) writeAll(ctx context.Context, d *lock.Destination, files []git.Entry, t *staging) error {
	parts := 1
	if len(files) > few {
		parts = cap(b.writers)
		var err error
		if files, err = b.inPackOrder(files); err != nil {
			return err
		}
	}
	group, filling := errgroup.WithContext(ctx)
	for i := range parts {
		part := files[i*len(files)/parts : (i+1)*len(files)/parts]
		group.Go(func() error {
			b.writers <- struct{}{}
			defer func() { <-b.writers }()
			return b.writeFiles(filling, d, part, t)
		})
	}
	return group.Wait()
}

// inPackOrder sorts files so that git reads them with the least work.
func (b *builder) inPackOrder(files []git.Entry) ([]git.Entry, error) {
	order, err := b.Store.PackOrder(ids(files))
	if err != nil {
		return nil, err
	}
	sorted := make([]git.Entry, len(files))
	for i, number := range order {
		sorted[i] = files[number]
	}
	return sorted, nil
}

func ids(entries []git.Entry) []string {
	all := make([]string, len(entries))
	for i := range entries {
		all[i] = entries[i].ID
	}
	return all
}

func split(entries []git.Entry) (files, links []git.Entry) {
	for _, e := range entries {
		if e.Mode == git.ModeSymlink {
			links = append(links, e)
		} else {
			files = append(files, e)
		}
	}
	return files, links
}

// writeFiles writes regular files that the store has.
func (b *builder) writeFiles(ctx context.Context, d *lock.Destination, files []git.Entry, t *staging) error {
	if len(files) == 0 {
		return nil
	}
	buffer := make([]byte, 64<<10)
	return b.Store.Blobs(ctx, ids(files), func(i int, size int64, content io.Reader) error {
		if i%500 == 499 {
			b.say("write", d.Path, "%d files", i+1)
		}
		return t.write(files[i], size, pieces(content, size, buffer))
	})
}

// writeLinks makes the symbolic links of a tree, whose targets were checked.
func writeLinks(dir string, links []git.Entry, targets []string) error {
	for i, l := range links {
		if err := os.Symlink(targets[i], filepath.Join(dir, l.Path)); err != nil {
			return err
		}
	}
	return nil
}

// checkOut has git write a tree whose attributes convert contents, looks at its
// files, and adds up their sizes.
func (b *builder) checkOut(ctx context.Context, tree string, files []git.Entry, dir string) (sum int64, err error) {
	if err := b.Store.Checkout(ctx, tree, dir); err != nil {
		return 0, err
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		info, err := os.Lstat(name)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
		if info.Size() >= maxPointer {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if err := checkPointer(name, data); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// maxTarget is the longest target of a link, in bytes: Linux's PATH_MAX.
const maxTarget = 4096

// linkTargets reads where links point to.
func (b *builder) linkTargets(ctx context.Context, links []git.Entry) ([]string, error) {
	targets := make([]string, len(links))
	if len(links) == 0 {
		return targets, nil
	}
	err := b.Store.Blobs(ctx, ids(links), func(i int, size int64, content io.Reader) error {
		if size >= maxTarget || size == 0 {
			return fmt.Errorf("%s is a link with a target of %d bytes", printable(links[i].Path), size)
		}
		data, err := io.ReadAll(content)
		targets[i] = string(data)
		return err
	})
	return targets, err
}

// checkLinks refuses links that leave the source directory.
func checkLinks(d *lock.Destination, links []git.Entry, targets []string) error {
	var out []string
	for i, l := range links {
		if !staysInside(path.Join(d.Clean(), path.Dir(l.Path)), targets[i]) {
			out = append(out, fmt.Sprintf("%s -> %s", printable(l.Path), printable(targets[i])))
		}
	}
	if len(out) > 0 {
		slices.Sort(out)
		return fmt.Errorf("links that point out of the source directory are not written:\n  %s", strings.Join(out, "\n  "))
	}
	return nil
}

// staysInside reports whether a link in a directory (relative to the source
// directory, and itself reached through no link) cannot leave the source
// directory: it is relative, climbs no higher than that, and only at its
// beginning, since what it climbs from later may be a link, too.
func staysInside(dir, target string) bool {
	if strings.HasPrefix(target, "/") || strings.ContainsRune(target, 0) {
		return false
	}
	depth := 0
	if dir != "." {
		depth = strings.Count(dir, "/") + 1
	}
	climbing := true
	for name := range strings.SplitSeq(target, "/") {
		switch {
		case name == "" || name == ".":
		case name != "..":
			climbing = false
		case !climbing || depth == 0:
			return false
		default:
			depth--
		}
	}
	return true
}
