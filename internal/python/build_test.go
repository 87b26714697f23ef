package python_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/python"
)

// alpha needs beta, and has a program.
func packages() []distribution {
	return []distribution{
		{name: "alpha", version: "1.0", requires: []string{"beta>=1", `gamma; extra == "more"`}, script: true},
		{name: "beta", version: "1.0"},
		{name: "beta", version: "2.0", files: map[string]string{"beta/broken.py": "def (:\n", "beta/data.txt": "x"}},
		{name: "gamma", version: "0.5"},
	}
}

// A lock is installed as it is, twice with the same bytes.
func TestBuild_lock(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, packages()...)
		s := newScene(t, tool).on(x)
		text := x.lock("alpha", "1.0") + x.lock("beta", "1.0")
		s.file(t, "requirements.lock.txt", text)
		s.o.CompileBytecode = tool == python.ToolUV
		s.o.Cache = filepath.Join(s.dir, "cache")
		var phases []string
		s.o.Progress = func(phase, _ string) { phases = append(phases, phase) }
		report := s.build(t)
		if got := s.run(t, "alpha"); got != "1.0" {
			t.Errorf("alpha prints %q", got)
		}
		if got := s.run(t, "python", "-c", "import beta; print(beta.VERSION)"); got != "1.0" {
			t.Errorf("beta is %s; want the locked 1.0", got)
		}
		if report.Tool != tool || report.ToolVersion == "" || report.Packages != 2 || !report.Hashed || report.Refreshed || len(report.Warnings) > 0 {
			t.Errorf("report: %+v", report)
		}
		want := []string{"interpreter", "environment", "settings", "install", "normalize", "compile", "check"}
		if !s.o.CompileBytecode {
			want = slices.Delete(want, 5, 6)
		}
		if !slices.Equal(phases, want) {
			t.Errorf("phases %v, want %v", phases, want)
		}
		first := digest(t, s.o.Venv)
		s.build(t)
		if diff := cmp.Diff(first, digest(t, s.o.Venv)); diff != "" {
			t.Errorf("the second build differs:\n%s", diff)
		}
		if got := read(t, s.o.Lock); got != text {
			t.Errorf("the lock changed:\n%s", got)
		}
		checkTree(t, first, s.o.CompileBytecode)
	})
}

// checkTree looks for what an installer leaves behind.
func checkTree(t *testing.T, tree map[string]string, compiled bool) {
	t.Helper()
	count := 0
	for path, content := range tree {
		switch name := filepath.Base(path); {
		case slices.Contains([]string{"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json", ".lock"}, name):
			t.Errorf("%s is left", path)
		case strings.HasSuffix(name, ".pyc"):
			count++
		}
		mode, _, _ := strings.Cut(content, " ")
		if !slices.Contains([]string{"-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x", "Lrwxrwxrwx"}, mode) {
			t.Errorf("%s has the mode %s", path, mode)
		}
	}
	if compiled != (count > 100) {
		t.Errorf("%d files are compiled", count)
	}
}

// Without bytecode the trees of uv and pip are the same but for console
// scripts, whose text each writes in words of its own.
func TestBuild_sameTree(t *testing.T) {
	t.Parallel()
	x := newIndex(t, packages()...)
	s := newScene(t, python.ToolUV).on(x)
	s.file(t, "requirements.lock.txt", x.lock("alpha", "1.0")+x.lock("beta", "2.0"))
	s.build(t)
	byUV := digest(t, s.o.Venv)
	record := filepath.Join(s.o.Venv, "lib", "python"+minor(), "site-packages", "beta-2.0.dist-info", "RECORD")
	lines := strings.Split(strings.TrimSpace(read(t, record)), "\n")
	if !slices.IsSorted(lines) || len(lines) != 6 {
		t.Errorf("RECORD is %q", lines)
	}
	if got := read(t, filepath.Join(s.o.Venv, "pyvenv.cfg")); strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "home = ") {
		t.Errorf("pyvenv.cfg is %q", got)
	}
	s.o.Tool = python.ToolPip
	s.build(t)
	byPip := digest(t, s.o.Venv)
	for path := range byPip {
		if strings.HasSuffix(path, ".pyc") || strings.Contains(path, "__pycache__") {
			t.Errorf("%s is left", path)
		}
	}
	scripts := []string{"bin/alpha", "lib/python" + minor() + "/site-packages/alpha-1.0.dist-info/RECORD"}
	for _, path := range scripts {
		if byUV[path] == "" || byPip[path] == "" {
			t.Errorf("%s is missing", path)
		}
		delete(byUV, path)
		delete(byPip, path)
	}
	if diff := cmp.Diff(byUV, byPip); diff != "" {
		t.Errorf("uv and pip differ:\n%s", diff)
	}
}

