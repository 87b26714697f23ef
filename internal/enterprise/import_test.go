package enterprise_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/test/treetest"
)

func TestImport_dryRun(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r, err := run(t.Context(), s.options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hr_payroll", "web_studio"}, r.EnterpriseModules); diff != "" {
		t.Error(diff)
	}
	if r.Counts != (enterprise.Counts{Bundle: 5, Community: 3, Enterprise: 2}) || r.ImportPlan.Summary != (enterprise.PlanSummary{Add: 2}) {
		t.Errorf("%+v %+v", r.Counts, r.ImportPlan.Summary)
	}
	head := s.git(s.community, "rev-parse", "HEAD")
	if *r.SourceBundleDate != "2026-05-14" || *r.CommunityWorktreeHead != head || *r.CommunityLockRevision != head || r.Mode != "dry-run" {
		t.Errorf("%+v", r)
	}
	d := r.ImportPlan.Details[0]
	if d.Module != "hr_payroll" || d.SourceVersion != "1.0" || d.SourceLicense != "OEEL-1" || d.FilesChanged != 2 || d.SourcePath != bundleTop+"/odoo/addons/hr_payroll" {
		t.Errorf("%+v", d)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), s.dir) || strings.Contains(string(text), "payroll\\n") {
		t.Errorf("the report has an absolute path or content:\n%s", text)
	}
	if out := s.git(s.mirror, "count-objects"); !strings.HasPrefix(out, "0 objects") {
		t.Error(out)
	}
}

func TestImport_apply(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.apply(s.options())
	want := []string{
		"[ADD] hr_payroll: import from Odoo Enterprise 2026-05-14",
		"[ADD] web_studio: import from Odoo Enterprise 2026-05-14",
		"[DOC] README: update source bundle identity",
	}
	if diff := cmp.Diff(want, s.titles()); diff != "" {
		t.Fatal(diff)
	}
	body := s.git(s.mirror, "log", "-1", "--format=%an %ad|%b", "--date=iso", "HEAD^")
	for _, words := range []string{"Odyssey 2026-05-14 00:00:00 +0000", "Source-Bundle-SHA256: ", "Odoo-Version: 17.0", "Module-Version: 1.0"} {
		if !strings.Contains(body, words) {
			t.Errorf("%s lacks %q", body, words)
		}
	}

	// The same bundle again makes nothing.
	head := s.git(s.mirror, "rev-parse", "HEAD")
	r := s.apply(s.options())
	if len(r.ApplyResult.Commits) != 0 || s.git(s.mirror, "rev-parse", "HEAD") != head || r.ImportPlan.Summary.Unchanged != 2 {
		t.Errorf("%+v", r.ApplyResult)
	}

	// Added, changed, gone.
	s.files["odoo/addons/account_asset/__manifest__.py"] = manifest
	s.files["odoo/addons/web_studio/__manifest__.py"] = "{'version': '2.0'}\n"
	delete(s.files, "odoo/addons/web_studio/s.js")
	delete(s.files, "odoo/addons/hr_payroll/__manifest__.py")
	delete(s.files, "odoo/addons/hr_payroll/models/a \"b\".py")
	o := s.options()
	r = s.apply(o)
	if r.ImportPlan.Summary != (enterprise.PlanSummary{Add: 1, Update: 1, Remove: 1}) || len(r.HumanSummary.Warnings) != 1 {
		t.Errorf("%+v %q", r.ImportPlan.Summary, r.HumanSummary.Warnings)
	}
	if d := r.ImportPlan.Details[2]; d.CurrentVersion != "1.0" || d.SourceVersion != "2.0" || d.FilesChanged != 2 {
		t.Errorf("%+v", d)
	}
	o.Removals = true
	s.apply(o)
	want = append(want,
		"[ADD] account_asset: import from Odoo Enterprise 2026-05-14",
		"[IMP] web_studio: update from Odoo Enterprise 2026-05-14",
		"[DOC] README: update source bundle identity",
		"[REM] hr_payroll: remove from Odoo Enterprise 2026-05-14")
	if diff := cmp.Diff(want, s.titles()); diff != "" {
		t.Error(diff)
	}
	if got := s.git(s.mirror, "ls-files"); got != "README.md\naccount_asset/__manifest__.py\nweb_studio/__manifest__.py" {
		t.Error(got)
	}
}

