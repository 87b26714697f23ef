package enterprise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/test/treetest"
)

// TestMain is the import itself for the processes that are killed.
func TestMain(m *testing.M) {
	args := strings.Split(os.Getenv("ODYSSEY_TEST_IMPORT"), "\n")
	if len(args) != 5 {
		os.Exit(m.Run())
	}
	o := enterprise.Options{
		Bundle: args[0], Community: args[1], Lock: args[2], Dest: "./odoo", Mirror: args[3], Extract: args[4], Apply: args[4] == "",
		Limits: archive.DefaultLimits(),
	}
	if _, err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killed runs an import in a process that is killed after a time, and reports
// whether it had ended by then.
func (s *scene) killed(after time.Duration, o enterprise.Options) (ended bool) {
	s.t.Helper()
	cmd := process(o)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	return cmd.Wait() == nil
}

// whole runs an import in a process that may end by itself.
func (s *scene) whole(o enterprise.Options) bool {
	s.t.Helper()
	out, err := process(o).CombinedOutput()
	if err != nil {
		s.t.Logf("%s", out)
	}
	return err == nil
}

func process(o enterprise.Options) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ODYSSEY_TEST_IMPORT="+strings.Join([]string{o.Bundle, o.Community, o.Lock, o.Mirror, o.Extract}, "\n"))
	return cmd
}

// manyFiles gives the bundle modules that take a while.
func (s *scene) manyFiles() {
	for m := range 40 {
		dir := fmt.Sprintf("odoo/addons/many_%02d/", m)
		s.files[dir+"__manifest__.py"] = manifest
		for f := range 30 {
			s.files[fmt.Sprintf("%sdata/%d.xml", dir, f)] = strings.Repeat(fmt.Sprintf("<record id=%q/>\n", dir+fmt.Sprint(f)), 500)
		}
	}
}

func TestFault_C4_ExtractKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.manyFiles()
	o := s.options()
	o.Mirror, o.Extract = "", s.dir+"/whole"
	if !s.whole(o) {
		t.Fatal("the import failed")
	}
	want, err := treetest.Describe(o.Extract)
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for after := 10 * time.Millisecond; after < time.Second; after *= 2 {
		o.Extract = fmt.Sprintf("%s/out-%d", s.dir, after)
		if !s.killed(after, o) {
			broken++
		}
		got, err := treetest.Describe(o.Extract)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("killed after %s: %v\n%.2000s", after, err, diff)
		}
	}
	if broken == 0 {
		t.Error("no import was killed in time")
	}
}

// Killed at any point, an import has made all commits or none, and what was left
// can be gone on with.
func TestFault_C4_ApplyKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(s.mirror, map[string]string{"README.md": "# Ours\n"})
	s.commit(s.mirror, "ours")
	before := s.git(s.mirror, "rev-parse", "HEAD")
	s.manyFiles()
	o := s.options()
	o.Mirror = s.dir + "/whole"
	s.git(s.dir, "clone", "-q", s.mirror, o.Mirror)
	if !s.whole(o) {
		t.Fatal("the import failed")
	}
	whole := s.git(o.Mirror, "rev-parse", "HEAD")
	broken := 0
	for after := 10 * time.Millisecond; after < 2*time.Second; after *= 2 {
		o.Mirror = fmt.Sprintf("%s/mirror-%d", s.dir, after)
		s.git(s.dir, "clone", "-q", s.mirror, o.Mirror)
		if !s.killed(after, o) {
			broken++
		}
		if head := s.git(o.Mirror, "rev-parse", "HEAD"); head != before && head != whole {
			t.Fatalf("killed after %s: HEAD is %s", after, head)
		}
		s.git(o.Mirror, "fsck", "--strict")
		_ = os.Remove(filepath.Join(o.Mirror, ".git", "index.lock")) // as git says itself
		s.git(o.Mirror, "reset", "-q", "--hard")
		if r, err := run(t.Context(), applied(o)); err != nil || s.git(o.Mirror, "rev-parse", "HEAD") != whole {
			t.Fatalf("killed after %s, and again: %v %+v", after, err, r)
		}
	}
	if broken == 0 {
		t.Error("no import was killed in time")
	}
}

func applied(o enterprise.Options) enterprise.Options {
	o.Apply = true
	return o
}
