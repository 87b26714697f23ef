// Package aggregator finds the real git-aggregator 4.1, and installs it by
// test/setup.sh if it is missing.
package aggregator

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// find looks for the program once in a process.
var find = sync.OnceValues(locate)

// Program returns the path of gitaggregate.
func Program(t testing.TB) string {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Python returns the interpreter that has git_aggregator.
func Python(t testing.TB) string {
	t.Helper()
	return filepath.Join(filepath.Dir(Program(t)), "python")
}

// Path returns the path of gitaggregate, or an error.
func Path() (string, error) { return find() }

func locate() (string, error) {
	if program := os.Getenv("GITAGGREGATE"); program != "" {
		return program, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, "odyssey", "test", "git-aggregator-4.1", "bin", "gitaggregate")
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(filepath.Join(root, "test", "setup.sh"), "gitaggregate").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("test/setup.sh gitaggregate: %w\n%s", err, out)
	}
	return program, nil
}

// moduleRoot is the directory of go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}
