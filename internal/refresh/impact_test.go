package refresh_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// derived is a derived repository with upstreams on a real server.
type derived struct {
	t           *testing.T
	srv         *gitserver.Server
	odoo, hot   *gitserver.Repo
	web         *gitserver.Repo
	repos       string
	locked      string
	config      string
	surrounding map[string]string // other files of the repository
	client      *git.Client
	kept        *git.Partials
}

// Paths implements refresh.Tree.
func (d *derived) Paths(context.Context) ([]string, error) { return nil, nil }

// Files implements refresh.Tree.
func (d *derived) Files(_ context.Context, paths []string) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, path := range paths {
		if text, has := d.surrounding[path]; has {
			all[path] = []byte(text)
		}
	}
	return all, nil
}

// both has what is kept of remotes and the client that asks them.
type both struct {
	asked
	*git.Partials
}

type asked struct{ *git.Client }

func date(n int) time.Time { return time.Date(2026, 11, 10+n, 9, 0, 0, 0, time.UTC) }

func manifest(version string, more ...string) string {
	return fmt.Sprintf("{'name': 'X', 'version': '%s', 'license': 'LGPL-3', %s}\n", version, strings.Join(more, ", "))
}

// newDerived makes upstreams with some addons, and locks them.
func newDerived(t *testing.T) *derived {
	t.Helper()
	srv := gitserver.New(t)
	d := &derived{t: t, srv: srv, odoo: srv.Repo(t, "odoo/odoo"), hot: srv.Repo(t, "nuobit/odoo"), web: srv.Repo(t, "OCA/web")}
	base := map[string]string{
		"odoo/release.py":                      "version_info = (17, 0, 0, FINAL, 0, '')\n",
		"odoo/addons/base/__manifest__.py":     manifest("1.3", "'depends': []"),
		"addons/stock/__manifest__.py":         manifest("1.1", "'depends': ['base']"),
		"addons/stock/models/stock_move.py":    "class StockMove: pass\n",
		"addons/stock/tests/test_move.py":      "1\n",
		"addons/stock_barcode/__manifest__.py": manifest("1.0", "'depends': ['stock']"),
		"addons/stock_barcode/views/lot.xml":   "<odoo/>\n",
		"requirements.txt":                     "lxml\n",
	}
	d.odoo.Add(t, gitserver.Commit{Branch: "17.0", Files: base, When: date(0), Message: "[ADD] all"})
	d.hot.Add(t, gitserver.Commit{Branch: "17.0-hotfix-stock", Files: base, When: date(0), Message: "[ADD] all"})
	d.web.Add(t, gitserver.Commit{Branch: "17.0", When: date(0), Message: "[ADD] web_tools", Files: map[string]string{
		"web_tools/__manifest__.py": manifest("17.0.1.0.0", "'depends': ['base']"), "README.md": "web\n",
	}})
	d.repos = strings.NewReplacer("ODOO", d.odoo.URL, "HOT", d.hot.URL, "WEB", d.web.URL).Replace(`./odoo:
  remotes: {odoo: ODOO, nuobit: HOT}
  target: odoo 17.0
  merges: [odoo 17.0, nuobit 17.0-hotfix-stock]
./oca/web:
  remotes: {oca: WEB}
  merges: [oca 17.0]
`)
	d.surrounding = map[string]string{refresh.PythonLockFile: "lxml==5.0 \\\n    --hash=sha256:" + strings.Repeat("0", 64) + "\n"}
	d.client = git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ(), Timeout: time.Minute})
	d.locked = lockOf(t, d.repos, d.client)
	var err error
	if d.kept, err = d.client.OpenPartials(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.kept.Close() })
	return d
}

