package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/python"
)

// pip.conf counts for uv as for pip: the index with a login from the user's
// file, a second index from the environment, packages from a directory.
func TestBuild_pipConf(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		private, public := newIndex(t, distribution{name: "alpha", version: "2.0"}), newIndex(t, distribution{name: "alpha", version: "1.0"})
		private.login = "bot:p%40ssw0rd'%22" // as it stands in the URL
		s := newScene(t, tool)
		s.file(t, "home/.config/pip/pip.conf", "[global]\nindex-url = http://127.0.0.1:1/simple\nuser = true\ntarget = /nonexistent\n"+
			"[install]\nindex-url = "+private.simple()+"\nno-binary = other\nfind-links = ~/wheels\n")
		private.login = "bot:p@ssw0rd'\""
		s.o.Environ = append(s.o.Environ, "PIP_EXTRA_INDEX_URL="+public.simple(), "PIP_TARGET=/nonexistent", "PIP_QUIET=3", "PIP_TIMEOUT=7.5")
		name, data := distribution{name: "beta", version: "0.3"}.wheel(t)
		s.file(t, filepath.Join("home", "wheels", name), string(data))
		s.o.Refresh = true
		s.o.Requirements = []string{s.file(t, "requirements.in", "alpha\nbeta\n")}
		report := s.build(t)
		want := []python.Change{{Name: "alpha", New: "2.0"}, {Name: "beta", New: "0.3"}}
		if !slices.Equal(report.Changes, want) {
			t.Errorf("changes %+v, want %+v: all indexes have a say", report.Changes, want)
		}
		if !slices.Contains(report.Warnings, "pip's setting target is not followed") || slices.Contains(report.Warnings, "pip's setting user is not followed") {
			t.Errorf("warnings: %q", report.Warnings)
		}
		if files := contains(t, s.o.Venv, "ssw0rd"); len(files) > 0 || strings.Contains(read(t, s.o.Lock), "127.0.0.1") {
			t.Errorf("the index is in %q or the lock", files)
		}
		if tool == python.ToolPip {
			return
		}
		s.o.Environ = append(s.o.Environ, "UV_DEFAULT_INDEX="+public.simple())
		s.o.Requirements = []string{s.file(t, "requirements.in", "alpha>1\n")}
		if err := s.fail(t.Context(), t); !strings.Contains(err.Error(), "alpha") {
			t.Errorf("uv's own index did not count: %v", err)
		}
	})
}

// A pip.conf that pip cannot read is an error that names it.
func TestBuild_brokenPipConf(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolUV)
	s.file(t, "requirements.lock.txt", "beta==1.0\n")
	path := s.file(t, "home/.config/pip/pip.conf", "index-url = https://user:hidden@example.org/\n")
	err := s.fail(t.Context(), t)
	if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

// An index in a requirements file counts, and what the lock lacks is told.
func TestBuild_options(t *testing.T) {
	t.Parallel()
	x := newIndex(t, packages()...)
	s := newScene(t, python.ToolUV)
	s.file(t, "requirements.lock.txt", x.lock("beta", "1.0"))
	s.o.Environ = append(s.o.Environ, "PIP_INDEX_URL=http://127.0.0.1:1/")
	s.o.Requirements = []string{s.file(t, "requirements.in", "--index-url "+x.simple()+"\nbeta>1\nalpha\n")}
	s.o.Constraints = []string{s.file(t, "constraints.in", "gamma<1\nbeta<1\n")}
	report := s.build(t)
	want := []string{
		"requirements.in:2: asks for beta>1, and the lock has 1.0; refresh the lock",
		"requirements.in:3: alpha is not in the lock; refresh the lock",
		"constraints.in:2: asks for beta<1, and the lock has 1.0; refresh the lock",
	}
	if !slices.Equal(report.Warnings, want) {
		t.Errorf("warnings %q, want %q", report.Warnings, want)
	}
	if _, err := os.Stat(s.o.Venv); err != nil {
		t.Error(err)
	}
}

// Settings of a package's build reach its build.
func TestBuild_configSettings(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, buildtool("1.0"))
		x.put(distribution{name: "delta", version: "3.0"}.sdist(t))
		s := newScene(t, tool).on(x)
		s.file(t, "requirements.lock.txt", "delta==3.0 --hash="+x.hash("delta-3.0.tar.gz")+"\n")
		s.o.Requirements = []string{s.file(t, "requirements.in", `delta --config-settings="mark=it's set"`+"\n")}
		version, err := exec.Command(interpreter(), "-I", "-c", "import ensurepip; print(ensurepip.version())").Output()
		if err != nil {
			t.Fatal(err)
		}
		if old := strings.HasPrefix(string(version), "22.") || strings.HasPrefix(string(version), "23.0"); old && tool == python.ToolPip {
			if err := s.fail(t.Context(), t); !strings.Contains(err.Error(), "this pip is too old") {
				t.Error(err)
			}
			return
		}
		s.build(t)
		if got := s.run(t, "python", "-c", "import delta; print(delta.SETTINGS)"); got != "{'mark': \"it's set\"}" {
			t.Errorf("settings %s", got)
		}
	})
}
