package addon_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/odoo/addon"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sale_fix")
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func files() map[string]string {
	return map[string]string{
		"__manifest__.py": "{'name': 'x'}", "__init__.py": "", "models/__init__.py": "1", "models/a.py": "2", "models.py": "3",
		"models/__pycache__/a.cpython-311.pyc": "no", "static/src/a.js": "no", "tests/test_a.py": "no", "i18n/sale_fix.pot": "no",
		"i18n/fr.po": "fr", "i18n/fr_BE.po": "be", "i18n/de.po": "de", "data/i18n/de.po": "kept", "é/Ü.xml": "ü", "Z/z": "z",
	}
}

// The sums are those of click-odoo-contrib 1.24 for these files.
func TestChecksum(t *testing.T) {
	t.Parallel()
	dir := write(t, files())
	for _, test := range []struct {
		exclude, languages []string
		want               string
	}{
		{addon.Exclude(), []string{"en_US", "fr_FR"}, "fe4ac51bfd4ac774842958d1daf58ef3a34918cb"},
		{addon.Exclude(), nil, "44741381ef7a7c1301794d76d2777152beed96d6"},
		{[]string{"[!m]*", "?odels/[a-b].py", "[x"}, nil, "22d3d7de0ba01815c9893e11bc4c47aa25abcdf4"},
		{nil, []string{"de_DE"}, "f4eedaa1f09fe137ce487ed0fabb84667b2be240"},
	} {
		if got, err := addon.Checksum(dir, test.exclude, test.languages); err != nil || got != test.want {
			t.Errorf("%q, %q: %s, %v; want %s", test.exclude, test.languages, got, err, test.want)
		}
	}
}

// It changes with what counts, and with nothing else.
func TestChecksum_changes(t *testing.T) {
	t.Parallel()
	sum := func(name, content string) string {
		all := files()
		if name != "" {
			all[name] = content
		}
		got, err := addon.Checksum(write(t, all), addon.Exclude(), []string{"fr_FR"})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := sum("", "")
	for name, changes := range map[string]bool{
		"models/a.py": true, "new_empty": true, "i18n/fr.po": true, "i18n/de.po": false, "static/new.js": false, "models/a.pyc": false, "tests/x.py": false,
	} {
		if after := sum(name, ""); (after != before) != changes {
			t.Errorf("%s: changes %v, want %v", name, after != before, changes)
		}
	}
}

func TestChecksum_links(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.py": "1"})
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..", "loop")
	link("a.py", "b.py")
	same := write(t, map[string]string{"a.py": "1", "b.py": "1"})
	got, err := addon.Checksum(dir, nil, nil)
	want, wantErr := addon.Checksum(same, nil, nil)
	if err != nil || wantErr != nil || got != want {
		t.Errorf("%s, %v; want %s, %v", got, err, want, wantErr)
	}
	link("/dev/zero", "c.py")
	if _, err := addon.Checksum(dir, nil, nil); err == nil || !strings.Contains(err.Error(), "c.py") {
		t.Errorf("a device: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	a, b := filepath.Dir(write(t, map[string]string{"static/x": ""})), filepath.Dir(write(t, files()))
	if got, want := addon.Find([]string{"/nonexistent", a, b}, "sale_fix"), filepath.Join(b, "sale_fix"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, name := range []string{"sale", "", ".", "..", "../x", "sale_fix/models"} {
		if got := addon.Find([]string{a, b}, name); got != "" {
			t.Error(got)
		}
	}
	if got := addon.Names([]string{"/nonexistent", a, b, b}); !slices.Equal(got, []string{"sale_fix"}) {
		t.Error(got)
	}
}