// describe writes the text of the first proposal; change may say more of it.
func (d *derived) describe(t *testing.T, change func(p *refresh.Proposal)) refresh.Text {
	t.Helper()
	plan, err := refresh.Make(t.Context(), refresh.Input{Files: files(d.config, d.repos, d.locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: d.client})
	if err != nil {
		t.Fatal(err)
	}
	p := &plan.Proposals[0]
	p.Around.Tree = d
	if change != nil {
		change(p)
	}
	text, err := p.Describe(t.Context(), refresh.NewSurvey(both{asked{d.client}, d.kept}, plan))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares the text of the first proposal with testdata/NAME.
func (d *derived) golden(t *testing.T, name string, change func(p *refresh.Proposal)) string {
	t.Helper()
	text := d.describe(t, change)
	golden(t, name, strings.ReplaceAll(text.Body, d.srv.URL, "https://git.example.org"))
	return text.Body
}

func TestImpact(t *testing.T) {
	t.Parallel()
	migration := gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(2), Message: "[IMP] stock: migration for the new reservation field", Files: map[string]string{
		"addons/stock/__manifest__.py":                     manifest("1.2", "'depends': ['base']"),
		"addons/stock/migrations/17.0.1.2/post-migrate.py": "def migrate(cr, version): pass\n",
	}}
	for _, test := range []struct {
		name   string
		config string
		make   func(d *derived)
		change func(p *refresh.Proposal)
	}{
		{"addons-migration.md", "", func(d *derived) {
			d.hot.Add(d.t,
				gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(1), Message: "[FIX] stock: reserve once when a picking is split", Files: map[string]string{"addons/stock/models/stock_move.py": "class StockMove: 1\n"}},
				migration,
				gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(3), Message: "[FIX] stock_barcode: no crash on an empty lot", Files: map[string]string{"addons/stock_barcode/views/lot.xml": "<odoo></odoo>\n"}},
			)
		}, nil},
		{"addons-models.md", "", func(d *derived) {
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[IMP] stock: a field", Files: map[string]string{"addons/stock/models/stock_move.py": "x = fields.Char()\n", "requirements.txt": "lxml\nrequests\n"}})
		}, nil},
		{"addons-tests-only.md", "", func(d *derived) {
			d.odoo.Add(d.t,
				gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] stock: test", Files: map[string]string{"addons/stock/tests/test_move.py": "2\n"}},
				gitserver.Commit{Branch: "17.0", When: date(2), Message: "[CLA] sign", Files: map[string]string{"doc/cla/x.md": "x\n"}},
			)
		}, nil},
		{"addons-come-and-go.md", "", func(d *derived) {
			d.web.Add(d.t,
				gitserver.Commit{Branch: "17.0", When: date(1), Message: "[MIG] web_pdf: Migration to 17.0", Files: map[string]string{
					"web_pdf/__manifest__.py": manifest("17.0.1.0.0", "'depends': ['base', 'report_xlsx']", "'external_dependencies': {'python': ['pdfminer.six>=20220524', 'lxml'], 'bin': ['pdftotext']}"),
				}},
				gitserver.Commit{Branch: "17.0", When: date(2), Message: "[REM] web_tools", Removed: []string{"web_tools"}},
				gitserver.Commit{Branch: "17.0", When: date(3), Message: "[ADD] stock", Files: map[string]string{
					"stock/__manifest__.py": manifest("16.0.1.0.0", "'depends': ['base']"),
				}},
			)
			d.surrounding[refresh.SystemFile] = "# none\npoppler-utils\n"
		}, nil},
		{"addons-manifest.md", "", func(d *derived) {
			d.web.Add(d.t,
				gitserver.Commit{Branch: "17.0", When: date(1), Message: "[IMP] web_tools: licence", Files: map[string]string{
					"web_tools/__manifest__.py": strings.ReplaceAll(manifest("17.0.2.0.0", "'depends': ['stock']", "'external_dependencies': {'python': ['requests']}"), "LGPL", "AGPL"),
				}},
			)
		}, nil},
		{"addons-unparsable.md", "", func(d *derived) {
			d.web.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[IMP] web_tools: clever", Files: map[string]string{
				"web_tools/__manifest__.py": "{'name': 'X', 'version': __import__('os').system('touch /tmp/canary')}\n",
				"huge/__manifest__.py":      strings.Repeat(" ", 2<<20) + "{}",
			}})
		}, nil},
		{"addons-installed.md", "", func(d *derived) {
			d.hot.Add(d.t,
				gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(1), Message: "[FIX] base: x", Files: map[string]string{"odoo/addons/base/views/x.xml": "<odoo/>\n"}},
				migration,
			)
		}, func(p *refresh.Proposal) {
			p.Around.Installed, p.Around.InstalledIn = map[string]bool{"base": true}, "acme/deployment"
		}},
		{"addons-unrelated.md", "", func(d *derived) {
			d.web.Add(d.t, gitserver.Commit{Branch: "17.0", Orphan: true, When: date(4), Message: "[ADD] anew", Files: map[string]string{"web_tools/__manifest__.py": manifest("17.0.3.0.0", "'depends': ['base']")}})
		}, nil},
		{"addons-forced.md", "", func(d *derived) {
			d.web.Add(d.t, gitserver.Commit{Branch: "17.0", Orphan: true, When: date(0), Message: "[ADD] web_tools", Files: map[string]string{"web_tools/__manifest__.py": manifest("17.0.1.0.0", "'depends': ['base']"), "README.md": "web\n"}},
				gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] web_tools: x", Files: map[string]string{"web_tools/views/x.xml": "<odoo/>\n"}},
				gitserver.Commit{Branch: "old", Parents: []string{":1"}, When: date(2), Message: "y", Files: map[string]string{"web_tools/views/y.xml": "<odoo/>\n"}})
			d.locked = strings.Replace(d.locked, d.locked[strings.LastIndex(d.locked, "- oca ")+6:][:40], d.web.Head(d.t, "old"), 1)
		}, nil},
		{"addons-together.md", "version: 1\nmerges: {group: all}\n", func(d *derived) {
			d.hot.Add(d.t, migration)
			d.odoo.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] stock: view", Files: map[string]string{"addons/stock/views/x.xml": "<odoo/>\n"}})
			d.web.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] web_tools: x", Files: map[string]string{"web_tools/views/x.xml": "<odoo/>\n"}})
		}, nil},
		{"addons-private.md", "version: 1\nmerges: {group: all}\n", func(d *derived) {
			d.hot.Add(d.t, migration)
			d.web.Add(d.t, gitserver.Commit{Branch: "17.0", When: date(1), Message: "[FIX] web_tools: x", Files: map[string]string{"web_tools/views/x.xml": "<odoo/>\n", "base/__manifest__.py": manifest("1.0")}})
		}, func(p *refresh.Proposal) {
			p.Discretion.Public = true
			for _, c := range p.Changes {
				if c.Remote == "nuobit" {
					p.Discretion.Private = []string{c.URL}
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDerived(t)
			d.config = test.config
			test.make(d)
			body := d.golden(t, test.name, test.change)
			if _, err := os.Stat("/tmp/canary"); err == nil {
				t.Error("a manifest was run")
			}
			if strings.Contains(test.name, "private") && strings.Contains(body, "stock:") {
				t.Error("a private remote's commits are told")
			}
		})
	}
}

