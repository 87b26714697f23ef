package odoo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/odoo"
)

// tree makes a source directory. "a/b" is a module, "a/b!" a file and
// "a/b -> c" a link.
func tree(t testing.TB, entries ...string) string {
	t.Helper()
	files := map[string]string{}
	for _, entry := range entries {
		name, target, isLink := strings.Cut(entry, " -> ")
		file, isFile := strings.CutSuffix(entry, "!")
		switch {
		case isLink:
			files[name] = "-> " + target
		case isFile:
			files[file] = ""
		default:
			files[entry+"/__manifest__.py"] = "{'name': 'x'}"
		}
	}
	return write(t, files)
}

// summary is a line for each root: its directory, destination and modules;
// then the warnings.
func summary(t testing.TB, p *odoo.Path) string {
	t.Helper()
	var b strings.Builder
	for _, root := range p.Roots {
		dir, err := filepath.Rel(p.Src, root.Dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s (%s):", dir, root.Destination)
		for _, m := range root.Modules {
			fmt.Fprintf(&b, " %s", m.Name)
			if m.Dir != filepath.Join(root.Dir, m.Name) {
				t.Errorf("%s is at %s", m.Name, m.Dir)
			}
		}
		b.WriteString("\n")
	}
	for _, w := range p.Warnings {
		b.WriteString("! " + w + "\n")
	}
	return b.String()
}

func TestAddonsPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries []string
		dests   string
		want    []string
	}{
		{"nothing", nil, "", nil},
		{"odoo", []string{"odoo/odoo/addons/base", "odoo/addons/sale", "odoo/addons/x/y", "odoo/setup/z", "odoo/doc/w"}, "./odoo", []string{
			"odoo/odoo/addons (./odoo): base", "odoo/addons (./odoo): sale",
		}},
		{"odoo without modules", []string{"odoo/odoo/addons/x!", "odoo/addons/x!"}, "odoo/", []string{"odoo/odoo/addons (odoo/):", "odoo/addons (odoo/):"}},
		{"odoo elsewhere", []string{"core/odoo/odoo/addons/base", "core/odoo/addons/sale"}, "./core/odoo", []string{
			"core/odoo/addons (./core/odoo): sale", "core/odoo/odoo/addons (./core/odoo): base",
		}},
		{"lock order", []string{"b/m1", "a/m2", "odoo/odoo/addons/base", "odoo/addons/sale", "c/m0"}, "./b ./odoo ./c ./a", []string{
			"b (./b): m1", "odoo/odoo/addons (./odoo): base", "odoo/addons (./odoo): sale", "c (./c): m0", "a (./a): m2",
		}},
		{"both manifests", []string{"a/m/__openerp__.py!", "a/n/__manifest__.py!", "a/n/__openerp__.py!", "a/o/__init__.py!", "a/p/__manifest__.py/x!"}, "a", []string{"a (a): m n"}},
		{"module without __init__", []string{"a/m"}, "a", []string{"a (a): m"}},
		{"nested", []string{"a/m", "a/b/n", "a/b/c/o", "a/b/c/d/e/p", "a/b/c/d/e/f/q"}, "a", []string{
			"a (a): m", "a/b (a): n", "a/b/c (a): o", "a/b/c/d/e (a): p",
		}},
		{"nested five deep alone", []string{"a/b/c/d/e/f/q"}, "a", []string{"a (a):", "! a has no addon; it stands in the addons path all the same"}},
		{"nested only", []string{"a/addons/m", "a/README!", "a/enterprise/n"}, "a", []string{"a/addons (a): m", "a/enterprise (a): n"}},
		{"not in a module", []string{"a/m", "a/m/n", "a/m/tests/o", "a/m/static/addons/p"}, "a", []string{"a (a): m"}},
		{"ignored", []string{"a/m", "a/.git/n", "a/.hidden/o", "a/.q", "a/__pycache__/p", "a/node_modules/r", "a/x/node_modules/s", "a/tests/t"}, "a", []string{"a (a): m", "a/tests (a): t"}},
		{"no addon", []string{"a/README!", "b/m"}, "./a ./b", []string{"a (./a):", "b (./b): m", "! ./a has no addon; it stands in the addons path all the same"}},
		{"file only", []string{"a/__manifest__.py!", "a/x/y!"}, "a", []string{". (a): a"}},
		{"one module", []string{"x/fix", "x/web/m"}, "./x/fix ./x/web", []string{"x (./x/fix): fix", "x/web (./x/web): m"}},
		{"several modules side by side", []string{"a", "b", "oca/web/m", "c"}, "./a ./oca/web ./b ./c", []string{". (./a): a b c", "oca/web (./oca/web): m"}},
		{"one module below", []string{"a/m", "x/b"}, "./a ./x/b", []string{"a (./a): m", "x (./x/b): b"}},
		{"one module with modules in it", []string{"x/fix", "x/fix/addons/n"}, "./x/fix", []string{"x (./x/fix): fix"}},
		{"not locked beside", []string{"x/fix", "x/left"}, "./x/fix", []string{"x (./x/fix): fix left"}},
		{"one module with a bad name", []string{"x/my-fix"}, "./x/my-fix", []string{"x/my-fix (./x/my-fix):", "! ./x/my-fix is a module, but its directory's name is none of a module; name the destination as the module"}},
		{"bad name", []string{"a/m", "a/m-2"}, "./a", []string{"a (./a): m", "! a/m-2 has a manifest, but its name is none of a module; Odoo cannot load it"}},
		{"setup of OCA", []string{
			"a/m", "a/n", "a/setup/m/setup.py!", "a/setup/m/odoo/addons/m -> ../../../../m", "a/setup/n/pyproject.toml!", "a/setup/n/odoo/addons/n -> ../../../../n", "a/setup/_metapackage/setup.py!",
		}, "a", []string{"a (a): m n"}},
		{"package in setup", []string{"a/m", "a/setup/m/setup.py!", "a/setup/m/odoo/addons/o", "a/x/setup.py!", "a/x/p"}, "a", []string{"a (a): m", "a/x (a): p"}},
		{"setup of something else", []string{"a/m", "a/setup/m/odoo/addons/m -> ../../../../m", "a/setup/addons/o"}, "a", []string{"a (a): m", "a/setup/addons (a): o"}},
		{"links in a root", []string{"a/m", "a/lib/n", "a/n -> lib/n"}, "a", []string{"a (a): m n", "a/lib (a): n"}},
		{"links to the hidden", []string{"a/.parts/m", "a/addons/m -> ../.parts/m"}, "a", []string{"a/addons (a): m"}},
		{"links to the deep", []string{"a/1/2/3/4/5/m", "a/addons/m -> ../1/2/3/4/5/m"}, "a", []string{"a/addons (a): m"}},
		{"links to another repository", []string{"a/m", "b/m -> ../a/m"}, "a b", []string{"a (a): m", "b (b): m"}},
		{"link of another name", []string{"a/m", "a/addons/n -> ../m"}, "a", []string{"a (a): m", "a/addons (a): n"}},
		{"links that lead nowhere", []string{"a/m", "a/n -> none", "a/o -> o", "a/p -> ..", "a/q -> m/__manifest__.py"}, "a", []string{"a (a): m"}},
		{"links to directories are not searched", []string{"a/addons/m", "a/more -> addons", "a/loop -> ."}, "a", []string{"a/addons (a): m"}},
		{"manifest by a link", []string{"a/m", "a/n/__manifest__.py -> ../m/__manifest__.py", "a/o/__manifest__.py -> none", "a/p/__manifest__.py -> ../m"}, "a", []string{
			"a (a): m n", "! a/p/__manifest__.py has a manifest, but its name is none of a module; Odoo cannot load it",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := odoo.AddonsPath(tree(t, test.entries...), strings.Fields(test.dests))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Join(append(test.want, ""), "\n")
			if diff := cmp.Diff(want, summary(t, p)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAddonsPath_missing(t *testing.T) {
	t.Parallel()
	src := tree(t, "a/m", "file!", "link -> a", "up/b -> ../a", "x/.keep!", "odoo/odoo/addons/base")
	if err := os.Mkdir(filepath.Join(src, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := odoo.AddonsPath(src, []string{"a", "x", "empty"}); err != nil {
		t.Error(err)
	}
	dests := []string{"none", "file", "link", "up/b/m", "link/m", "odoo", "../" + filepath.Base(src) + "/a", "/a", ".", ""}
	_, err := odoo.AddonsPath(src, append([]string{"a"}, dests...))
	missing := (*odoo.MissingError)(nil)
	if !errors.As(err, &missing) || missing.Src != src {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dests, missing.Destinations); diff != "" {
		t.Error(diff)
	}
	_, err = odoo.AddonsPath(src, []string{"./none"})
	if want := "./none is locked, but not in " + src + " (missing, no directory, a link, or for odoo without addons and odoo/addons)\n  materialise the lock first"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := odoo.AddonsPath(filepath.Join(src, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAddonsPath_duplicates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries []string
		dests   string
		want    []string
	}{
		{"two repositories", []string{"a/m", "b/m", "b/n"}, "b a", []string{"m: a/m, b/m"}},
		{"one repository", []string{"a/m", "a/x/m"}, "a", []string{"m: a/m, a/x/m"}},
		{"of every place", []string{"a/m", "b/m", "c/x/m", "c/n", "b/n", "a/only"}, "c b a", []string{"m: a/m, b/m, c/x/m", "n: b/n, c/n"}},
		{"odoo", []string{"odoo/odoo/addons/base", "odoo/addons/sale", "odoo/addons/base", "a/sale"}, "odoo a", []string{"base: odoo/addons/base, odoo/odoo/addons/base", "sale: a/sale, odoo/addons/sale"}},
		{"one module", []string{"x/sale", "a/sale"}, "x/sale a", []string{"sale: a/sale, x/sale"}},
		{"two of one module", []string{"x/sale", "y/sale"}, "x/sale y/sale", []string{"sale: x/sale, y/sale"}},
		{"a link of that name to another", []string{"a/m", "b/n", "b/m -> n"}, "a b", []string{"m: a/m, b/m"}},
		{"seen twice", []string{"a/m", "a/o", "c/n", "c/m -> ../a/m", "b/m"}, "a c b", []string{"m: a/m, b/m"}},
		{"both manifests", []string{"a/m/__openerp__.py!", "b/m"}, "a b", []string{"m: a/m, b/m"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := odoo.AddonsPath(tree(t, test.entries...), strings.Fields(test.dests))
			fault := (*odoo.DuplicateError)(nil)
			if !errors.As(err, &fault) {
				t.Fatal(err)
			}
			var got []string
			for _, d := range fault.Duplicates {
				got = append(got, d.Name+": "+strings.Join(d.Places, ", "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for _, line := range test.want {
				if !strings.Contains(err.Error(), "\n  "+line+"\n") {
					t.Errorf("%q is not in\n%v", line, err)
				}
			}
		})
	}
}

// A module that is not installable hides others all the same.
func TestAddonsPath_notInstallable(t *testing.T) {
	t.Parallel()
	src := write(t, map[string]string{"a/m/__manifest__.py": "{'installable': False}", "b/m/__manifest__.py": "{}"})
	_, err := odoo.AddonsPath(src, []string{"a", "b"})
	if fault := (*odoo.DuplicateError)(nil); !errors.As(err, &fault) {
		t.Error(err)
	}
}

// A repository must not bring modules from outside the source directory.
func TestFault_Y2_LinksOutOfSource(t *testing.T) {
	t.Parallel()
	outside := tree(t, "m", "n")
	src := tree(t, "a/own", "a/m -> "+outside+"/m", "a/n -> ../../"+filepath.Base(outside)+"/n", "a/o/__manifest__.py -> "+outside+"/m/__manifest__.py", "a/all -> "+outside)
	p, err := odoo.AddonsPath(src, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(t, p); got != "a (a): own\n" {
		t.Error(got)
	}
}

func TestPath_Line(t *testing.T) {
	t.Parallel()
	src := tree(t, "odoo/odoo/addons/base", "odoo/addons/sale", "fix", "oca/web/m")
	p, err := odoo.AddonsPath(src, []string{"odoo", "fix", "oca/web"})
	if err != nil {
		t.Fatal(err)
	}
	for final, want := range map[string]string{
		"":               src + "/odoo/odoo/addons," + src + "/odoo/addons," + src + "," + src + "/oca/web",
		"/opt/odoo/src":  "/opt/odoo/src/odoo/odoo/addons,/opt/odoo/src/odoo/addons,/opt/odoo/src,/opt/odoo/src/oca/web",
		"/opt/odoo/src/": "/opt/odoo/src/odoo/odoo/addons,/opt/odoo/src/odoo/addons,/opt/odoo/src,/opt/odoo/src/oca/web",
	} {
		if got, err := p.Line(final); err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", final, err, got, want)
		}
	}
	if _, err := p.Line("/a,b"); err == nil {
		t.Error("a comma in the prefix")
	}
	// The same tree by way of a link is the same tree.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(src, link); err != nil {
		t.Fatal(err)
	}
	q, err := odoo.AddonsPath(link, []string{"odoo", "fix", "oca/web"})
	if diff := cmp.Diff(p, q); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// Odoo cuts at commas, strips spaces and expands variables.
func TestFault_O1_PathThatOdooReadsOtherwise(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"a,b", "a$HOME", "${X}", "a\nb", "a\x7f", "a\u202eb", "b ", "\u00a0"} {
		p, err := odoo.AddonsPath(tree(t, "r/"+dir+"/m"), []string{"r"})
		if err != nil {
			t.Fatal(err)
		}
		if line, err := p.Line("/src"); err == nil {
			t.Errorf("%q: %q", dir, line)
		}
	}
	p, err := odoo.AddonsPath(tree(t, "r/a b/m", "r/é%(x)s/n"), []string{"r"})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := p.Line("/src"); err != nil || line != "/src/r/a b,/src/r/é%(x)s" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestCheckModules(t *testing.T) {
	t.Parallel()
	src := write(t, map[string]string{
		"a/m/__manifest__.py": "{'name': 'M'}", "a/k/__manifest__.py": "{\n'name': 1,\n'version': 2}", "a/b/__openerp__.py": "{'name': 'B'}", "a/l/__manifest__.py": "{\n'name': _('x')}",
		"b/lib/z/__manifest__.py": "{}", "b/z": "-> lib/z", "b/y/__manifest__.py": "{}",
	})
	p, err := odoo.AddonsPath(src, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	manifests, faults, err := odoo.CheckModules(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range manifests {
		got = append(got, strings.TrimPrefix(m.Path, src)+" "+m.Name)
	}
	for _, f := range faults {
		got = append(got, strings.TrimPrefix(f.Error(), src))
	}
	if diff := cmp.Diff([]string{
		"/a/b/__openerp__.py B", "/a/m/__manifest__.py M", "/b/y/__manifest__.py ", "/b/z/__manifest__.py ",
		"/a/k/__manifest__.py:2: name must be text", "/a/k/__manifest__.py:3: version must be text",
		"/a/l/__manifest__.py:2: the name _ stands here; only literals may, such as text, numbers and lists",
	}, got); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(src + "/a/m/__manifest__.py"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := odoo.CheckModules(t.Context(), p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a manifest is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := odoo.CheckModules(ctx, p); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// many is 3,000 modules in 60 repositories, packaged as OCA does.
func many(b *testing.B) (src string, dests []string) {
	b.Helper()
	var entries []string
	for i := range 60 {
		dest := fmt.Sprintf("oca/repository_%02d", i)
		dests = append(dests, dest)
		for j := range 50 {
			name := fmt.Sprintf("module_%02d_%02d", i, j)
			module := dest + "/" + name
			entries = append(entries, module, module+"/__init__.py!", module+"/models/x.py!", dest+"/setup/"+name+"/setup.py!", dest+"/setup/"+name+"/odoo/addons/"+name+" -> ../../../../"+name)
		}
	}
	return tree(b, entries...), dests
}

func BenchmarkAddonsPath(b *testing.B) {
	src, dests := many(b)
	for b.Loop() {
		p, err := odoo.AddonsPath(src, dests)
		if err != nil || len(p.Modules()) != 3000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckModules(b *testing.B) {
	src, dests := many(b)
	p, err := odoo.AddonsPath(src, dests)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if manifests, _, err := odoo.CheckModules(b.Context(), p); err != nil || len(manifests) != 3000 {
			b.Fatal(err)
		}
	}
}
