package python

import (
	"context"
	"path/filepath"
)

// Precheck finds what Build would find wrong before it installs anything: the
// interpreter, the tool, the files that are there already and the lock. Files of
// o.Requirements that come only with the sources are left out of o.
func Precheck(ctx context.Context, o Options) error {
	b, err := examine(ctx, o)
	if err != nil || o.Refresh {
		return err
	}
	return b.readLock()
}

// RunScript runs a script by an environment's Python, outside of its directory,
// and returns what it prints. environ is the caller's environment, of which
// tools see a part.
func RunScript(ctx context.Context, venv, script string, args, environ []string) ([]byte, error) {
	venv, err := filepath.Abs(venv)
	if err != nil {
		return nil, err
	}
	r := newRunner(environ)
	python := filepath.Join(venv, "bin", "python")
	return r.output(ctx, filepath.Base(script), python, append([]string{"-B", script}, args...)...)
}
