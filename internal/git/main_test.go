package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of an operator, with short waits.
func options() git.Options {
	return git.Options{
		Policy: gitname.Operator(true), Environ: os.Environ(),
		Timeout: 30 * time.Second, Backoff: time.Millisecond,
	}
}

// bot is a client for URLs that others wrote.
func bot(t *testing.T, allow ...string) *git.Client {
	t.Helper()
	o := options()
	o.Policy = allowing(t, allow...)
	return git.New(o)
}

// allowing is the policy for URLs that others wrote.
func allowing(t *testing.T, allow ...string) gitname.Policy {
	t.Helper()
	policy, err := gitname.Bot(allow)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// program writes a shell script into a directory of its own that is the first
// on the PATH of this process until the end of the test.
func program(t *testing.T, script string, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// decoys puts a git and an ssh on the PATH that do nothing but write down that
// they were called. The returned function says what was called so far.
func decoys(t *testing.T) (called func() string) {
	t.Helper()
	dir := program(t, `printf '%s\n' "$0" "$@" >>"${0%/*}/called"; exit 1`, "git", "ssh")
	return func() string {
		data, err := os.ReadFile(filepath.Join(dir, "called"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
}

// processes lists the command lines of the processes that have the setting in
// their environment, by /proc.
func processes(t testing.TB, setting string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(all) == 0 {
		t.Skip("there is no /proc here")
	}
	var found []string
	for _, path := range all {
		environ, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(environ), "\x00"+setting+"\x00") {
			continue
		}
		words, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found = append(found, strings.ReplaceAll(string(words), "\x00", " "))
	}
	return found
}

// gone waits until no process has the setting in its environment.
func gone(t testing.TB, setting string) {
	t.Helper()
	var left []string
	for range 100 {
		if left = processes(t, setting); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("processes are left: %q", left)
}

// credentials makes a credential-store file and the setting by which processes
// that may read it are known.
func credentials(t testing.TB, lines ...string) (file, setting string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, "ODYSSEY_GIT_CREDENTIALS=" + file
}

// names makes n names: "x-0001", …
func names(format string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}
