package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// virtualenv is a directory that is being replaced. Scripts hold the path of
// their environment, so that it is built where it stays, and what stood there
// waits beside it.
type virtualenv struct {
	dir    string   // absolute
	aside  string   // where the former one waits
	parent *os.File // locked while the directory is being replaced
	had    bool     // there was a former one
}

// python is the environment's interpreter.
func (v *virtualenv) python() string { return filepath.Join(v.dir, "bin", "python") }

// replaceVenv takes the place of an environment: afterwards there is nothing
// at dir until finish. What is at dir must be an environment or empty. What a
// run that was killed left there is replaced by what stood there before it.
func replaceVenv(dir string) (*virtualenv, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make the environment's place: %w", err)
	}
	v := &virtualenv{dir: dir, aside: filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".before")}
	if err := v.lock(); err != nil {
		return nil, err
	}
	if err := v.move(); err != nil {
		return nil, errors.Join(err, v.parent.Close())
	}
	return v, nil
}

// lock keeps two runs from replacing environments beside each other at once.
func (v *virtualenv) lock() error {
	parent, err := os.Open(filepath.Dir(v.dir))
	if err != nil {
		return err
	}
	err = syscall.Flock(int(parent.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return errors.Join(fmt.Errorf("another run is building in %s: wait for it to end", filepath.Dir(v.dir)), parent.Close())
	}
	v.parent = parent
	return nil
}

func (v *virtualenv) move() error {
	if _, err := os.Lstat(v.aside); err == nil { // left by a run that was killed
		if _, err := isVenv(v.dir); err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(v.dir), os.Rename(v.aside, v.dir)); err != nil {
			return fmt.Errorf("bring back the environment before the run that was killed: %w", err)
		}
	}
	found, err := isVenv(v.dir)
	if err != nil || !found {
		return err
	}
	v.had = true
	if err := os.Rename(v.dir, v.aside); err != nil {
		return fmt.Errorf("move the former environment aside: %w", err)
	}
	return nil
}

// isVenv reports whether there is a directory that may be replaced.
func isVenv(dir string) (bool, error) {
	const hint = "name a directory that is empty, missing or an environment"
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, &yamldoc.Error{Path: dir, Msg: "is no directory", Hint: hint}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err == nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, "pyvenv.cfg")); err != nil {
		return false, &yamldoc.Error{Path: dir, Msg: "is no Python environment, and not empty", Hint: hint}
	}
	return true, nil
}

// finish ends the replacement: the new environment stays when keep, else the
// former one comes back.
func (v *virtualenv) finish(keep bool) error {
	defer v.parent.Close()
	if keep {
		return v.drop()
	}
	err := os.RemoveAll(v.dir)
	if v.had && err == nil {
		err = os.Rename(v.aside, v.dir)
	}
	if err != nil {
		return fmt.Errorf("bring back the former environment: %w", err)
	}
	return nil
}

// drop removes the former environment. The rename says that it is not to come
// back, should the process be killed meanwhile.
func (v *virtualenv) drop() error {
	gone := v.aside + ".gone"
	err := os.RemoveAll(gone)
	if v.had && err == nil {
		err = os.Rename(v.aside, gone)
	}
	if err == nil {
		err = os.RemoveAll(gone)
	}
	if err != nil {
		return fmt.Errorf("remove the former environment: %w", err)
	}
	return nil
}

// create makes the environment with the interpreter's own venv and ensurepip:
// its pip comes with the interpreter, from no index.
func (v *virtualenv) create(ctx context.Context, r *runner, python *Interpreter) error {
	const what = "make the environment"
	_, err := r.quiet(ctx, what, python.Path, "-I", "-B", "-m", "venv", "--without-pip", v.dir)
	if err == nil {
		_, err = r.quiet(ctx, what, v.python(), "-I", "-B", "-c", bootstrap)
	}
	failed := (*ToolError)(nil)
	if errors.As(err, &failed) && missingModule.MatchString(failed.Output) {
		return fmt.Errorf("%s lacks a part of Python: install Debian's python3-venv, or that of its version (python%s-venv)", python.Path, python.Minor)
	}
	return err
}

var missingModule = regexp.MustCompile(`No module named '?(ensurepip|venv)`)

// bootstrap is python -m ensurepip --default-pip, but compiles nothing, which
// takes half of the time and is thrown away.
const bootstrap = `
import ensurepip as e
run = getattr(e, "_run_pip", None)
if run:
    e._run_pip = lambda args, *rest: run([*args, "--no-compile"], *rest)
e.bootstrap(default_pip=True)
`
