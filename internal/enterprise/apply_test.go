package enterprise_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A README of the operator's keeps its text.
func TestImport_readme(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(s.mirror, map[string]string{"README.md": "# Ours\n\nText.\n", ".gitignore": "/web_studio/\n"})
	s.commit(s.mirror, "ours")
	s.apply(s.options())
	s.write(s.mirror, map[string]string{"README.md": s.read("README.md") + "\nAfter.\n"})
	s.commit(s.mirror, "more")
	o := s.options()
	o.Bundle = s.bundle("odoo_17.0+e.20260515.tar.gz", bundleTop)
	s.apply(o)
	text := s.read("README.md")
	if !strings.HasPrefix(text, "# Ours\n\nText.\n\n<!--") || !strings.HasSuffix(text, "-->\n\nAfter.\n") ||
		strings.Count(text, "odoo_17.0+e.20260515.tar.gz") != 1 || strings.Contains(text, "20260514") {
		t.Error(text)
	}
}

func (s *scene) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.mirror, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// wrongGit puts a shell script in the place of git on the PATH, which is where programs are looked
// up; in it GIT stands for git itself.
func (s *scene) wrongGit(script string) {
	s.t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(s.dir, map[string]string{"bin/git": "#!/bin/sh\n" + strings.ReplaceAll(script, "GIT", git)})
	s.t.Setenv("PATH", s.dir+"/bin:"+os.Getenv("PATH"))
}

// A git that leaves a file out is found out before anything is the mirror's.
func TestImport_verifies(t *testing.T) { //nolint:paralleltest // it sets PATH
	s := newScene(t)
	s.wrongGit(`case " $* " in
*' fast-import '*) sed '/^M .*s[.]js/d' | GIT "$@" ;;
*) exec GIT "$@" ;;
esac
`)
	_, err := run(t.Context(), applied(s.options()))
	if err == nil || !strings.Contains(err.Error(), `lack 1 file of the bundle, such as "web_studio/s.js"`) {
		t.Errorf("got %v", err)
	}
	if out := s.git(s.mirror, "count-objects", "-v"); !strings.Contains(out, "in-pack: 0") {
		t.Error(out)
	}
	s.untouchedObjects()
}

// A work tree that cannot follow the branch leaves both where they were.
func TestImport_undone(t *testing.T) { //nolint:paralleltest // it sets PATH
	for _, empty := range []bool{false, true} {
		s := newScene(t)
		before := ""
		if !empty {
			s.write(s.mirror, map[string]string{"README.md": "# Ours\n"})
			s.commit(s.mirror, "ours")
			before = s.git(s.mirror, "rev-parse", "HEAD")
		}
		s.wrongGit(`case " $* " in
*' read-tree -m '*) GIT "$@"; echo 'fatal: disk full' >&2; exit 128 ;;
*) exec GIT "$@" ;;
esac
`)
		_, err := run(t.Context(), applied(s.options()))
		if err == nil || !strings.Contains(err.Error(), "nothing was imported: disk full") {
			t.Errorf("got %v", err)
		}
		if after := s.git(s.mirror, "for-each-ref", "--format=%(objectname)"); after != before {
			t.Errorf("the branch is at %q, not %q", after, before)
		}
		if status := s.git(s.mirror, "status", "--porcelain"); status != "" {
			t.Errorf("git status lists\n%s", status)
		}
	}
}