// The same bundle on the same commit makes the same commits anywhere, from a
// directory, a zip or a tar.gz the same files.
func TestImport_same(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.files["odoo/addons/hr_payroll/run.sh"] = "#!/bin/sh\n"
	s.files["odoo/addons/hr_payroll/static/link.js"] = "-> ../run.sh"
	s.files["odoo/addons/hr_payroll/static/\xff\xfe.bin"] = strings.Repeat("\x00\r\n", 1<<20)
	o := s.options()
	s.apply(o)
	head := s.git(s.mirror, "rev-parse", "HEAD")
	want, err := treetest.Describe(s.mirror)
	if err != nil {
		t.Fatal(err)
	}

	s.mirror += "2"
	s.git(s.dir, "init", "-q", "-b", "17.0", s.mirror)
	o.Mirror = s.mirror
	s.apply(o)
	if got := s.git(s.mirror, "rev-parse", "HEAD"); got != head {
		t.Errorf("%s and %s", got, head)
	}

	unpacked := filepath.Join(t.TempDir(), bundleTop)
	s.write(unpacked, s.files)
	s.mirror += "3"
	s.git(s.dir, "init", "-q", "-b", "17.0", s.mirror)
	o.Mirror, o.Bundle, o.Download = s.mirror, "", unpacked
	r := s.apply(o)
	got, err := treetest.Describe(s.mirror)
	if err != nil {
		t.Fatal(err)
	}
	delete(want, "README.md") // a directory has no identity
	if diff := cmp.Diff(want, got); diff != "" || r.SourceBundleSHA256 != nil {
		t.Error(diff)
	}
	if text := want["hr_payroll/static/link.js"]; !strings.Contains(text, "../run.sh") {
		t.Errorf("%q", text)
	}
}

