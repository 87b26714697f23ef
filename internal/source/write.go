package source

import (
	"bytes"
	"context"
	"errors"
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
func (b *builder) write(ctx context.Context, d *lock.Destination, a *aggregate, commands []string, p *place, report *Destination) error {
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
	dir, err := os.MkdirTemp(b.staging, "tree-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := makeDirs(dir, entries); err != nil {
		return err
	}
	attributes, err := b.Store.Attributes(ctx, entries)
	if err != nil {
		return err
	}
	if git.Converts(attributes) {
		report.Bytes, err = b.checkOut(ctx, a.tree, files, dir)
	} else if report.Bytes, err = b.writeAll(ctx, d, files, dir); err == nil {
		err = writeLinks(dir, links, targets)
	}
	if err != nil {
		return err
	}
	report.Files = len(entries)
	if len(commands) > 0 {
		if err := b.shell(ctx, d, a, commands, dir); err != nil {
			return err
		}
	}
	if err := p.put(dir, a.tree, commands); err != nil {
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
	return slices.DeleteFunc(entries, func(e git.Entry) bool { return strings.Contains("/"+e.Path, "/"+bytecode+"/") })
}

// isDotGit reports whether some file system takes a name for .git.
func isDotGit(name string) bool {
	name = strings.TrimRight(strings.ToLower(name), " .")
	name, _, _ = strings.Cut(name, ":") // an NTFS stream
	return name == ".git" || name == "git~1"
}

// few is the number of files that a second process is not worth the while for.
const few = 2000

// writeAll writes files below dir, where the directories are there and the links
// are not, so that no file is ever written through one. It returns the bytes
// written.
func (b *builder) writeAll(ctx context.Context, d *lock.Destination, files []git.Entry, dir string) (int64, error) {
	parts := 1
	if len(files) > few {
		parts = cap(b.writers)
		var err error
		if files, err = b.inPackOrder(files); err != nil {
			return 0, err
		}
	}
	written := make([]int64, parts)
	group, filling := errgroup.WithContext(ctx)
	for i := range parts {
		part := files[i*len(files)/parts : (i+1)*len(files)/parts]
		group.Go(func() error {
			b.writers <- struct{}{}
			defer func() { <-b.writers }()
			return b.writeFiles(filling, d, dir, part, &written[i])
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range written {
		sum += n
	}
	return sum, nil
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

// makeDirs makes the directories of all entries. One that is there as something
// else, or twice, is an error of the tree.
func makeDirs(root string, entries []git.Entry) error {
	made := map[string]bool{".": true}
	var mkdir func(dir string) error
	mkdir = func(dir string) error {
		if made[dir] {
			return nil
		}
		if err := mkdir(path.Dir(dir)); err != nil {
			return err
		}
		made[dir] = true
		return os.Mkdir(filepath.Join(root, dir), 0o755)
	}
	for _, e := range entries {
		if err := mkdir(path.Dir(e.Path)); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes regular files and adds up their bytes.
func (b *builder) writeFiles(ctx context.Context, d *lock.Destination, dir string, files []git.Entry, written *int64) error {
	if len(files) == 0 {
		return nil
	}
	buffer := make([]byte, 64<<10)
	return b.Store.Blobs(ctx, ids(files), func(i int, size int64, content io.Reader) error {
		if i%500 == 499 {
			b.say("write", d.Path, "%d files", i+1)
		}
		mode := os.FileMode(0o644)
		if executable(files[i].Mode) {
			mode = 0o755
		}
		if *written += size; *written > maxBytes {
			return fmt.Errorf("its files have more than %s", Size(maxBytes))
		}
		return writeFile(filepath.Join(dir, files[i].Path), mode, size, content, buffer)
	})
}

// executable reads a mode as git does: only the owner's bit counts.
func executable(mode string) bool {
	return strings.HasPrefix(mode, "100") && strings.IndexByte("1357", mode[3]) >= 0
}

const (
	lfsPointer = "version https://git-lfs.github.com/spec/"
	maxPointer = 1024 // bytes that a pointer has less than
)

// checkPointer refuses the content of a small file that stands for a large one.
func checkPointer(name string, content []byte) error {
	if !bytes.HasPrefix(content, []byte(lfsPointer)) {
		return nil
	}
	return fmt.Errorf("%s is a Git LFS pointer, and LFS is not supported\n  commit the file itself, or fetch it in the image build", printable(filepath.Base(name)))
}

// maxBytes is the most that the files of a destination may have: a small
// repository can hold a large file under a thousand names.
const maxBytes = 32 << 30

func writeFile(name string, mode os.FileMode, size int64, content io.Reader, buffer []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	var n int
	for err == nil && size > 0 {
		n, err = io.ReadFull(content, buffer[:min(size, int64(len(buffer)))])
		if err == nil && size < maxPointer {
			err = checkPointer(name, buffer[:n])
		}
		if err == nil {
			_, err = f.Write(buffer[:n])
		}
		size -= int64(n)
	}
	return errors.Join(err, f.Close())
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
