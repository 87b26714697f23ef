package enterprise_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

// scene is a Community checkout, its lock, a mirror and what bundles are made of.
type scene struct {
	t                       *testing.T
	dir                     string
	community, mirror, lock string
	files                   map[string]string // of the next bundle, below its top directory
}

const (
	release  = "version_info = (17, 0, 0, FINAL, 0, '')\n"
	manifest = "{'name': 'X', 'version': '1.0', 'license': 'OEEL-1'}\n"
)

// newScene makes a Community of base, sale and web, a bundle of these and of
// hr_payroll and web_studio, and an empty mirror.
func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{t: t, dir: dir, community: dir + "/community", mirror: dir + "/mirror", lock: dir + "/repos.lock.yaml"}
	own := map[string]string{
		"odoo/release.py": release, "odoo/addons/base/__manifest__.py": manifest, "odoo/addons/base/x.py": "base\n",
		"addons/sale/__manifest__.py": manifest, "addons/sale/sale.py": "old\n",
	}
	s.git(dir, "init", "-q", "-b", "17.0", s.community)
	s.write(s.community, own)
	s.commit(s.community, "first")
	s.write(s.community, map[string]string{"addons/sale/sale.py": "new\n", "addons/web/__manifest__.py": manifest})
	s.commit(s.community, "second")
	s.pin()
	s.git(dir, "init", "-q", "-b", "17.0", s.mirror)
	s.files = map[string]string{
		"odoo/release.py": release, "setup/x": "not a module\n", "LICENSE": "x\n",
		"odoo/addons/base/__manifest__.py": manifest, "odoo/addons/base/x.py": "base\n",
		"odoo/addons/sale/__manifest__.py": manifest, "odoo/addons/sale/sale.py": "new\n",
		"odoo/addons/web/__manifest__.py":        manifest,
		"odoo/addons/hr_payroll/__manifest__.py": manifest, "odoo/addons/hr_payroll/models/a \"b\".py": "payroll\n",
		"odoo/addons/web_studio/__manifest__.py": manifest, "odoo/addons/web_studio/s.js": "studio\n",
	}
	return s
}

func (s *scene) pin() {
	s.t.Helper()
	s.write(s.dir, map[string]string{"repos.lock.yaml": "./odoo:\n  remotes:\n    odoo: https://example.org/odoo.git\n  merges:\n  - odoo " + s.git(s.community, "rev-parse", "HEAD") + "\n"})
}

func (s *scene) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_AUTHOR_DATE=2026-05-10T00:00:00Z", "GIT_COMMITTER_DATE=2026-05-10T00:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *scene) commit(dir, title string) {
	s.t.Helper()
	s.git(dir, "add", "-A")
	s.git(dir, "commit", "-q", "-m", title)
}

func (s *scene) write(dir string, files map[string]string) {
	s.t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			err = errors.Join(err, os.Symlink(target, path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(content), 0o644))
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(content, "#!") {
			if err := os.Chmod(path, 0o755); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// bundle packs the files by tar or zip below a directory top ("" for none).
func (s *scene) bundle(name, top string) string {
	s.t.Helper()
	stage := s.t.TempDir()
	s.write(filepath.Join(stage, top), s.files)
	path := filepath.Join(s.dir, name)
	entries, err := os.ReadDir(stage)
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"tar", "--sort=name", "--mtime=2026-05-01", "--owner=0", "--group=0", "-czf", path}
	if strings.HasSuffix(name, ".zip") {
		args = []string{"python3", "-m", "zipfile", "-c", path}
	}
	for _, e := range entries {
		args = append(args, e.Name())
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = stage
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return path
}

const (
	bundleName = "odoo_17.0+e.20260514.tar.gz"
	bundleTop  = "odoo-17.0+e.20260514"
)

// options are those of an import of the next bundle.
func (s *scene) options() enterprise.Options {
	s.t.Helper()
	return enterprise.Options{
		Bundle: s.bundle(bundleName, bundleTop), Community: s.community, Lock: s.lock, Dest: "./odoo", Mirror: s.mirror,
		Limits: archive.DefaultLimits(),
	}
}

func run(ctx context.Context, o enterprise.Options) (*enterprise.Report, error) {
	client := git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ()})
	return enterprise.Import(ctx, client, o)
}

func (s *scene) apply(o enterprise.Options) *enterprise.Report {
	s.t.Helper()
	o.Apply = true
	r, err := run(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	if status := s.git(s.mirror, "status", "--porcelain"); status != "" {
		s.t.Errorf("after the import git status lists\n%s", status)
	}
	s.git(s.mirror, "fsck", "--strict")
	s.untouchedObjects()
	return r
}

// untouchedObjects: no import leaves its own repository behind.
func (s *scene) untouchedObjects() {
	s.t.Helper()
	left, err := filepath.Glob(s.mirror + "/.git/objects/tmp_*")
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %q, %v", left, err)
	}
}

func (s *scene) titles() []string {
	s.t.Helper()
	return strings.Split(s.git(s.mirror, "log", "--reverse", "--format=%s"), "\n")
}
