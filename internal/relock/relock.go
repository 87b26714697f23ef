// Package relock resolves the Python lock of a derived repository on this
// machine, as a build with --refresh-requirements-lock would.
package relock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Local resolves by the tools of this machine. To learn what a package needs,
// they may run what the package brings along.
type Local struct {
	Environ []string // for the tools: PATH, PIP_INDEX_URL, proxies
	Cache   string   // directory that downloads are kept in; "" for none
	Tool    string   // python.ToolAuto unless set
	Python  string   // interpreter for locks that say no version; "" for python3
}

// ResolveLock implements refresh.LockResolver.
func (l *Local) ResolveLock(ctx context.Context, in refresh.LockInput) (result refresh.LockResult, err error) {
	interpreter, err := l.interpreter(ctx, in.Python)
	if err != nil {
		return result, err
	}
	dir, err := os.MkdirTemp("", "odyssey-relock-")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(dir)
	o, err := l.options(dir, interpreter, in)
	if err != nil {
		return result, err
	}
	text, report, err := python.Resolve(ctx, o)
	if err != nil {
		return result, unresolvable(ctx, dir, in, err)
	}
	result = refresh.LockResult{Lock: text, Python: report.Python}
	if len(o.Constraints) == 0 && o.Overrides == "" {
		return result, nil
	}
	// Once more without bounds, to tell what they hold back. That it cannot be told
	// does not matter.
	o.Constraints, o.Overrides = nil, ""
	if text, _, err := python.Resolve(ctx, o); err == nil {
		result.Free = versions(text)
	}
	return result, ctx.Err()
}

// interpreter finds the Python that a lock is for.
func (l *Local) interpreter(ctx context.Context, minor string) (string, error) {
	name := l.Python
	if name == "" {
		name = "python3"
	}
	if minor == "" {
		return name, nil
	}
	for _, candidate := range []string{"python" + minor, name} {
		found, err := python.Query(ctx, candidate, l.Environ)
		if err == nil && found.Minor == minor {
			return candidate, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", &refresh.UnresolvableError{Reason: fmt.Sprintf("%s is for Python %s, which the bot's machine does not have", refresh.RequirementsLock, minor)}
}

// options writes the files below a directory.
func (l *Local) options(dir, interpreter string, in refresh.LockInput) (python.Options, error) {
	o := python.Options{
		Python: interpreter, Lock: filepath.Join(dir, refresh.RequirementsLock), Fetched: filepath.Join(dir, "src"),
		Tool: l.Tool, Cache: l.Cache, Environ: l.Environ,
	}
	files := maps.Clone(in.Files)
	files[refresh.RequirementsLock] = in.Lock
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		switch base := filepath.Base(name); {
		case name == refresh.RequirementsLock:
		case strings.Contains(name, "/"): // Odoo's
			file = filepath.Join(o.Fetched, filepath.FromSlash(name))
			o.Requirements = append([]string{file}, o.Requirements...)
		case strings.HasSuffix(base, "-constraints.in"):
			o.Constraints = append(o.Constraints, file)
		case strings.HasSuffix(base, "-overrides.in"):
			o.Overrides = file
		default:
			o.Requirements = append(o.Requirements, file)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return o, err
		}
		if err := os.WriteFile(file, files[name], 0o600); err != nil {
			return o, err
		}
	}
	return o, os.MkdirAll(o.Fetched, 0o700)
}

// What all may read of a fault: what the tools say has lines of other
// repositories, the operator's index, and the words of packages.
const (
	notMade   = "no set of packages is what all requirements ask for, or one of them cannot be fetched or built; the log says more"
	notRead   = "the requirements cannot be read; the log says more"
	notAtHand = "the machine lacks what it takes to resolve Python locks; the log says more"
)

// unresolvable tells what people can mend from what went wrong here. Of faults in
// the repository's own files, below dir, it says all.
func unresolvable(ctx context.Context, dir string, in refresh.LockInput, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var fault *yamldoc.Error
	var failed *python.ToolError
	told := &refresh.UnresolvableError{Cause: err}
	switch {
	case errors.As(err, &fault):
		told.Reason = notRead
		name := strings.TrimPrefix(fault.Path, dir+"/")
		_, own := in.Files[name]
		if own && !strings.Contains(name, "/") || name == refresh.RequirementsLock {
			text := strings.ReplaceAll(fault.Error(), dir+"/", "")
			told.Reason, told.Cause = strings.Join(strings.Fields(text), " "), nil
		}
	case errors.As(err, &failed):
		told.Reason = notMade
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		told.Reason = notAtHand
	default:
		return err
	}
	return told
}

// versions are those of a lock, by name.
func versions(text []byte) map[string]string {
	lock, err := requirements.ParseLock(refresh.RequirementsLock, text)
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for _, e := range lock.Entries {
		all[e.Name] = e.Version
	}
	return all
}
