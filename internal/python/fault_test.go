package python_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/python"
)

// former puts something like an environment where the new one is to be.
func (s *scene) former(t *testing.T) {
	t.Helper()
	s.file(t, "place/venv/pyvenv.cfg", "former\n")
}

// kept checks that it is still there.
func (s *scene) kept(t *testing.T) {
	t.Helper()
	if got := read(t, filepath.Join(s.o.Venv, "pyvenv.cfg")); got != "former\n" {
		t.Errorf("the former environment is gone: %q", got)
	}
}

// served serves another file than the locked one.
func served(t *testing.T, _ *scene, x *index) {
	t.Helper()
	_, x.serve["beta-1.0-py3-none-any.whl"] = distribution{name: "beta", version: "1.0", files: map[string]string{"evil.pth": ""}}.wheel(t)
}

// Whatever fails, the lock and the environment of before stay, and the error
// says what to do.
func TestBuild_fails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, tool string
		prepare    func(t *testing.T, s *scene, x *index)
		says       []string
	}{
		{"another file is served", python.ToolUV, served, []string{"install: ", "beta", "another file than the one that was locked"}},
		{"another file is served", python.ToolPip, served, []string{"install: ", "beta", "another file than the one that was locked"}},
		{"the index has a fault", python.ToolPip, func(_ *testing.T, s *scene, x *index) {
			s.o.Environ = append(s.o.Environ, "PIP_RETRIES=0")
			x.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
		}, []string{"install: ", "PIP_INDEX_URL"}},
		{"the index is down", python.ToolUV, func(_ *testing.T, s *scene, _ *index) {
			s.o.Environ = append(s.o.Environ, "PIP_RETRIES=0", "PIP_INDEX_URL=http://127.0.0.1:1/simple")
		}, []string{"install: ", "PIP_INDEX_URL"}},
		{"packages do not fit", python.ToolPip, func(t *testing.T, s *scene, x *index) {
			t.Helper()
			x.add(t, distribution{name: "beta", version: "0.1"})
			s.file(t, "requirements.lock.txt", x.lock("alpha", "1.0")+x.lock("beta", "0.1"))
		}, []string{"do not fit together", "alpha 1.0 has requirement beta>=1, but you have beta 0.1", "refresh the lock"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t, packages()...)
			s := newScene(t, test.tool).on(x)
			s.file(t, "requirements.lock.txt", x.lock("alpha", "1.0")+x.lock("beta", "1.0"))
			s.former(t)
			test.prepare(t, s, x)
			err := s.fail(t.Context(), t)
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
			if code := cli.Code(err); code != cli.ExitFailed {
				t.Errorf("exit code %d", code)
			}
			s.kept(t)
		})
	}
}

// A failing refresh leaves the lock as it was.
func TestBuild_refreshFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolUV).on(newIndex(t, packages()...))
	s.o.Refresh = true
	s.o.Requirements = []string{s.file(t, "requirements.in", "alpha\nbeta>7\n")}
	s.file(t, "requirements.lock.txt", "alpha==0.1\n")
	err := s.fail(t.Context(), t)
	if !strings.Contains(err.Error(), "resolve: ") || !strings.Contains(err.Error(), "beta>7") {
		t.Error(err)
	}
	if got := read(t, s.o.Lock); got != "alpha==0.1\n" {
		t.Errorf("the lock is now %q", got)
	}
	if _, err := os.Stat(s.o.Venv); !os.IsNotExist(err) {
		t.Errorf("half an environment is left: %v", err)
	}
}

// An index that hangs ends with the context, and so do the tool and its
// children.
func TestBuild_hang(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, packages()...)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		x.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			cancel()
			select {
			case <-r.Context().Done():
			case <-over:
			}
			return true
		}
		s := newScene(t, tool).on(x)
		s.file(t, "requirements.lock.txt", x.lock("beta", "1.0"))
		s.former(t)
		start := time.Now()
		err := s.fail(ctx, t)
		close(over)
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "install: ") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		s.kept(t)
	})
}

// fakePython is an interpreter that answers as a real one, but for what a
// script does about its venv module.
func (s *scene) fakePython(t *testing.T, venv string) {
	t.Helper()
	s.o.Python = s.file(t, "fake/python3", fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *'-m venv'*) %s;; esac\n%q \"$@\" | sed \"s#%s#$0#\"\n", venv, interpreter(), interpreter()))
	if err := os.Chmod(s.o.Python, 0o755); err != nil {
		t.Fatal(err)
	}
	s.file(t, "requirements.lock.txt", "beta==1.0\n")
}

// A program that is killed says so.
func TestBuild_killed(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolUV)
	s.fakePython(t, "kill -9 $$")
	s.former(t)
	err := s.fail(t.Context(), t)
	if !strings.Contains(err.Error(), "make the environment: venv was ended by a signal: killed") || !strings.Contains(err.Error(), "memory") {
		t.Error(err)
	}
	s.kept(t)
}

// Debian's Python comes without what makes environments.
func TestBuild_noEnsurepip(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolUV)
	s.fakePython(t, `d="$6"; mkdir -p "$d/bin"; printf '#!/bin/sh\necho "No module named ensurepip"; exit 1\n' >"$d/bin/python"; chmod +x "$d/bin/python"; exit 0`)
	err := s.fail(t.Context(), t)
	if !strings.Contains(err.Error(), "install Debian's python3-venv") || !strings.Contains(err.Error(), "python"+minor()+"-venv") {
		t.Error(err)
	}
}