// What strangers write into names, versions, titles and manifests is text, and
// nothing else: nobody is notified, nothing is closed, and it stays short.
func TestFault_M1_Addons(t *testing.T) {
	t.Parallel()
	d := newDerived(t)
	evil := "@org/team fixes #1 <img src=x onerror=alert(1)> ``` \u202e [[x]] https://evil.example www.evil.example | GH-1"
	d.web.Add(t,
		gitserver.Commit{Branch: "17.0", When: date(1), Author: strings.NewReplacer("<", "", ">", "").Replace(evil), Message: evil, Files: map[string]string{
			"web_tools/__manifest__.py": fmt.Sprintf("{'version': %q, 'license': %q, 'depends': ['base'], 'external_dependencies': {'python': [%q], 'bin': [%q]}}", evil, evil, evil, evil),
			"web_tools/migrations/" + strings.ReplaceAll(evil, "/", " ") + "/pre-x.py": "1",
			"@org #1 <b>.txt":             "1",
			"ünïcode_www/__manifest__.py": "{'version': '1', 'depends': ['www_nowhere']}",
		}},
	)
	d.surrounding[refresh.SystemFile] = "x\n"
	body := d.golden(t, "addons-hostile.md", nil)
	body = regexp.MustCompile("````.*?````|`[^`]+`").ReplaceAllString(body, "code")
	for _, bad := range []string{"@org", "#1", "<img", "<b>", "\u202e", "https://evil", "[["} {
		if strings.Contains(body, bad) {
			t.Errorf("the text has %q", bad)
		}
	}
}

// A move that is absurdly long has a text that a forge takes, and that still says
// what to do.
func TestFault_M2_ManyAddons(t *testing.T) {
	t.Parallel()
	d := newDerived(t)
	var commits []gitserver.Commit
	long := strings.Repeat("long_", 20)
	for i := range 10_000 {
		n := i % 150
		commits = append(commits, gitserver.Commit{
			Branch: "17.0", When: date(1).Add(time.Duration(i) * time.Second), Message: fmt.Sprintf("[FIX] %s: number %d", long, i),
			Files: map[string]string{
				fmt.Sprintf("%s%d/__manifest__.py", long, n):                     manifest(fmt.Sprintf("17.0.1.%d.0", i), "'depends': ['base']"),
				fmt.Sprintf("%s%d/migrations/17.0.1.%d.0/post-x.py", long, n, i): "1",
			},
		})
	}
	first := d.web.Add(t, commits...)[149]
	lines := strings.Split(strings.TrimSpace(d.locked), "\n")
	d.locked = strings.Replace(d.locked, strings.Fields(lines[len(lines)-1])[2], first, 1)
	body := d.golden(t, "addons-many.md", nil)
	if len(body) > 60_000 || !strings.Contains(body, "--changed") {
		t.Errorf("the text has %d bytes", len(body))
	}
}
