package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// Write writes the rendered file, readable by this user alone, in a directory
// that is open to this user alone. It is there at once or not at all. Without
// anything to render it does nothing.
func (l *Launch) Write() error {
	if !l.render {
		return nil
	}
	dir := filepath.Dir(l.Config)
	if err := l.prepareDir(dir); err != nil {
		return fmt.Errorf("write %s: %w", l.Config, err)
	}
	data := l.file.Bytes()
	if l.isCurrent(data) {
		return nil
	}
	if err := replace(l.Config, data); err != nil {
		return fmt.Errorf("write %s: %w", l.Config, plain(err))
	}
	return nil
}

// isCurrent reports whether the file is there as it should be.
func (l *Launch) isCurrent(data []byte) bool {
	info, err := os.Lstat(l.Config)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != fileMode || !ownedByUs(info) {
		return false
	}
	have, err := os.ReadFile(l.Config)
	return err == nil && bytes.Equal(have, data)
}

// replace writes a file by rename into place. Nothing is synced to disk: the
// file is of no use after a crash.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = f.Chmod(fileMode)
	if err == nil {
		_, err = f.Write(data)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// Check finds out whether Write could write, and writes nothing.
func (l *Launch) Check() error {
	if !l.render {
		return nil
	}
	dir := filepath.Dir(l.Config)
	info, err := os.Stat(dir)
	if err == nil {
		err = l.checkDir(dir, info)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = l.checkAbove(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", l.Config, err)
	}
	return nil
}

// checkAbove refuses a directory that cannot be made where it is to be.
func (l *Launch) checkAbove(dir string) error {
	above := filepath.Dir(dir)
	for {
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) || above == filepath.Dir(above) {
			break
		}
		above = filepath.Dir(above)
	}
	const mayMake = 0b011 // W_OK and X_OK of access(2)
	if err := syscall.Access(above, mayMake); err != nil {
		return l.noDir(dir, err)
	}
	return nil
}

// prepareDir makes the directory, or takes the rights of others from it.
func (l *Launch) prepareDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return l.noDir(dir, err)
		}
		if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return l.noDir(dir, err)
		}
		info, err = os.Stat(dir)
	}
	if err != nil {
		return plain(err)
	}
	if err := l.checkDir(dir, info); err != nil {
		return err
	}
	if info.Mode().Perm() == dirMode {
		return nil
	}
	return plain(os.Chmod(dir, dirMode))
}

func (l *Launch) noDir(dir string, err error) error {
	return fmt.Errorf("its directory %s cannot be made: %w\n  mount a memory-backed volume at %s, or let ODOO_RUNTIME_RC name a file elsewhere", dir, plain(err), filepath.Dir(dir))
}

// checkDir refuses a directory that cannot be made private.
func (l *Launch) checkDir(dir string, info fs.FileInfo) error {
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !ownedByUs(info):
		return fmt.Errorf("its directory %s belongs to uid %d and this process is uid %d, so it cannot be kept from others (its mode is %04o)\n"+
			"  mount the volume one level higher, so that the directory is made in it with the right owner, or set ODOO_RUNTIME_RC=%s",
			dir, owner(info), os.Geteuid(), info.Mode().Perm(), filepath.Join(dir, "private", filepath.Base(l.Config)))
	case info.Mode().Perm()&^dirMode == 0:
		return nil
	}
	// It is about to be closed to others: is anything of theirs in it?
	entries, err := os.ReadDir(dir)
	if err != nil {
		return plain(err)
	}
	for _, entry := range entries {
		if base := filepath.Base(l.Config); entry.Name() != base && !strings.HasPrefix(entry.Name(), "."+base+".") {
			return fmt.Errorf("its directory %s is open to others (mode %04o) and has other things in it, such as %s\n  let ODOO_RUNTIME_RC name a file in a directory of its own",
				dir, info.Mode().Perm(), entry.Name())
		}
	}
	return nil
}

func owner(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}

func ownedByUs(info fs.FileInfo) bool { return owner(info) == os.Geteuid() }

// plain is what the system said, without the temporary file's name.
func plain(err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return at.Err
	}
	if at := (*os.LinkError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}
