package python

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Resolve resolves a lock anew, as Build does with Refresh, and returns its
// text. Nothing that is locked is installed, and o.Lock and o.Venv stay as they
// are: an environment that holds nothing but pip is made elsewhere, and is gone
// afterwards. Of the report, what is about an installation is empty.
func Resolve(ctx context.Context, o Options) (text []byte, report *Report, err error) {
	work, err := os.MkdirTemp(variable(o.Environ, "TMPDIR"), "odyssey-python-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(work)
	o.Refresh, o.Venv = true, filepath.Join(work, "place", "venv")
	b, err := newBuilder(ctx, o, work)
	if err != nil {
		return nil, nil, err
	}
	v, err := replaceVenv(o.Venv)
	if err != nil {
		return nil, nil, err
	}
	started := time.Now()
	err = v.create(ctx, b.r, b.python)
	if err == nil {
		err = b.configure(ctx, v)
	}
	if err == nil {
		err = b.resolve(ctx, v)
	}
	if err := errors.Join(err, v.finish(false)); err != nil {
		return nil, nil, err
	}
	b.report.phase("resolve", time.Since(started))
	b.report.Packages, b.report.Hashed = len(b.installed), b.locked.Hashed()
	return b.lockText, b.report, nil
}