func TestImport_layouts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		top  string
		move func(string) string
		zip  bool
	}{
		"zip":          {top: bundleTop, zip: true},
		"no top":       {},
		"addons":       {top: "x", move: func(p string) string { return strings.TrimPrefix(p, "odoo/") }},
		"top":          {top: "x", move: func(p string) string { return strings.TrimPrefix(p, "odoo/addons/") }},
		"flat":         {move: func(p string) string { return strings.TrimPrefix(p, "odoo/addons/") }},
		"addons alone": {move: func(p string) string { return strings.TrimPrefix(p, "odoo/") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			// What only the whole layout tells apart.
			s.files["odoo/addons/hr_payroll/addons/web/x"] = "deep\n"
			s.files["odoo/addons/hr_payroll/aaa/sale/y"] = "deep\n"
			s.files["odoo/addons/openerp/__manifest__.py"] = "{}\n" // would hide Odoo itself
			if c.move != nil {
				moved := map[string]string{}
				for p, text := range s.files {
					if p != "odoo/release.py" {
						moved[c.move(p)] = text
					}
				}
				s.files = moved
			}
			o := s.options()
			file := "b.20260514.tar.gz"
			if c.zip {
				file = "b.20260514.zip"
			}
			o.Bundle = s.bundle(file, c.top)
			r := s.apply(o)
			if diff := cmp.Diff([]string{"hr_payroll", "web_studio"}, r.EnterpriseModules); diff != "" {
				t.Error(diff)
			}
			for p, want := range map[string]string{"hr_payroll/addons/web/x": "deep\n", "web_studio/s.js": "studio\n"} {
				if data, err := os.ReadFile(filepath.Join(s.mirror, p)); err != nil || string(data) != want {
					t.Errorf("%s: %q, %v", p, data, err)
				}
			}
			out := filepath.Join(t.TempDir(), "out")
			o.Mirror, o.Extract = "", out
			if _, err := run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want, err := treetest.Describe(s.mirror)
			if err != nil {
				t.Fatal(err)
			}
			delete(want, "README.md")
			got, err := treetest.Describe(out)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestImport_stops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*scene, *enterprise.Options)
		want   error
	}{
		"missing": {func(s *scene, _ *enterprise.Options) { delete(s.files, "odoo/addons/web/__manifest__.py") }, enterprise.ErrMissing},
		"drift":   {func(s *scene, _ *enterprise.Options) { s.files["odoo/addons/sale/sale.py"] = "old\n" }, enterprise.ErrDrift},
		"head":    {func(s *scene, _ *enterprise.Options) { s.git(s.community, "checkout", "-q", "HEAD^") }, enterprise.ErrHead},
		"series": {func(s *scene, _ *enterprise.Options) {
			s.files["odoo/release.py"] = "version_info = (18, 0, 0, FINAL, 0, '')\n"
		}, enterprise.ErrInput},
		"link out": {func(s *scene, _ *enterprise.Options) { s.files["odoo/addons/web_studio/l"] = "-> ../hr_payroll/x" }, enterprise.ErrInput},
		"twice":    {func(s *scene, _ *enterprise.Options) { s.files["addons/web_studio/__manifest__.py"] = manifest }, enterprise.ErrInput},
		"lfs": {func(s *scene, _ *enterprise.Options) {
			s.files["odoo/addons/web_studio/.gitattributes"] = "*.js filter=lfs\n"
		}, enterprise.ErrMirror},
		"lfs before": {func(s *scene, _ *enterprise.Options) {
			s.write(s.mirror, map[string]string{".gitattributes": "*.zip filter=lfs diff=lfs merge=lfs -text\n"})
			s.commit(s.mirror, "lfs")
		}, enterprise.ErrMirror},
		"dirty":    {func(s *scene, _ *enterprise.Options) { s.write(s.mirror, map[string]string{"x": "mine"}) }, enterprise.ErrMirror},
		"detached": {func(s *scene, _ *enterprise.Options) { s.git(s.mirror, "checkout", "-q", "--detach") }, enterprise.ErrMirror},
		"no git":   {func(s *scene, o *enterprise.Options) { o.Mirror = s.dir }, enterprise.ErrMirror},
		"no odoo":  {func(s *scene, o *enterprise.Options) { o.Community = s.mirror }, enterprise.ErrInput},
		"html": {func(s *scene, o *enterprise.Options) {
			s.write(s.dir, map[string]string{"page.tar.gz": "<!DOCTYPE html>"})
			o.Bundle = s.dir + "/page.tar.gz"
		}, enterprise.ErrInput},
		"no module": {func(s *scene, _ *enterprise.Options) {
			s.files = map[string]string{"inner.tar.gz": "nested", "addons": "a file"}
		}, enterprise.ErrInput},
		"two roots": {func(s *scene, _ *enterprise.Options) {
			for p, text := range s.files {
				if !strings.HasPrefix(p, "../") {
					s.files["../other/"+p] = text
				}
			}
		}, enterprise.ErrInput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write(s.mirror, map[string]string{"README.md": "# Ours\n"})
			s.commit(s.mirror, "ours")
			o := s.options()
			c.change(s, &o)
			if o.Bundle == s.dir+"/"+bundleName {
				o.Bundle = s.bundle(bundleName, bundleTop)
			}
			before := s.git(s.mirror, "rev-parse", "HEAD") + s.git(s.mirror, "count-objects", "-v")
			for _, extract := range []bool{false, true} {
				o.Apply = !extract
				if extract {
					o.Mirror, o.Extract = "", filepath.Join(s.dir, "out")
				}
				_, err := run(t.Context(), o)
				if extract && errors.Is(c.want, enterprise.ErrMirror) {
					continue
				}
				if !errors.Is(err, c.want) {
					t.Errorf("extract %t: got %v, want %v", extract, err, c.want)
				}
			}
			if after := s.git(s.mirror, "rev-parse", "HEAD") + s.git(s.mirror, "count-objects", "-v"); after != before {
				t.Errorf("the mirror changed from\n%s\nto\n%s", before, after)
			}
			s.untouchedObjects()
			if !errors.Is(c.want, enterprise.ErrMirror) {
				left, err := filepath.Glob(s.dir + "/.out*")
				if _, missing := os.Stat(s.dir + "/out"); len(left) > 0 || err != nil || !errors.Is(missing, os.ErrNotExist) {
					t.Errorf("left: %q %v", left, err)
				}
			}
		})
	}
}

