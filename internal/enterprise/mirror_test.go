package enterprise_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mirror's hooks and monitors do not run, and what its own configuration says of
// line ends changes nothing.
func TestFault_G3_MirrorHooks(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	canary := filepath.Join(s.dir, "canary")
	script := "#!/bin/sh\ntouch " + canary + "\nexit 1\n"
	hooks := map[string]string{}
	for _, name := range []string{"pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-checkout", "post-index-change", "update", "fsmonitor-watchman"} {
		hooks[".git/hooks/"+name] = script
	}
	s.git(s.mirror, "config", "core.fsmonitor", filepath.Join(s.mirror, ".git", "hooks", "fsmonitor-watchman"))
	s.git(s.mirror, "config", "core.autocrlf", "true")
	s.write(s.mirror, hooks)
	o := s.options()
	o.Apply = true
	if _, err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("a hook of the mirror was run")
	}
	if err := os.RemoveAll(filepath.Join(s.mirror, ".git", "hooks")); err != nil {
		t.Fatal(err)
	}
	s.git(s.mirror, "config", "--unset", "core.fsmonitor")
	s.git(s.mirror, "config", "--unset", "core.autocrlf")
	if got := s.git(s.mirror, "status", "--porcelain"); got != "" {
		t.Errorf("git status lists\n%s", got)
	}
}

// The import is onto the branch that is checked out, and no other moves.
func TestImport_otherBranch(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(s.mirror, map[string]string{"README.md": "# Ours\n"})
	s.commit(s.mirror, "ours")
	main := s.git(s.mirror, "rev-parse", "17.0")
	s.git(s.mirror, "checkout", "-q", "-b", "import")
	r := s.apply(s.options())
	if r.ApplyResult.Branch != "import" || s.git(s.mirror, "rev-parse", "17.0") != main || s.git(s.mirror, "rev-parse", "import") != r.ApplyResult.After {
		t.Errorf("applied to %+v", r.ApplyResult)
	}
}

// A file where a module could be is none, and neither is a manifest that is a
// directory.
func TestImport_filesInPlaceOfModules(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.files["odoo/addons/knowledge"] = "a file\n"
	s.files["odoo/addons/appraisal/__manifest__.py/x"] = "a directory\n"
	s.files["odoo/addons/hr_payroll.tar.gz"] = "nested\n"
	r := s.apply(s.options())
	if diff := cmp.Diff([]string{"hr_payroll", "web_studio"}, r.EnterpriseModules); diff != "" {
		t.Error(diff)
	}
	if got := s.git(s.mirror, "ls-tree", "--name-only", "HEAD"); strings.Contains(got, "knowledge") || strings.Contains(got, "appraisal") || strings.Contains(got, ".tar.gz") {
		t.Errorf("the mirror has\n%s", got)
	}
}
