package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
)

// Action is what becomes of a file.
type Action string

// What may become of a file.
const (
	Create  Action = "create"
	Replace Action = "replace"
	Keep    Action = "keep" // it is there already, as it is to be
)

// Change is what becomes of one file.
type Change struct {
	File   File
	Action Action
	Old    []byte // of a file that is replaced
}

// ErrNotEmpty is for a directory that has something in it, and ErrNoDirectory for
// what is there and is none.
var (
	ErrNotEmpty    = errors.New("the directory is not empty")
	ErrNoDirectory = errors.New("it is there, and is no directory")
)

// Plan says what Place would do. A directory that has more in it than a .git is
// refused, with ErrNotEmpty, unless overwrite is set.
func Plan(dir string, files []File, overwrite bool) ([]Change, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return planned(nil, files)
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoDirectory)
	}
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" })
	if len(others) > 0 && !overwrite {
		return nil, fmt.Errorf("%s: %w: there is %s", dir, ErrNotEmpty, others[0].Name())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return planned(root, files)
}

// planned compares files with what is in a directory, or in none when it is nil.
func planned(root *os.Root, files []File) ([]Change, error) {
	changes := make([]Change, 0, len(files))
	for _, f := range files {
		change := Change{File: f, Action: Create}
		if root != nil {
			info, err := root.Lstat(filepath.FromSlash(f.Path))
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return nil, err
			case !info.Mode().IsRegular():
				return nil, fmt.Errorf("%s is there, and is no regular file; take it away first", f.Path)
			default:
				if change.Old, err = root.ReadFile(filepath.FromSlash(f.Path)); err != nil {
					return nil, err
				}
				change.Action = Replace
				if mode := info.Mode().Perm(); f.Mode&0o111 == 0 {
					change.File.Mode = mode
				} else {
					change.File.Mode = mode | mode&0o444>>2
				}
				if bytes.Equal(change.Old, f.Content) && info.Mode().Perm()&0o100 >= f.Mode&0o100 {
					change.Action = Keep
				}
			}
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// Place makes planned changes in a directory, which it makes if need be. When
// one fails, all are taken back.
func Place(dir string, changes []Change) (err error) {
	made, err := makeDir(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.Join(err, removeDirs(made))
	}
	p := &placing{root: root}
	if p.stage, err = stageName(root); err == nil {
		err = p.all(changes)
	}
	if err != nil {
		err = fmt.Errorf("%w\n  nothing in %s was changed", err, dir)
		if undo := p.undo(); undo != nil {
			err = fmt.Errorf("%w\n  and could not be taken back: %w", err, undo)
		}
	}
	if p.stage != "" {
		err = errors.Join(err, root.RemoveAll(p.stage))
	}
	err = errors.Join(err, root.Close())
	if err != nil {
		err = errors.Join(err, removeDirs(made))
	}
	return err
}

// makeDir makes a directory with its parents, and returns those that were not
// there, the deepest first.
func makeDir(dir string) (made []string, err error) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Join(err, removeDirs(made))
	}
	return made, nil
}

// removeDirs removes directories as far as they are empty and there.
func removeDirs(dirs []string) error {
	for _, d := range dirs {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func stageName(root *os.Root) (string, error) {
	const name = ".odyssey-scaffold"
	err := root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: another scaffold is being put there, or one was killed; in that case remove it", err)
	}
	if err != nil {
		return "", err
	}
	return name, nil
}

// placing is what has been done so far.
type placing struct {
	root  *os.Root
	stage string
	steps []func() error // that take it back, in order
}

// all writes every file beside its place before the first one is moved, so that
// a full disk is noticed in time.
func (p *placing) all(changes []Change) error {
	for i, c := range changes {
		if c.Action == Keep {
			continue
		}
		if err := p.write(p.name("new", i), c); err != nil {
			return err
		}
	}
	for i, c := range changes {
		if c.Action == Keep {
			continue
		}
		if err := p.move(i, filepath.FromSlash(c.File.Path), c.Action); err != nil {
			return err
		}
	}
	return nil
}

func (p *placing) name(what string, i int) string {
	return filepath.Join(p.stage, fmt.Sprintf("%s-%d", what, i))
}

func (p *placing) write(name string, c Change) error {
	f := c.File
	file, err := p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Content)
	if err == nil && c.Action == Replace {
		err = file.Chmod(f.Mode) // as it was, whatever the umask
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (p *placing) move(i int, target string, action Action) error {
	if err := p.parents(path.Dir(filepath.ToSlash(target))); err != nil {
		return err
	}
	if action == Replace {
		old := p.name("old", i)
		if err := p.root.Rename(target, old); err != nil {
			return err
		}
		p.steps = append(p.steps, func() error { return p.root.Rename(old, target) })
	} else if _, err := p.root.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has come to be there meanwhile", target)
	}
	if err := p.root.Rename(p.name("new", i), target); err != nil {
		return err
	}
	p.steps = append(p.steps, func() error { return p.root.Remove(target) })
	return nil
}

// parents makes the directories above a file.
func (p *placing) parents(dir string) error {
	if dir == "." {
		return nil
	}
	if err := p.parents(path.Dir(dir)); err != nil {
		return err
	}
	name := filepath.FromSlash(dir)
	err := p.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		p.steps = append(p.steps, func() error { return p.root.Remove(name) })
	}
	return err
}

func (p *placing) undo() error {
	var errs []error
	for _, step := range slices.Backward(p.steps) {
		errs = append(errs, step())
	}
	return errors.Join(errs...)
}
