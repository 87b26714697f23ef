// Package aggregator finds the real git-aggregator 4.1, and installs it by
// test/setup.sh if it is missing.
package aggregator

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/setup"
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
	dir, err := setup.Part("gitaggregate", "git-aggregator-4.1")
	return filepath.Join(dir, "bin", "gitaggregate"), err
}
