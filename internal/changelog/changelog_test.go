package changelog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/changelog"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
)

// listing makes a side of files: "PATH=CONTENT", or a path that is its own content.
func listing(files ...string) changelog.Side {
	side := changelog.Side{Manifests: map[string][]byte{}}
	for _, file := range files {
		path, content, _ := strings.Cut(file, "=")
		id := fmt.Sprintf("%040x", len(content)) + content
		side.Entries = append(side.Entries, git.Entry{Mode: git.ModeFile, ID: id, Path: path})
		side.Manifests[id] = []byte(content)
	}
	return side
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, dest string
		files      []string
		want       string
	}{
		{"Odoo", "./odoo", []string{"addons/sale/__manifest__.py", "odoo/addons/base/__manifest__.py", "other/x/__manifest__.py", "addons/sale/deeper/__manifest__.py"}, "addons/sale odoo/addons/base"},
		{"a repository of addons", "./oca/web", []string{"a/__manifest__.py", "b/__openerp__.py", "setup/a/setup.py", ".github/x/__manifest__.py", "no-name/__manifest__.py", "README.md"}, "a b"},
		{"deeper", "./x", []string{"1/2/3/4/5/__manifest__.py", "1/2/3/4/a/__manifest__.py", "1/2/3/4/5/6/__manifest__.py", "a/__manifest__.py", "a/b/__manifest__.py"}, "1/2/3/4/5 1/2/3/4/a a"},
		{"an addon itself", "./addons/mine", []string{"__manifest__.py", "a/__manifest__.py"}, "."},
		{"an addon of no name", "./addons/not-mine", []string{"__manifest__.py"}, ""},
		{"nothing", "./x", []string{"README.md", "node_modules/x/__manifest__.py"}, ""},
	} {
		var got []string
		for _, p := range changelog.Find(test.dest, listing(test.files...).Entries) {
			got = append(got, p.Dir)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	both := changelog.Find("./x", listing("a/__openerp__.py", "a/__manifest__.py").Entries)
	link := listing("a/__manifest__.py")
	link.Entries[0].Mode = git.ModeSymlink
	if len(both) != 1 || both[0].Manifest != "a/__manifest__.py" || len(changelog.Find("./x", link.Entries)) != 0 {
		t.Errorf("got %+v", both)
	}
}

// What a file says of an update, and of tables.
func TestCompare_schema(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file   string
		update bool
		schema changelog.Likelihood
	}{
		{"views/x.xml", true, changelog.Unlikely},
		{"static/src/x.js", false, changelog.Unlikely},
		{"static", true, changelog.Unlikely}, // no directory
		{"tests/test_x.py", false, changelog.Unlikely},
		{"i18n/a.pot", false, changelog.Unlikely},
		{"i18n/ca.po", true, changelog.Unlikely},
		{"x.pyc", false, changelog.Unlikely},
		{"controllers/main.py", true, changelog.Unlikely},
		{"models/__init__.py", true, changelog.Unlikely},
		{"hooks.py", true, changelog.Unlikely},
		{"models/sale.py", true, changelog.Possible},
		{"wizard/x.py", true, changelog.Possible},
		{"report/x.py", true, changelog.Possible},
		{"sale.py", true, changelog.Possible},
		{"migrations/17.0.1.1/post-x.py", true, changelog.Likely},
		{"migrations/0.0.0/end-x.py", true, changelog.Likely},
		{"upgrades/1.1/pre-x.py", true, changelog.Likely},
		{"migrations/17.0.1.1/x.py", true, changelog.Unlikely},
		{"migrations/17.0.1.1/post-x.txt", true, changelog.Unlikely},
		{"migrations/post-x.py", true, changelog.Unlikely},
	} {
		base := []string{"a/__manifest__.py={}", "b/__manifest__.py={}"}
		log := changelog.Compare("./x", listing(base...), listing(append(base, "a/"+test.file)...), nil)
		if len(log.Addons) != 1 || log.Addons[0].Name != "a" || log.Addons[0].Update != test.update || log.Addons[0].Schema != test.schema {
			t.Errorf("%s: %+v, want update %v, schema %v", test.file, log.Addons, test.update, test.schema)
		}
	}
}

