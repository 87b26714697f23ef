package odoo_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func TestParseManifest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want odoo.Manifest
	}{
		{"{}", odoo.Manifest{Version: "1.0", Installable: true}},
		{"{'name': 'A', 'version': '17.0.1.0.0', 'license': 'AGPL-3', 'depends': ['b', 'a', 'b']}", odoo.Manifest{Name: "A", Version: "17.0.1.0.0", License: "AGPL-3", Depends: []string{"b", "a", "b"}, Installable: true}},
		{"{'name': None, 'version': None, 'license': None, 'depends': None, 'external_dependencies': None}", odoo.Manifest{Version: "1.0", Installable: true}},
		{"{'depends': False, 'external_dependencies': {'python': None, 'bin': False}}", odoo.Manifest{Version: "1.0", Installable: true}},
		{"{'depends': ('b', 'a')}", odoo.Manifest{Version: "1.0", Depends: []string{"b", "a"}, Installable: true}},
		{"{'depends': {'b', 'a'}}", odoo.Manifest{Version: "1.0", Depends: []string{"a", "b"}, Installable: true}},
		{"{'external_dependencies': {'python': ['lxml>=4', 'x'], 'bin': ['git'], 'deb': ['z']}}", odoo.Manifest{Version: "1.0", ExternalPython: []string{"lxml>=4", "x"}, ExternalBin: []string{"git"}, Installable: true}},
		{"{'installable': False}", odoo.Manifest{Version: "1.0"}},
		{"{'installable': 0}", odoo.Manifest{Version: "1.0"}},
		{"{'installable': ''}", odoo.Manifest{Version: "1.0"}},
		{"{'installable': 'no'}", odoo.Manifest{Version: "1.0", Installable: true}},
		{"{'depends': ['a'], 'auto_install': True}", odoo.Manifest{Version: "1.0", Depends: []string{"a"}, Installable: true, AutoInstall: true, AutoInstallOn: []string{"a"}}},
		{"{'depends': ['a', 'b'], 'auto_install': ['b']}", odoo.Manifest{Version: "1.0", Depends: []string{"a", "b"}, Installable: true, AutoInstall: true, AutoInstallOn: []string{"b"}}},
		{"{'auto_install': []}", odoo.Manifest{Version: "1.0", Installable: true, AutoInstall: true}},
		{"{'auto_install': 0}", odoo.Manifest{Version: "1.0", Installable: true}},
		{"{'auto_install': None}", odoo.Manifest{Version: "1.0", Installable: true}},
	} {
		got, err := odoo.ParseManifest("m.py", []byte(test.in))
		test.want.Path = "m.py"
		if diff := cmp.Diff(&test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", test.in, err, diff)
		}
	}
	compareManifests(t, [][]byte{
		[]byte("{}"), []byte("{'depends': ('b', 'a'), 'auto_install': 1}"), []byte("{'depends': ['b', 'a'], 'auto_install': ('a',)}"), []byte("{'auto_install': []}"), []byte("{'auto_install': None}"),
		[]byte("{'installable': 0.0}"), []byte("{'installable': ()}"), []byte("{'installable': {}}"), []byte("{'installable': [0]}"), []byte("{'installable': b''}"), []byte("{'installable': 0j}"), []byte("{'installable': set()}"), []byte("{'installable': ...}"), []byte("{'installable': -0.0}"),
		[]byte("{'external_dependencies': ()}"), []byte("{'external_dependencies': {'bin': ('a', 'b')}}"), []byte("{'name': 'a' \"b\", 'name': 'c'}"),
	})
}

func TestParseManifest_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"[]", "m.py:1: is no manifest: it must hold one dict\n  a small one: {'name': 'Sale fix', 'depends': ['sale']}"},
		{"{\n'a': f()}", "m.py:2: the name f stands here; only literals may, such as text, numbers and lists"},
		{"{\n'name': 1}", "m.py:2: name must be text"},
		{"{\n'name': '\\ud800'}", "m.py:2: name must be text"},
		{"{\n'version': 17.0}", "m.py:2: version must be text"},
		{"{\n'depends': 'base'}", "m.py:2: depends must be a list"},
		{"{\n'depends': ['base', 1]}", "m.py:2: depends must hold nothing but text"},
		{"{\n'depends': ['base', '']}", "m.py:2: depends must hold nothing but text"},
		{"{\n'depends': ['../x']}", `m.py:2: depends: "../x" is no name of a module`},
		{"{\n'depends': ['a b']}", `m.py:2: depends: "a b" is no name of a module`},
		{"{\n'external_dependencies': ['x']}", "m.py:2: external_dependencies must be a dict, such as {'python': ['lxml']}"},
		{"{'external_dependencies': {\n'python': 'x'}}", "m.py:2: external_dependencies: python must be a list"},
		{"{'auto_install':\n'x'}", "m.py:1: auto_install must be True, False or a list of modules"},
		{"{'auto_install': ['x']}", "m.py:1: auto_install names x, which depends does not"},
		{"{\n'depends': 1,\n'name': 2,\n'external_dependencies': {'bin': 3,\n'python': 4}}", "m.py:2: depends must be a list\nm.py:3: name must be text\nm.py:4: external_dependencies: bin must be a list\nm.py:5: external_dependencies: python must be a list"},
	} {
		m, err := odoo.ParseManifest("m.py", []byte(test.in))
		if fault := (*yamldoc.Error)(nil); m != nil || !errors.As(err, &fault) || err.Error() != test.want {
			t.Errorf("%s\ngot  %v\nwant %s", test.in, err, test.want)
		}
	}
}

