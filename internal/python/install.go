package python

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// install puts what a lock file names into the environment of python, as it is:
// no dependency is looked for. It returns the names of what was built from
// source distributions, sorted.
func (t *tool) install(ctx context.Context, s *settings, python, lock string, hashed bool, how building) ([]string, error) {
	r, program := *t.r, python
	args := []string{"-I", "-B", "-m", "pip", "install", "--no-compile", "--no-warn-script-location"}
	if t.name == ToolUV {
		program = t.path
		args = slices.Concat([]string{"pip", "install", "--python", python}, s.uvArguments(), how.uvArguments())
	} else {
		r.env = slices.Concat(r.env, how.pipEnvironment())
	}
	args = append(args, "--no-deps", "-r", lock)
	if hashed {
		args = append(args, "--require-hashes")
	}
	out, err := r.quiet(ctx, "install", program, args...)
	if err != nil {
		return nil, err
	}
	return builtPackages(out), nil
}

// What uv and pip say of a package that they built.
var (
	uvBuilt  = regexp.MustCompile(`(?m)^ +Built ([A-Za-z0-9._-]+)(?:==| @ )`)
	pipBuilt = regexp.MustCompile(`(?m)^Successfully built (.+)$`)
)

func builtPackages(out string) []string {
	built := []string{}
	for _, m := range uvBuilt.FindAllStringSubmatch(out, -1) {
		built = append(built, pep508.Normalize(m[1]))
	}
	for _, m := range pipBuilt.FindAllStringSubmatch(out, -1) {
		for _, name := range strings.Fields(m[1]) {
			built = append(built, pep508.Normalize(name))
		}
	}
	slices.Sort(built)
	return slices.Compact(built)
}

// compile adds .pyc files that are checked against nothing: their sources do
// not change in an image. One process in a fixed order makes the same bytes
// each time. Sources that do not compile, such as templates, are left alone.
func compile(ctx context.Context, r *runner, venv string) error {
	compiling := *r
	compiling.env = slices.DeleteFunc(slices.Clone(r.env), func(kv string) bool { return strings.HasPrefix(kv, "PYTHONDONTWRITEBYTECODE=") })
	_, err := compiling.quiet(ctx, "compile", filepath.Join(venv, "bin", "python"), "-s", "-c", compilation, filepath.Join(venv, "lib"))
	return err
}

const compilation = `
import os, py_compile, sys
for directory, names, files in os.walk(sys.argv[1]):
    names.sort()
    for name in sorted(files):
        if not name.endswith(".py"):
            continue
        try:
            py_compile.compile(os.path.join(directory, name), doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        except (py_compile.PyCompileError, SyntaxError, ValueError, RecursionError):
            pass
`

// CheckError is what pip check complains about: packages that lack others, or
// have them in versions that they do not work with.
type CheckError struct{ Problems []string }

func (e *CheckError) Error() string {
	return "the packages do not fit together:\n  " + strings.Join(e.Problems, "\n  ") +
		"\n  change requirements.in, or the overrides, and refresh the lock"
}

// Check runs pip check in an environment. environ is the caller's environment.
// The error is a *CheckError when packages do not fit together.
func Check(ctx context.Context, venv string, environ []string) error {
	venv, err := filepath.Abs(venv)
	if err != nil {
		return err
	}
	r := newRunner(environ)
	r.env = append(r.env, "PIP_CONFIG_FILE=/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1")
	out := &bounded{}
	err = r.run(ctx, "pip check", out, nil, filepath.Join(venv, "bin", "python"), "-I", "-B", "-m", "pip", "check")
	failed := (*ToolError)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	said := strings.TrimSpace(r.redact.clean(string(out.data)))
	if failed.ExitCode != 1 || said == "" {
		return fmt.Errorf("%w\n  %s", err, said)
	}
	return &CheckError{Problems: strings.Split(said, "\n")}
}