// A lock without hashes, as pip-tools makes it, installs too.
func TestBuild_unhashed(t *testing.T) {
	t.Parallel()
	s := newScene(t, "").on(newIndex(t, packages()...))
	s.file(t, "requirements.lock.txt", "gamma==0.5\n")
	if report := s.build(t); report.Hashed || report.Packages != 1 || report.Tool != python.ToolUV {
		t.Errorf("report: %+v", report)
	}
	s.run(t, "python", "-c", "import gamma")
}

// A refresh moves to the newest allowed, and writes the lock only then.
func TestBuild_refresh(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, packages()...)
		s := newScene(t, tool).on(x)
		s.o.Refresh = true
		s.o.Requirements = []string{s.file(t, "odoo/requirements.txt", "Alpha==1.0 ; python_version > '3'\nnever ; python_version < '3'\n"), s.file(t, "requirements.in", "beta\n")}
		s.o.Constraints = []string{s.file(t, "requirements-constraints.in", "beta<2\n")}
		report := s.build(t)
		want := "# Generated by odoo-build-image for Python " + minor() + ".\n" +
			"# Do not edit it by hand: edit requirements.in, then refresh the lock.\n" +
			"alpha==1.0 \\\n    --hash=" + x.hash("alpha-1.0-py3-none-any.whl") + "\n    # via -r requirements.txt\n" +
			"beta==1.0 \\\n    --hash=" + x.hash("beta-1.0-py3-none-any.whl") + "\n"
		if got := read(t, s.o.Lock); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "    #   -r requirements.in\n    #   alpha\n") {
			t.Errorf("the lock is:\n%s\nwant\n%s", got, want)
		}
		if diff := cmp.Diff([]python.Change{{Name: "alpha", New: "1.0"}, {Name: "beta", New: "1.0"}}, report.Changes); diff != "" {
			t.Error(diff)
		}
		if !report.Refreshed || !report.LockWritten || !strings.Contains(report.Normalized, "beta") {
			t.Errorf("report: %+v", report)
		}
		if tool == python.ToolUV {
			s.refreshAgain(t)
		}
	})
}

// refreshAgain refreshes to the same lock, then to a newer one.
func (s *scene) refreshAgain(t *testing.T) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	for _, err := range []error{os.Chtimes(s.o.Lock, old, old), os.Chmod(s.o.Lock, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report := s.build(t)
	if info, err := os.Stat(s.o.Lock); err != nil || report.LockWritten || !info.ModTime().Equal(old.Truncate(0)) {
		t.Errorf("the same lock was written anew (%+v, %v)", info, err)
	}
	s.o.Constraints = nil
	report = s.build(t)
	if diff := cmp.Diff([]python.Change{{Name: "beta", Old: "1.0", New: "2.0"}}, report.Changes); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(s.o.Lock); err != nil || info.Mode() != 0o600 {
		t.Errorf("the lock's mode changed: %v, %v", info, err)
	}
}

// Source distributions are built with tools within the build constraints.
func TestBuild_sdist(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, buildtool("1.0"), buildtool("2.0"))
		x.put(distribution{name: "delta", version: "3.0"}.sdist(t))
		s := newScene(t, tool).on(x)
		s.o.Refresh = true
		s.o.Requirements = []string{s.file(t, "requirements.in", "delta\n")}
		s.o.BuildConstraints = []string{s.file(t, "build.txt", "buildtool<2\n")}
		report := s.build(t)
		if got := s.run(t, "python", "-c", "import delta; print(delta.BUILT_BY)"); got != "1.0" {
			t.Errorf("built by buildtool %s", got)
		}
		if !slices.Equal(report.Built, []string{"delta"}) || report.Packages != 1 {
			t.Errorf("report: %+v", report)
		}
	})
}