func TestCompare_commits(t *testing.T) {
	t.Parallel()
	at := listing("a/__manifest__.py={}", "b/__manifest__.py={}", "README.md")
	touches := []git.Touch{
		{Commit: git.Commit{ID: "3"}, Paths: []string{"a/x", "b/y", "a/z"}},
		{Commit: git.Commit{ID: "2"}, Paths: []string{"README.md", "ab/x"}},
		{Commit: git.Commit{ID: "1"}, Paths: []string{"a"}},
	}
	log := changelog.Compare("./x", at, at, touches)
	if len(log.Addons) != 2 || len(log.Addons[0].Commits) != 1 || len(log.Addons[1].Commits) != 1 || len(log.Elsewhere) != 2 || log.Addons[0].Update || log.Addons[0].Notable() {
		t.Errorf("got %+v", log)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	at := func(dest, name string, m *odoo.Manifest) changelog.Present {
		return changelog.NewPresent(dest, changelog.Place{Name: name, Dir: name}, m)
	}
	dest := "odoo"
	addon := func(name string, m odoo.Manifest) changelog.Present {
		m.Installable = true
		return at(dest, name, &m)
	}
	off := odoo.Manifest{Depends: []string{"nowhere"}}
	sources := []changelog.Source{{Addons: []changelog.Present{addon("base", odoo.Manifest{Version: "1.3"}), addon("twice", odoo.Manifest{})}}}
	dest = "oca/web"
	sources = append(sources, changelog.Source{Addons: []changelog.Present{
		addon("twice", odoo.Manifest{}), addon("old", odoo.Manifest{Version: "16.0.1.0.0"}), addon("right", odoo.Manifest{Version: "17.0.1.0.0", Depends: []string{"base", "quiet"}}),
		addon("lonely", odoo.Manifest{Depends: []string{"base", "nowhere"}}), addon("python", odoo.Manifest{ExternalPython: []string{"yaml", "PyPDF2>=2", "python-ldap", "lacking"}}),
		at(dest, "broken", nil), at(dest, "off", &off),
	}})
	dest = "enterprise"
	sources = append(sources, changelog.Source{Quiet: true, Addons: []changelog.Present{addon("quiet", odoo.Manifest{Depends: []string{"nowhere"}}), addon("base", odoo.Manifest{})}})
	env := changelog.Environment{Series: "17.0", Python: map[string]bool{"pyyaml": true, "pypdf2": true, "python-ldap": true}}
	words := func(all []changelog.Problem) (got []string) {
		for _, p := range all {
			got = append(got, p.String())
		}
		return got
	}
	want := []string{
		"broken: manifest  in oca/web/broken",
		"lonely: depends nowhere in oca/web/lonely",
		"old: series 16.0.1.0.0 in oca/web/old",
		"python: python lacking in oca/web/python",
		"twice: duplicate  in oca/web/twice, odoo/twice",
	}
	if got := words(changelog.Check(sources, env)); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	env.Installed = map[string]bool{"old": true}
	if got := words(changelog.Check(sources, env)); !slices.Equal(got, []string{want[2], want[4]}) {
		t.Errorf("of what is installed: %q", got)
	}
	some := changelog.Check(sources, changelog.Environment{})
	if got := words(changelog.Introduced(some[:1], some)); len(got) != len(some)-1 || slices.Contains(got, some[0].String()) {
		t.Errorf("introduced: %q of %q", got, words(some))
	}
}

func TestSeriesOf(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"17.0.1.0.0": "17.0", "17.0.1.0": "17.0", "6.1.1.0.0": "6.1", "saas~17.4.1.0.0": "saas~17.4",
		"1.0": "", "1.2.3": "", "1.0.2.3": "", "17.0": "", "": "", "17.0.x.0.0": "",
	} {
		if got := changelog.SeriesOf(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

// An addon that comes or goes is none that a database has to have updated.
func TestCompare_comeAndGo(t *testing.T) {
	t.Parallel()
	log := changelog.Compare("./x", listing("gone/__manifest__.py={'version': '1'}", "gone/models/x.py"), listing("new/__manifest__.py={'version': '2'}", "new/models/x.py"), nil)
	if len(log.Addons) != 2 {
		t.Fatalf("got %+v", log)
	}
	gone, added := log.Addons[0], log.Addons[1]
	if gone.Kind != changelog.Removed || gone.OldVersion != "1" || gone.NewVersion != "" || gone.Update || gone.Schema != changelog.Unlikely {
		t.Errorf("got %+v", gone)
	}
	if added.Kind != changelog.Added || added.NewVersion != "2" || added.OldVersion != "" || added.Update || added.Schema != changelog.Unlikely {
		t.Errorf("got %+v", added)
	}
}
