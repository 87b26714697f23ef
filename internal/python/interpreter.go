package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// queryTimeout is how long an interpreter may take to say what it is.
const queryTimeout = 30 * time.Second

// oldestMinor is the oldest Python 3 that works: the first that Odoo 16 runs on
// and that still gets packages.
const oldestMinor = 10

// Interpreter is a Python that was asked what it is.
type Interpreter struct {
	Path    string `json:"path"`    // what it calls itself, absolute
	Version string `json:"version"` // such as "3.11.7" or "3.13.0rc1"
	Minor   string `json:"minor"`   // such as "3.11"
	// Markers is what it makes of the variables of markers.
	Markers pep508.Environment `json:"markers"`
}

// querying prints what packaging.markers.default_environment returns, and
// where the interpreter is. It runs on any Python 3.
const querying = `
import json, os, platform, sys
i = sys.implementation
v = "%d.%d.%d" % i.version[:3]
if i.version.releaselevel != "final":
    v += i.version.releaselevel[0] + str(i.version.serial)
print(json.dumps({
    "path": sys.executable, "version": platform.python_version(), "minor": "%d.%d" % sys.version_info[:2],
    "markers": {
        "implementation_name": i.name, "implementation_version": v, "os_name": os.name,
        "platform_machine": platform.machine(), "platform_release": platform.release(),
        "platform_system": platform.system(), "platform_version": platform.version(),
        "python_full_version": platform.python_version(), "platform_python_implementation": platform.python_implementation(),
        "python_version": ".".join(platform.python_version_tuple()[:2]), "sys_platform": sys.platform,
    },
}))
`

// Query asks a Python, a path or a name on PATH, what it is. environ is the
// caller's environment. An interpreter that is missing or will not do is a
// *yamldoc.Error.
func Query(ctx context.Context, python string, environ []string) (*Interpreter, error) {
	refuse := func(msg, hint string) error { return &yamldoc.Error{Path: python, Msg: msg, Hint: hint} }
	const hint = "name a Python 3.10 or newer"
	path, err := lookPath(python, environ)
	if err != nil {
		return nil, refuse(err.Error(), hint)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	r := newRunner(environ)
	out, err := r.output(ctx, "query "+python, path, "-I", "-S", "-c", querying)
	failed := (*ToolError)(nil)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s does not answer: %w", python, err)
	case errors.Is(err, errTooMuch):
		return nil, refuse("is no Python 3: it does not stop answering", hint)
	case errors.As(err, &failed):
		return nil, refuse("is no Python 3: "+lastLine(failed.Output), hint)
	case err != nil:
		return nil, err
	}
	found := &Interpreter{}
	if err := json.Unmarshal(out, found); err != nil || found.Path == "" {
		return nil, refuse("is no Python 3: it does not answer as one", hint)
	}
	minor, err := strconv.Atoi(strings.TrimPrefix(found.Minor, "3."))
	if err != nil || minor < oldestMinor {
		return nil, refuse("is Python "+found.Version+", which is too old", hint)
	}
	return found, nil
}