func TestReadManifest(t *testing.T) {
	t.Parallel()
	tree := write(t, map[string]string{
		"a/__manifest__.py": "{'name': 'new'}", "a/__openerp__.py": "{'name': 'old'}",
		"b/__openerp__.py": "{'name': 'old'}", "c/x.py": "", "d/__manifest__.py": "\n!",
		"e/__manifest__.py": "-> ../a/__openerp__.py",
	})
	for dir, want := range map[string]string{"a": "new", "b": "old", "e": "old"} {
		if m, err := odoo.ReadManifest(tree, dir); err != nil || m.Name != want {
			t.Errorf("%s: %+v, %v", dir, m, err)
		}
	}
	for _, dir := range []string{"c", "none"} {
		if _, err := odoo.ReadManifest(tree, dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	_, err := odoo.ReadManifest(tree, "d")
	if want := tree + "/d/__manifest__.py:2: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s…", err, want)
	}
}

// A manifest must not make the build read other files, wait or fill the memory.
func TestFault_G3_ManifestIsNoPlainFile(t *testing.T) {
	t.Parallel()
	outside := write(t, map[string]string{"secret": "{'name': 'secret'}", "m/__manifest__.py": "{'name': 'secret'}"})
	src := write(t, map[string]string{
		"repo/absolute/__manifest__.py":    "-> " + filepath.Join(outside, "secret"),
		"repo/relative/__manifest__.py":    "-> ../../../" + filepath.Base(outside) + "/secret",
		"repo/dir":                         "-> " + filepath.Join(outside, "m"),
		"repo/loop/__manifest__.py":        "-> __manifest__.py",
		"repo/device/__manifest__.py":      "-> /dev/zero",
		"repo/directory/__manifest__.py/x": "",
		"repo/large/__manifest__.py":       strings.Repeat("#", 1<<20) + "\n",
		"repo/pipe/x":                      "",
	})
	tree := filepath.Join(src, "repo")
	if err := syscall.Mkfifo(tree+"/pipe/__manifest__.py", 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"absolute": "cannot be read: path escapes from parent", "relative": "cannot be read: path escapes from parent", "dir": "cannot be read: path escapes from parent", "device": "cannot be read: path escapes from parent", "loop": "cannot be read: too many levels of symbolic links",
		"directory": "is not a regular file", "pipe": "is not a regular file", "large": "is larger than 1024 KiB",
	} {
		_, err := odoo.ReadManifest(tree, dir)
		fault := (*yamldoc.Error)(nil)
		if !errors.As(err, &fault) || fault.Msg != want || fault.Path != filepath.Join(tree, dir, "__manifest__.py") {
			t.Errorf("%s: %v, want %s", dir, err, want)
		}
	}
	// Nor is one found by a link.
	p, err := odoo.AddonsPath(src, []string{"repo"})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(p); got != "large" {
		t.Errorf("found %s", got)
	}
	_, faults, err := odoo.CheckModules(t.Context(), p)
	if err != nil || len(faults) != 1 || faults[0].Msg != "is larger than 1024 KiB" {
		t.Errorf("%v, %v", faults, err)
	}
}

func TestIsModuleName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"sale": true, "l10n_es": true, "_x": true, "2fa": true, "A": true, "año": true,
		"": false, "a-b": false, "a b": false, "a.b": false, "a/b": false, "a,b": false, "a\n": false, "..": false, "a\xff": false, "a\u202e": false, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if odoo.IsModuleName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, seed := range []string{"{}", "{'name': 'x', 'depends': ['a'], 'auto_install': ['a'], 'external_dependencies': {'python': ['x'], 'bin': ()}}", "{'depends': {1}}", "{'external_dependencies': 1}", "[]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := odoo.ParseManifest("m.py", data)
		if fault := (*yamldoc.Error)(nil); err != nil && !errors.As(err, &fault) {
			t.Errorf("%v is no *yamldoc.Error", err)
		}
		if err == nil {
			for _, name := range append(m.Depends, m.AutoInstallOn...) {
				if !odoo.IsModuleName(name) {
					t.Errorf("%q", name)
				}
			}
		}
	})
}

// write makes a tree of files; "-> TARGET" is a link.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	tree, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// names lists the modules of a path, with the directories of the roots.
func names(p *odoo.Path) string {
	var all []string
	for _, m := range p.Modules() {
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}