// A run that was killed with an environment moved aside is followed by one
// that fails: the one before the first comes back.
func TestFault_C3_KilledBuild(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolUV)
	s.fakePython(t, `mkdir -p "$6"; echo half >"$6/pyvenv.cfg"; exit 1`)
	s.file(t, "place/.venv.before/pyvenv.cfg", "former\n")
	s.file(t, "place/venv/pyvenv.cfg", "half\n")
	if err := s.fail(t.Context(), t); !strings.HasPrefix(err.Error(), "make the environment: ") {
		t.Error(err)
	}
	s.kept(t)
}

// Two runs do not build in one place at once.
func TestBuild_twice(t *testing.T) {
	t.Parallel()
	s := newScene(t, python.ToolPip)
	s.file(t, "requirements.lock.txt", "beta==1.0\n")
	s.former(t)
	place, err := os.Open(filepath.Dir(s.o.Venv))
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	if err := syscall.Flock(int(place.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := s.fail(t.Context(), t); !strings.Contains(err.Error(), "another run is building") {
		t.Error(err)
	}
	s.kept(t)
}

// What is wrong with the input is found before anything is touched.
func TestBuild_invalid(t *testing.T) {
	t.Parallel()
	nothing := func(*python.Options) {}
	lock := func(text string) map[string]string { return map[string]string{"requirements.lock.txt": text} }
	for _, test := range []struct {
		name   string
		files  map[string]string
		change func(o *python.Options)
		says   string
	}{
		{"no lock", nil, nothing, "requirements.lock.txt: there is no such file\n  make it with --refresh-requirements-lock"},
		{"empty lock", lock("# later\n"), nothing, "names no package\n  make it with --refresh-requirements-lock"},
		{
			"lock for another Python", lock("# Generated by odoo-build-image for Python 3.4.\nbeta==1.0\n"), nothing,
			"is a lock for Python 3.4, and " + interpreter() + " is Python " + minor(),
		},
		{"half hashed", lock("a==1 --hash=sha256:" + strings.Repeat("0", 64) + "\nb==1\n"), nothing, "requirements.lock.txt:2: "},
		{"lock is a directory", map[string]string{"requirements.lock.txt/x": ""}, nothing, "is not a regular file"},
		{"nothing to refresh from", nil, func(o *python.Options) { o.Refresh = true }, "no requirements file asks for a package"},
		{"contradiction", map[string]string{"requirements.lock.txt": "a==1\n", "r.in": "a==1\na==2\n"}, func(o *python.Options) {
			o.Requirements = []string{filepath.Join(filepath.Dir(o.Lock), "r.in")}
		}, "r.in:2: "},
		{"not an environment", map[string]string{"requirements.lock.txt": "beta==1.0\n", "place/venv/precious": ""}, nothing, "venv: is no Python environment, and not empty"},
		{"a file in the way", map[string]string{"requirements.lock.txt": "beta==1.0\n", "place/venv": ""}, nothing, "venv: is no directory"},
		{"unknown tool", nil, func(o *python.Options) { o.Tool = "poetry" }, `"poetry" is no tool`},
		{"uv is missing", nil, func(o *python.Options) { o.Environ = []string{"PATH=/nonexistent"} }, "uv: no such program on PATH"},
		{"no Python", nil, func(o *python.Options) { o.Python = "python2.9" }, "python2.9: no such program on PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, python.ToolUV)
			for name, text := range test.files {
				s.file(t, name, text)
			}
			test.change(&s.o)
			before := fmt.Sprint(digest(t, s.dir))
			err := s.fail(t.Context(), t)
			if !strings.Contains(err.Error(), test.says) || cli.Code(err) != cli.ExitInvalid {
				t.Errorf("exit code %d, error %v\nwant %q", cli.Code(err), err, test.says)
			}
			if after := fmt.Sprint(digest(t, s.dir)); strings.Replace(after, "place:drwxr-xr-x  ", "", 1) != strings.Replace(before, "place:drwxr-xr-x  ", "", 1) {
				t.Errorf("files changed:\n%s\n%s", before, after)
			}
		})
	}
}

// An index password reaches no argument, file, report or error.
func TestFault_T1_IndexPassword(t *testing.T) {
	t.Parallel()
	const canary = "c4nary-T0ken"
	both(t, func(t *testing.T, tool string) {
		t.Helper()
		x := newIndex(t, packages()...)
		x.login = "bot:" + canary
		var seen []string
		x.fault = func(http.ResponseWriter, *http.Request) bool {
			seen = append(seen, arguments(canary)...)
			return false
		}
		s := newScene(t, tool).on(x)
		s.o.Cache = filepath.Join(s.dir, "cache")
		s.o.Refresh = true
		s.o.Requirements = []string{s.file(t, "requirements.in", "alpha\n")}
		report := s.build(t)
		text, err := json.Marshal(report)
		if err != nil || strings.Contains(string(text), canary) {
			t.Errorf("report: %s, %v", text, err)
		}
		s.o.Environ = append(s.o.Environ, "PIP_INDEX_URL="+strings.Replace(x.simple(), "bot:", "other:", 1))
		s.o.Cache = ""
		refused := s.fail(t.Context(), t)
		if strings.Contains(fmt.Sprintf("%+v", refused), canary) || !strings.Contains(refused.Error(), "credentials") {
			t.Errorf("error: %v", refused)
		}
		if len(seen) > 0 {
			t.Errorf("arguments of processes: %q", seen)
		}
		if files := contains(t, s.dir, canary); len(files) > 0 {
			t.Errorf("files: %q", files)
		}
	})
}

// arguments lists the processes in whose arguments a text stands; there are
// none where the system does not tell.
func arguments(text string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), text) {
			found = append(found, strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}
