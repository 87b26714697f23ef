package python_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/test/pytools"
)

// Query agrees with the packaging library about the variables of markers.
func TestQuery(t *testing.T) {
	t.Parallel()
	path := pytools.Python(t)
	out, err := exec.Command(path, "-I", "-c", "import json; from packaging.markers import default_environment as e; print(json.dumps(e()))").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := pep508.Environment{}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "extra")
	got, err := python.Query(t.Context(), path, []string{"PATH=/usr/bin:/bin", "PYTHONHOME=/nonexistent", "PYTHONPATH=/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Markers); diff != "" {
		t.Error(diff)
	}
	if got.Path != path || got.Version != want["python_full_version"] || got.Minor != minor() {
		t.Errorf("Query = %+v", got)
	}
}

// A name is looked up on the caller's PATH.
func TestQuery_path(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(interpreter(), filepath.Join(dir, "python-of-the-test")); err != nil {
		t.Fatal(err)
	}
	if _, err := python.Query(t.Context(), "python-of-the-test", []string{"PATH=relative:" + dir}); err != nil {
		t.Error(err)
	}
}

func TestQuery_refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, script, says string }{
		{"missing", "", "there is no such file"},
		{"no Python", "echo unknown option >&2; exit 2", "is no Python 3: unknown option"},
		{"garbage", "echo hello", "does not answer as one"},
		{"endless garbage", "exec cat /dev/zero", "does not stop answering"},
		{"old", `echo '{"path": "/p", "version": "3.9.2", "minor": "3.9", "markers": {}}'`, "is Python 3.9.2, which is too old"},
		{"very old", `echo '{"path": "/p", "version": "2.7.18", "minor": "2.7", "markers": {}}'`, "is Python 2.7.18, which is too old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "python3")
			if test.script != "" {
				if err := os.WriteFile(path, []byte("#!/bin/sh\n"+test.script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			_, err := python.Query(t.Context(), path, []string{"PATH=/usr/bin:/bin"})
			if err == nil || !strings.Contains(err.Error(), test.says) || cli.Code(err) != cli.ExitInvalid {
				t.Errorf("exit code %d, error %v; want %q", cli.Code(err), err, test.says)
			}
		})
	}
}

// What hangs ends in time, with its children.
func TestQuery_hang(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "python3")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nsleep 600 &\necho $! >"+dir+"/child\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	_, err := python.Query(ctx, path, []string{"PATH=/usr/bin:/bin"})
	if err == nil || !strings.Contains(err.Error(), "does not answer") || time.Since(start) > 30*time.Second {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
	child, err := strconv.Atoi(strings.TrimSpace(read(t, filepath.Join(dir, "child"))))
	if err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(child, 0) == nil && !isZombie(child) {
		if time.Since(start) > 30*time.Second {
			t.Fatal("the child lives on")
		}
		runtime.Gosched()
	}
}

// isZombie reports whether a process has ended, and its parent has not looked.
func isZombie(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(data), ") Z ")
}
