package launch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestWrite_modes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	run, file := s.path("run"), s.path("run/odoo.conf")
	first := s.rendered(t, "ODOO_DB_HOST=a")
	if mode(t, run) != 0o700 || mode(t, file) != 0o600 {
		t.Errorf("directory %o, file %o", mode(t, run), mode(t, file))
	}
	// Open to others, with nothing of theirs in it: it is closed.
	s.write(t, "run/odoo.conf", "x", 0o644)
	if err := os.Chmod(run, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := s.rendered(t, "ODOO_DB_HOST=a"); got != first || mode(t, run) != 0o700 || mode(t, file) != 0o600 {
		t.Errorf("directory %o, file %o\n%s", mode(t, run), mode(t, file), got)
	}
	// The same text: the very same file.
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	s.rendered(t, "ODOO_DB_HOST=a")
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written again: %v", err)
	}
	// Another text: another file, and what reads the old one keeps it.
	s.rendered(t, "ODOO_DB_HOST=b")
	if after, err := os.Stat(file); err != nil || os.SameFile(before, after) {
		t.Errorf("it was written in place: %v", err)
	}
	if left, err := os.ReadDir(run); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A link in the file's place is replaced, not followed.
func TestWrite_link(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	target := s.write(t, "target", "untouched", 0o644)
	if err := os.Mkdir(s.path("run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, s.path("run/odoo.conf")); err != nil {
		t.Fatal(err)
	}
	s.rendered(t, "ODOO_DB_HOST=a")
	if text, err := os.ReadFile(target); err != nil || string(text) != "untouched" {
		t.Errorf("%v, %s", err, text)
	}
}

func TestWrite_refuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, s *scene)
		want    string
	}{
		{"a file for the directory", func(t *testing.T, s *scene) { t.Helper(); s.write(t, "run", "", 0o644) }, "is not a directory"},
		{"a file above the directory", func(t *testing.T, s *scene) {
			t.Helper()
			s.env[2] = "ODOO_RUNTIME_RC=" + filepath.Join(s.write(t, "up", "", 0o644), "run", "odoo.conf")
		}, "not a directory"},
		{"nobody may make it", func(t *testing.T, s *scene) {
			t.Helper()
			if os.Geteuid() == 0 {
				s.env[2] = "ODOO_RUNTIME_RC=/proc/self/nowhere/odoo.conf" // root may write wherever anybody may
				return
			}
			s.env[2] = "ODOO_RUNTIME_RC=/nowhere/run/odoo.conf"
		}, "cannot be made"},
		{"others' things in it", func(t *testing.T, s *scene) {
			t.Helper()
			s.write(t, "run/theirs", "", 0o644)
		}, "has other things in it, such as theirs"},
		{"a directory for the file", func(t *testing.T, s *scene) {
			t.Helper()
			if err := os.MkdirAll(s.path("run/odoo.conf/x"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "file exists"},
		{"another's directory", func(t *testing.T, s *scene) {
			t.Helper()
			if os.Geteuid() != 0 {
				s.env[2] = "ODOO_RUNTIME_RC=/usr/odoo.conf" // only root gives directories away
				return
			}
			if err := os.Mkdir(s.path("run"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(s.path("run"), 1234, 1234); err != nil {
				t.Fatal(err)
			}
		}, fmt.Sprintf("belongs to uid %d and this process is uid %d", map[bool]int{true: 1234}[os.Geteuid() == 0], os.Geteuid())},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			test.prepare(t, s)
			l, err := s.launch("ODOO_DB_PASSWORD=canary")
			if err != nil {
				t.Fatal(err)
			}
			err = l.Write()
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v; want %s", err, test.want)
			}
			if test.want != "file exists" && l.Check() == nil {
				t.Error("Check finds nothing")
			}
			if left, _ := filepath.Glob(s.path("run/.odoo.conf*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}
