package archive

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Directory is an archive that was unpacked already, held to the same rules.
type Directory struct {
	Path   string
	Limits Limits
}

// Walk calls visit for everything below the directory, sorted by name. A .git at
// its top is left out.
func (d Directory) Walk(ctx context.Context, visit Visit) error {
	root, err := os.OpenRoot(d.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	w := &walker{ctx: ctx, limits: d.Limits, names: newNames(), visit: visit}
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case name == ".git":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err := w.countEntry(name); err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return w.diskEntry(root, name, info)
	})
}

func (w *walker) diskEntry(root *os.Root, name string, info fs.FileInfo) error {
	mode := info.Mode()
	e := Entry{Size: info.Size(), ModTime: info.ModTime()}
	switch {
	case mode.IsDir():
		e.Mode, e.Size = Dir, 0
		return w.entry(name, e, strings.NewReader(""))
	case mode.Type() == fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		e.Mode, e.Target, e.Size = Link, target, int64(len(target))
		return w.entry(name, e, strings.NewReader(target))
	case !mode.IsRegular():
		return &Error{name, "is a device, a pipe or a socket"}
	case mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return &Error{name, "is a file with setuid, setgid or sticky bits"}
	case mode&modeExecutable != 0:
		e.Mode = Executable
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.entry(name, e, &counter{io.LimitReader(f, e.Size), w})
}
