package release

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/registrytest"
)

// tree is a made-up id of a tree.
func tree(n int) string { return fmt.Sprintf("%040x", n) }

// written has destinations in place, whose trees a test names; it notes which were asked for.
type written struct {
	trees map[string]string
	asked []string
}

func (w *written) Materialize(_ context.Context, _ *lock.File, only []string) (*source.Report, error) {
	w.asked = slices.Clone(only)
	report := &source.Report{}
	for _, path := range only {
		report.Destinations = append(report.Destinations, source.Destination{Path: path, Tree: w.trees[path]})
	}
	return report, nil
}

// scene is a build of three repositories.
type scene struct {
	t       *testing.T
	reg     *registrytest.Registry
	sources *written
	options Options
}

func parseLock(t *testing.T, text string) *lock.File {
	t.Helper()
	file, err := lock.ParseLock("repos.lock.yaml", []byte(text), gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// lockText is a lock of odoo, a repository that is one module, and one with a merge.
func lockText(web, fix int) string {
	return fmt.Sprintf(`./odoo:
  remotes: {odoo: https://example.com/odoo.git}
  merges:
  # locked-from: odoo 17.0
  - odoo %s
./acme/crm_x:
  remotes: {acme: https://example.com/crm.git}
  merges:
  # locked-from: acme refs/tags/v1
  - acme %s
./oca/web:
  remotes: {oca: https://example.com/web.git}
  merges:
  # locked-from: oca 17.0
  - oca %s
  # locked-from: oca fix
  # merge-base: %s
  - oca %s
  # tree: %s
`, tree(1), tree(2), tree(web), tree(7), tree(fix), tree(100+fix))
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{t: t, reg: registrytest.New(t), sources: &written{trees: map[string]string{"./odoo": tree(11), "./acme/crm_x": tree(12), "./oca/web": tree(104)}}}
	s.write(dir, map[string]string{
		"src/odoo/odoo/addons/base/__manifest__.py": "{}", "src/odoo/addons/sale/__manifest__.py": "{}", "src/odoo/addons/sale/i18n/es.po": "es",
		"src/odoo/addons/sale/i18n/pt_BR.po": "pt_BR", "src/odoo/addons/sale/i18n/sale.pot": "pot", "src/odoo/addons/sale/__pycache__/x.pyc": "x",
		"src/acme/crm_x/__manifest__.py": "{}", "src/oca/web/web_x/__manifest__.py": "{}",
		"venv/pyvenv.cfg": "home = /usr/bin\n", "venv/bin/pip": "#!/opt/odoo/venv/bin/python3\n", "venv/lib/python3.12/site-packages/six.py": "six",
	})
	digest := registrytest.Push(t, s.reg.Host+"/base/runtime:r1", registrytest.Base{Labels: map[string]string{AnnotationPython: "3.12"}})
	s.options = Options{
		Client: oci.New(oci.Options{}), Sources: s.sources, Lock: parseLock(t, lockText(3, 4)),
		Source: filepath.Join(dir, "src"), Venv: filepath.Join(dir, "venv"), ImageSource: "/opt/odoo/src", ImageVenv: "/opt/odoo/venv",
		Base:     oci.Reference{Repository: s.reg.Host + "/base/runtime", Tag: "r1", Digest: digest},
		Platform: oci.Platform{OS: "linux", Architecture: "amd64"}, Compression: oci.Gzip, Created: time.Unix(0, 0).UTC(),
		Annotations: map[string]string{oci.AnnotationRevision: "abc"},
	}
	return s
}

func (s *scene) write(dir string, files map[string]string) {
	s.t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// target is a layout, whose layers a test can read.
func (s *scene) pack(dir string) (*Report, error) {
	s.t.Helper()
	to, err := oci.ParseTarget("oci:" + dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return Pack(s.t.Context(), s.options, to, oci.Tags{Names: []string{"r1"}})
}

// release packs into the registry and takes the image for the previous one.
func (s *scene) release() *Report {
	s.t.Helper()
	to, err := oci.ParseTarget("docker://" + s.reg.Host + "/acme/odoo")
	if err != nil {
		s.t.Fatal(err)
	}
	report, err := Pack(s.t.Context(), s.options, to, oci.Tags{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.options.Previous, err = s.options.Client.Image(s.t.Context(), to.Reference.WithDigest(report.Digest), oci.Platform{})
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// layerFiles are the contents of a layer of a layout, by name.
func layerFiles(t *testing.T, dir, digest string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = string(data)
	}
}

func names(layers []oci.Made) (all []string) {
	for _, l := range layers {
		all = append(all, l.Name)
	}
	return all
}

func reused(layers []oci.Made) (all []string) {
	for _, l := range layers {
		if l.Reused {
			all = append(all, l.Name)
		}
	}
	return all
}

// TestPack looks at what is in which layer.
func TestPack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.options.Languages = []string{"pt_BR", "ca"}
	dir := filepath.Join(t.TempDir(), "image")
	report, err := s.pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	// The one that is locked by a tag moves least, though the lock has it last but one.
	if diff := cmp.Diff([]string{"./odoo", "virtualenv", "./acme/crm_x", "./oca/web", "/etc/odoo"}, names(report.Layers)); diff != "" {
		t.Error(diff)
	}
	odooLayer := layerFiles(t, dir, report.Layers[0].Digest)
	want := []string{
		"opt/odoo/", "opt/odoo/src/", "opt/odoo/src/odoo/", "opt/odoo/src/odoo/addons/", "opt/odoo/src/odoo/addons/sale/",
		"opt/odoo/src/odoo/addons/sale/__manifest__.py", "opt/odoo/src/odoo/addons/sale/i18n/", "opt/odoo/src/odoo/addons/sale/i18n/pt_BR.po",
		"opt/odoo/src/odoo/addons/sale/i18n/sale.pot", "opt/odoo/src/odoo/odoo/", "opt/odoo/src/odoo/odoo/addons/",
		"opt/odoo/src/odoo/odoo/addons/base/", "opt/odoo/src/odoo/odoo/addons/base/__manifest__.py",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(odooLayer))); diff != "" {
		t.Error(diff)
	}
	etc := layerFiles(t, dir, report.Layers[4].Digest)
	if diff := cmp.Diff(map[string]string{"etc/odoo/": "", "etc/odoo/addons_path": "/opt/odoo/src/odoo/odoo/addons,/opt/odoo/src/odoo/addons,/opt/odoo/src/acme,/opt/odoo/src/oca/web\n"}, etc); diff != "" {
		t.Error(diff)
	}
}

// TestPrevious: what the previous image proves to be the same is neither materialised nor packed.
func TestPrevious(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.release()
	if diff := cmp.Diff([]string{"./odoo", "./acme/crm_x", "./oca/web"}, s.sources.asked); diff != "" {
		t.Error(diff)
	}
	everything := names(first.Layers)
	for name, c := range map[string]struct {
		change func(o *Options)
		asked  []string
		reused []string
	}{
		"nothing": {func(*Options) {}, nil, everything},
		"a commit": {
			func(o *Options) { o.Lock = parseLock(t, lockText(5, 6)) },
			[]string{"./oca/web"},
			[]string{"./odoo", "virtualenv", "./acme/crm_x", "/etc/odoo"},
		},
		"a commit that changes no file": {
			func(o *Options) { o.Lock = parseLock(t, strings.Replace(lockText(5, 6), tree(106), tree(104), 1)) },
			[]string{"./oca/web"},
			everything,
		},
		"the recorded tree alone": {
			func(o *Options) { o.Lock = parseLock(t, strings.Replace(lockText(3, 4), tree(104), tree(105), 1)) },
			[]string{"./oca/web"},
			[]string{"./odoo", "virtualenv", "./acme/crm_x", "/etc/odoo"},
		},
		"the merges' tree is not recorded": {
			func(o *Options) {
				o.Lock = parseLock(t, strings.Replace(lockText(3, 4), "  # tree: "+tree(104)+"\n", "", 1))
			},
			[]string{"./oca/web"},
			everything,
		},
		"the languages":   {func(o *Options) { o.Languages = []string{"es"} }, []string{"./odoo", "./acme/crm_x", "./oca/web"}, []string{"virtualenv", "/etc/odoo"}},
		"the compression": {func(o *Options) { o.Compression = oci.Zstd }, []string{"./odoo", "./acme/crm_x", "./oca/web"}, nil},
		"the place":       {func(o *Options) { o.ImageSource = "/srv/odoo/src" }, []string{"./odoo", "./acme/crm_x", "./oca/web"}, []string{"virtualenv"}},
		"none":            {func(o *Options) { o.Previous = nil }, []string{"./odoo", "./acme/crm_x", "./oca/web"}, nil},
	} {
		again := *s
		sources := &written{trees: map[string]string{"./odoo": tree(11), "./acme/crm_x": tree(12), "./oca/web": tree(104)}}
		again.options.Sources = sources
		c.change(&again.options)
		if d := again.options.Lock.Destinations[2]; d.Merges[0].Commit != tree(3) || d.Tree == tree(105) {
			sources.trees["./oca/web"] = d.Tree
		}
		report, err := again.pack(filepath.Join(t.TempDir(), "image"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.asked, sources.asked); diff != "" {
			t.Errorf("%s: materialised %s", name, diff)
		}
		if diff := cmp.Diff(c.reused, reused(report.Layers)); diff != "" {
			t.Errorf("%s: reused %s", name, diff)
		}
		// Taking layers over changes nothing about what comes out.
		if name == "nothing" && report.Digest != first.Digest {
			t.Errorf("%s: %s, the first was %s", name, report.Digest, first.Digest)
		}
		again.options.Previous = nil
		afresh, err := again.pack(filepath.Join(t.TempDir(), "image"))
		if err != nil || afresh.Digest != report.Digest {
			t.Errorf("%s: without the previous image %v, %v; with it %s", name, afresh, err, report.Digest)
		}
	}
}

// TestDuplicate: a module that a repository has which is not there, as its layer is taken over, is
// found twice all the same.
func TestDuplicate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.release()
	if err := os.RemoveAll(filepath.Join(s.options.Source, "odoo")); err != nil {
		t.Fatal(err)
	}
	s.write(s.options.Source, map[string]string{"oca/web/sale/__manifest__.py": "{}"})
	s.options.Lock = parseLock(t, lockText(5, 6))
	s.sources.trees["./oca/web"] = tree(106)
	_, err := s.pack(filepath.Join(t.TempDir(), "image"))
	twice := (*odoo.DuplicateError)(nil)
	if !errors.As(err, &twice) || twice.Duplicates[0].Name != "sale" {
		t.Errorf("the error is %v", err)
	}
}

// TestRefuses looks at what is wrong with a base, an environment or an option.
func TestRefuses(t *testing.T) {
	t.Parallel()
	base := func(b registrytest.Base) func(s *scene) {
		return func(s *scene) {
			s.options.Base.Digest = registrytest.Push(t, s.reg.Host+"/base/runtime:other", b)
		}
	}
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\xb7\x00"
	for name, c := range map[string]struct {
		change func(s *scene)
		want   string // in the error; "" for none
	}{
		"label":             {base(registrytest.Base{Labels: map[string]string{AnnotationPython: "3.11"}}), "is for Python 3.12"},
		"variable":          {base(registrytest.Base{Env: []string{"PYTHON_VERSION=3.10.4"}}), "has Python 3.10.4"},
		"same variable":     {base(registrytest.Base{Env: []string{"PYTHON_VERSION=3.12.9"}}), ""},
		"no such file":      {base(registrytest.Base{Files: map[string]string{"usr/bin/python3.13": ""}}), "has no such file"},
		"file":              {base(registrytest.Base{Files: map[string]string{"usr/bin/python3.12": ""}}), ""},
		"architecture":      {base(registrytest.Base{Architecture: "arm64"}), "is for linux/arm64"},
		"not pinned":        {func(s *scene) { s.options.Base.Digest = "" }, "is not pinned"},
		"other processor":   {func(s *scene) { s.write(s.options.Venv, map[string]string{"lib/python3.12/x.so": elf}) }, "is for arm64"},
		"another place":     {func(s *scene) { s.options.ImageVenv = "/srv/venv" }, "environments stay where they were made"},
		"no environment":    {func(s *scene) { s.options.Venv += "-gone" }, "there is no environment"},
		"settings of pip":   {func(s *scene) { s.write(s.options.Venv, map[string]string{"pip.conf": "index-url"}) }, "pip.conf"},
		"a work tree":       {func(s *scene) { s.write(s.options.Source, map[string]string{"odoo/.git": ""}) }, "is no part of a build"},
		"relative place":    {func(s *scene) { s.options.ImageSource = "src" }, "cannot be a directory of the image"},
		"root":              {func(s *scene) { s.options.ImageSource = "/" }, "cannot be a directory of the image"},
		"language":          {func(s *scene) { s.options.Languages = []string{"../es"} }, "is no language"},
		"own annotation":    {func(s *scene) { s.options.Annotations = map[string]string{annotationKey: "x"} }, "is set by pack itself"},
		"URL with password": {func(s *scene) { s.options.Annotations = map[string]string{oci.AnnotationSource: "https://u:p@h/x"} }, "with credentials"},
	} {
		s := newScene(t)
		if err := os.Mkdir(filepath.Join(s.options.Venv, "bin-links"), 0o755); err != nil {
			t.Fatal(err)
		}
		for link, to := range map[string]string{"python3": "python", "python": "/usr/bin/python3"} {
			if err := os.Symlink(to, filepath.Join(s.options.Venv, "bin", link)); err != nil {
				t.Fatal(err)
			}
		}
		c.change(s)
		_, err := s.pack(filepath.Join(t.TempDir(), "image"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
}

// TestVenv: what says who installed what when, or from where, is left out.
func TestVenv(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	site := "lib/python3.12/site-packages/"
	s.write(s.options.Venv, map[string]string{
		site + "six-1.dist-info/direct_url.json": `{"url": "https://u:p@example.com"}`, site + "six-1.dist-info/RECORD": "",
		site + "__pycache__/timed.pyc": "\xcb\r\r\n\x00\x00\x00\x00timestamp", site + "__pycache__/hashed.pyc": "\xcb\r\r\n\x01\x00\x00\x00hash",
	})
	dir := filepath.Join(t.TempDir(), "image")
	report, err := s.pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range layerFiles(t, dir, report.Layers[1].Digest) {
		if rest, ok := strings.CutPrefix(name, "opt/odoo/venv/"+site); ok && rest != "" && !strings.HasSuffix(rest, "/") {
			got = append(got, rest)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"__pycache__/hashed.pyc", "six-1.dist-info/RECORD", "six.py"}, got); diff != "" {
		t.Error(diff)
	}
}

// Tokens of the build are in no layer and no annotation: not those of the environment, nor of
// files beside what is packed.
func TestFault_T1_ImageHasNoCredentials(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const canary = "canary-77aa12"
	s.write(s.options.Venv, map[string]string{"lib/python3.12/site-packages/x-1.dist-info/direct_url.json": canary})
	s.write(filepath.Dir(s.options.Source), map[string]string{"git-credentials": canary, "src/.netrc": canary, "etc/odoo/odoo.conf": canary, "src/oca/.git-credentials": canary})
	dir := filepath.Join(t.TempDir(), "image")
	report, err := s.pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Layers {
		for name, content := range layerFiles(t, dir, l.Digest) {
			if strings.Contains(content, canary) {
				t.Errorf("%s has it", name)
			}
		}
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil || len(blobs) < 8 {
		t.Fatalf("%v, %v", blobs, err)
	}
	for _, name := range blobs {
		data, err := os.ReadFile(name)
		if err != nil || strings.Contains(string(data), canary) {
			t.Errorf("%s has it, or %v", name, err)
		}
	}
}