func TestImport_drift(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*scene, *enterprise.Options)
		want   string
	}{
		"lag":         {func(s *scene, _ *enterprise.Options) { s.files["odoo/addons/sale/sale.py"] = "old\n" }, enterprise.LagConfirmed},
		"unexplained": {func(s *scene, _ *enterprise.Options) { s.files["odoo/addons/sale/sale.py"] = "odd\n" }, enterprise.UnexplainedDrift},
		"shallow": {func(s *scene, o *enterprise.Options) {
			s.files["odoo/addons/sale/sale.py"] = "old\n"
			o.Community += "-shallow"
			s.git(s.dir, "clone", "-q", "--depth", "1", "file://"+s.community, o.Community)
		}, enterprise.LimitedContext},
		"blobless": {func(s *scene, o *enterprise.Options) {
			s.files["odoo/addons/sale/sale.py"] = "old\n"
			o.Community += "-blobless"
			s.git(s.community, "config", "uploadpack.allowFilter", "true")
			s.git(s.dir, "clone", "-q", "--filter=blob:none", "--no-checkout", "file://"+s.community, o.Community)
			s.git(s.dir, "-C", o.Community, "config", "remote.origin.url", "file:///nonexistent")
		}, enterprise.LagConfirmed},
		"no history": {func(s *scene, o *enterprise.Options) {
			s.files["odoo/addons/sale/sale.py"] = "old\n"
			o.AllowHead, o.Community = true, s.dir+"/plain"
			if out, err := exec.Command("cp", "-r", s.community, o.Community).CombinedOutput(); err != nil {
				s.t.Fatalf("%s", out)
			}
			if err := os.RemoveAll(o.Community + "/.git"); err != nil {
				s.t.Fatal(err)
			}
		}, enterprise.LimitedContext},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			o := s.options()
			c.change(s, &o)
			o.Bundle = s.bundle(bundleName, bundleTop)
			r, err := run(t.Context(), o)
			if !errors.Is(err, enterprise.ErrDrift) {
				t.Fatal(err)
			}
			d := r.EnterpriseDriftDetails[0]
			if d.Module != "sale" || d.Diagnosis != c.want || !slices.Equal(d.Files, []string{"sale.py"}) {
				t.Errorf("%+v", d)
			}
			if c.want == enterprise.LagConfirmed && d.Commit != s.git(s.community, "rev-parse", "HEAD") {
				t.Errorf("%+v", d)
			}
			o.AllowDrift = true
			if r := s.apply(o); len(r.ApplyResult.Commits) != 3 {
				t.Errorf("%+v", r.ApplyResult)
			}
			if _, err := os.Stat(s.mirror + "/sale"); !errors.Is(err, os.ErrNotExist) {
				t.Error("Community's module is in the mirror")
			}
		})
	}
}

func TestImport_farApart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.options()
	o.Bundle = s.bundle("odoo_17.0+e.20260714.tar.gz", bundleTop)
	r, err := run(t.Context(), o)
	if err != nil || len(r.HumanSummary.Warnings) != 1 || !strings.Contains(r.HumanSummary.Warnings[0], "65 days apart") {
		t.Errorf("%v %+v", err, r.HumanSummary)
	}
}

func TestFault_A3_ImportStopsAtLimits(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.options()
	o.Apply, o.Limits = true, archive.Limits{Entries: 5, Names: 1 << 20, File: 1 << 20, Total: 1 << 20}
	if _, err := run(t.Context(), o); !errors.Is(err, enterprise.ErrInput) || !errors.Is(err, archive.ErrRefused) {
		t.Errorf("got %v", err)
	}
	s.untouchedObjects()
}
