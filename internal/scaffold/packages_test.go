package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/scaffold"
)

// What the scaffold says of Python packages is taken together with Odoo's own
// requirements, and gives versions that can be had: by wheels, or in archives that uv reads.
func TestRender_packages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, python, gevent, pypdf2, constraint string }{
		{"16.0-py310-trixie", "3.10", "gevent==21.12.0", "pypdf2==2.12.1", "setuptools<81"},
		{"17.0-py310-trixie", "3.10", "gevent==21.12.0", "pypdf2==2.12.1", "setuptools<81"},
		{"17.0-py312-trixie", "3.12", "gevent==24.2.1", "pypdf2==2.12.1", ""},
		{"18.0-py312-trixie", "3.12", "gevent==24.2.1", "pypdf2==2.12.1", ""},
	} {
		dir := t.TempDir()
		for name, f := range render(t, scaffold.DerivedImage, scaffold.Values{RuntimeImage: "ghcr.io/acme/oci-odoo:" + test.line + "-r0001" + digest}) {
			if filepath.Ext(name) == ".in" {
				putFile(t, filepath.Join(dir, name), f.Content)
			}
		}
		odoo, err := os.ReadFile("../python/requirements/testdata/odoo17-py" + test.python + "/in/odoo/requirements.txt")
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(dir, "odoo.txt"), odoo)
		result, err := requirements.Normalize(requirements.Input{
			Files:       []string{filepath.Join(dir, "odoo.txt"), filepath.Join(dir, "requirements.in")},
			Constraints: []string{filepath.Join(dir, "requirements-constraints.in")},
			Overrides:   filepath.Join(dir, "requirements-overrides.in"),
			Env: pep508.Environment{
				"python_version": test.python, "python_full_version": test.python + ".3", "sys_platform": "linux", "os_name": "posix",
				"platform_system": "Linux", "platform_machine": "aarch64", "platform_python_implementation": "CPython", "implementation_name": "cpython",
			},
			Root: dir,
		})
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		for _, want := range []string{test.gevent, test.pypdf2} {
			name, _, _ := strings.Cut(want, "==")
			if text := strings.ToLower(result.Text()); !strings.Contains(text, "\n"+want+"\n") || strings.Count(text, "\n"+name+"==") != 1 {
				t.Errorf("%s: %s is not among\n%s", test.line, want, text)
			}
		}
		if text := strings.TrimSpace(result.ConstraintsText()); text != test.constraint {
			t.Errorf("%s: the constraints are %q, want %q", test.line, text, test.constraint)
		}
	}
}

func putFile(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
