// Package pytools finds the Python tools of a pinned version that the tests
// use: uv, pip, pip-tools and packaging. test/setup.sh installs them if they
// are missing.
package pytools

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/setup"
)

// find looks for the environment once in a process.
var find = sync.OnceValues(func() (string, error) { return setup.Part("pytools", "pytools") })

// UV returns the path of uv.
func UV(t testing.TB) string {
	t.Helper()
	return program(t, "uv")
}

// Python returns the interpreter that has packaging, pip and piptools.
func Python(t testing.TB) string {
	t.Helper()
	return program(t, "python")
}

// PipCompile returns the path of pip-compile.
func PipCompile(t testing.TB) string {
	t.Helper()
	return program(t, "pip-compile")
}

// Dir returns the root of the environment, with its programs in bin.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := find()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func program(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(Dir(t), "bin", name)
}
