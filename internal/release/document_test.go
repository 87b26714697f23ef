package release

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/provenance"
	"github.com/nuobit/odyssey/internal/sbom"
	"github.com/nuobit/odyssey/test/registrytest"
)

// documented is a scene whose release has documents, with secrets wherever people leave them.
func documented(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	site := "lib/python3.12/site-packages/"
	s.write(s.options.Venv, map[string]string{
		site + "lxml-5.2.1.dist-info/METADATA":         "Metadata-Version: 2.4\nName: lxml\nVersion: 5.2.1\nLicense-Expression: BSD-3-Clause\n\nName: not-this\n",
		site + "Zope.Interface-6.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Zope.Interface\nVersion: 6.0\nLicense: ZPL 2.1\n",
		site + "private-1.0.dist-info/METADATA":        "Metadata-Version: 2.1\nName: private\nVersion: 1.0\nLicense: " + strings.Repeat("whole text ", 20) + "\n",
		site + "private-1.0.dist-info/direct_url.json": `{"url": "https://ann:canary-77aa12@example.com/private-1.0.whl"}`,
		site + "torn-0.1.dist-info/RECORD":             "",
		site + "not_a_distribution/__init__.py":        "",
		"../requirements.lock.txt":                     "# canary-77aa12\n--extra-index-url https://pypi.example.com/canary-77aa12/simple\nlxml==5.2.1 --hash=sha256:" + strings.Repeat("c", 64) + " --hash=sha256:" + strings.Repeat("d", 64) + "\nprivate @ https://example.com/private-1.0.whl?token=canary-77aa12 --hash=sha256:" + strings.Repeat("e", 64) + "\n",
		"../src/oca/web/web_x/__manifest__.py":         "{'name': 'x', 'version': '17.0.1.2.3', 'license': 'AGPL-3'}",
		"../src/oca/web/broken/__manifest__.py":        "{'name': ",
		"../src/oca/web/hostile/__manifest__.py":       "{'version': '\\x1b[31m', 'license': '" + strings.Repeat("x", 100) + "'}",
		"../repos.lock.yaml":                           lockText(3, 4),
	})
	dir := filepath.Dir(s.options.Venv)
	s.options.RequirementsLock = filepath.Join(dir, "requirements.lock.txt")
	s.options.Lock = parseLock(t, strings.Replace(lockText(3, 4), "https://example.com/web.git", "https://canary-77aa12@example.com/web.git", 1))
	s.options.Documents = &Documents{Attach: true, LocksFile: filepath.Join(dir, "repos.lock.yaml"), By: provenance.By{Builder: "https://ci.example.com/release", Run: "https://ci.example.com/runs/1", Version: "1"}}
	return s
}

// TestFault_T1_DocumentsHaveNoCredentials looks at everything that a release with documents leaves in a
// directory.
func TestFault_T1_DocumentsHaveNoCredentials(t *testing.T) {
	t.Parallel()
	s := documented(t)
	dir := filepath.Join(t.TempDir(), "image")
	report, err := s.pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Attached) != 2 || len(report.SBOM) == 0 || len(report.Provenance) == 0 {
		t.Fatalf("%+v", report.Result)
	}
	seen := 0
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("canary")) {
			t.Errorf("%s has it: %s", path, data)
		}
		if bytes.Equal(data, report.SBOM) || bytes.Equal(data, report.Provenance) {
			seen++
		}
		return err
	})
	if err != nil || seen != 2 {
		t.Errorf("%d documents are in the directory, %v", seen, err)
	}
}

// A password in the lock of Python packages or in the name of a builder is refused, and not repeated.
func TestFault_T1_DocumentsRefuseCredentials(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *scene){
		"lock": func(s *scene) {
			s.write(filepath.Dir(s.options.Venv), map[string]string{"requirements.lock.txt": "--index-url https://ann:canary-77aa12@example.com/simple\nsix==1.16.0\n"})
		},
		"builder": func(s *scene) { s.options.Documents.By.Builder = "https://ann:canary-77aa12@ci.example.com" },
	} {
		s := documented(t)
		change(s)
		if _, err := s.pack(filepath.Join(t.TempDir(), "image")); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocuments: the bill says what is in the image, the provenance what it was made from; the same image
// has the same documents, whether its parts were there or taken over, and they hang on it once.
func TestDocuments(t *testing.T) {
	t.Parallel()
	s := documented(t)
	bare := *s
	bare.options.Documents = nil
	alone, err := bare.pack(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	first := s.release()
	if alone.Digest != first.Digest {
		t.Errorf("without documents the image is %s, with them %s", alone.Digest, first.Digest)
	}
	// Nothing of it is here any more.
	for _, dir := range []string{s.options.Source, s.options.Venv} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	s.options.Documents.By.Run = "https://ci.example.com/runs/2"
	second := s.release()
	if second.Digest != first.Digest || !bytes.Equal(second.SBOM, first.SBOM) {
		t.Errorf("taken over, %s has another bill of materials than %s", second.Digest, first.Digest)
	}
	ref := oci.Reference{Repository: s.reg.Host + "/acme/odoo", Digest: first.Digest}
	for _, kind := range []string{oci.TypeSBOM, oci.TypeStatement} {
		if found, err := s.options.Client.Referrers(t.Context(), ref, kind); err != nil || len(found) != 1 {
			t.Errorf("%s: %+v, %v", kind, found, err)
		}
	}
	// Another builder's word is another document.
	s.options.Documents.By.Builder = "https://other.example.com/release"
	s.release()
	all, err := ReadProvenance(t.Context(), s.options.Client, ref, "")
	if err != nil || len(all) != 2 {
		t.Errorf("%d statements, %v", len(all), err)
	}
	s.checkBill(ref)
	s.checkStatement(first)
}

func (s *scene) checkBill(ref oci.Reference) {
	t := s.t
	t.Helper()
	data, err := ReadSBOM(t.Context(), s.options.Client, ref, oci.Platform{})
	if err != nil {
		t.Fatal(err)
	}
	document, err := sbom.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	c := document.Content()
	hex := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	packages := []sbom.Package{
		{Name: "lxml", Version: "5.2.1", License: "BSD-3-Clause", Hashes: []string{hex("c"), hex("d")}, PURL: "pkg:pypi/lxml@5.2.1"},
		{Name: "private", Version: "1.0", Hashes: []string{hex("e")}, PURL: "pkg:pypi/private@1.0"},
		{Name: "torn", Version: "0.1", PURL: "pkg:pypi/torn@0.1"},
		{Name: "zope-interface", Version: "6.0", License: "ZPL 2.1", PURL: "pkg:pypi/zope-interface@6.0"},
	}
	if diff := cmp.Diff(packages, c.Packages); diff != "" {
		t.Error(diff)
	}
	web := sbom.Repository{
		Path: "./oca/web", Tree: tree(104), Commits: []sbom.Commit{{ID: tree(3), URL: "https://example.com/web/commit/" + tree(3)}, {ID: tree(4), URL: "https://example.com/web/commit/" + tree(4)}},
		Addons: []sbom.Addon{{Name: "broken", Dir: "oca/web"}, {Name: "hostile", Dir: "oca/web"}, {Name: "web_x", Version: "17.0.1.2.3", License: "AGPL-3.0-only", Dir: "oca/web"}},
	}
	if diff := cmp.Diff(web, c.Repositories[2]); diff != "" {
		t.Error(diff)
	}
	if len(c.Repositories) != 3 || len(c.Bases) != 1 || c.Bases[0].Digest != s.options.Base.Digest || c.Image.Revision != "abc" {
		t.Errorf("%+v", c)
	}
}

func (s *scene) checkStatement(first *Report) {
	t := s.t
	t.Helper()
	statement, err := provenance.Parse(first.Provenance)
	if err != nil {
		t.Fatal(err)
	}
	var subjects, resolved []string
	for _, r := range statement.Subject {
		subjects = append(subjects, "sha256:"+r.Digest["sha256"])
	}
	for _, r := range statement.Predicate.Build.Resolved {
		resolved = append(resolved, r.Name+" "+r.URI+" "+r.Digest["gitCommit"])
	}
	if diff := cmp.Diff([]string{first.Digest, first.Manifest}, subjects); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"./odoo git+https://example.com/odoo.git " + tree(1), "./oca/web git+https://example.com/web.git " + tree(4)} {
		if !slices.Contains(resolved, want) {
			t.Errorf("%q lacks %q", resolved, want)
		}
	}
	for _, name := range []string{"reposLock", "requirementsLock", "base", "platform"} {
		if statement.Predicate.Build.External[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if by := statement.Predicate.Run; by.Builder.ID != "https://ci.example.com/release" || by.Metadata.InvocationID != "https://ci.example.com/runs/1" {
		t.Errorf("it was made by %+v", by)
	}
}

// TestJoinDocuments: the bills of both architectures hang on the index that joins them.
func TestJoinDocuments(t *testing.T) {
	t.Parallel()
	s := documented(t)
	var refs []oci.Reference
	for _, architecture := range []string{"amd64", "arm64"} {
		s.options.Base.Digest = registrytest.Push(t, s.reg.Host+"/base/runtime:"+architecture, registrytest.Base{Architecture: architecture, Labels: map[string]string{AnnotationPython: "3.12"}})
		s.options.Platform.Architecture = architecture
		refs = append(refs, oci.Reference{Repository: s.reg.Host + "/acme/odoo", Digest: s.release().Digest})
	}
	to, err := oci.ParseTarget("docker://" + s.reg.Host + "/acme/joined")
	if err != nil {
		t.Fatal(err)
	}
	var joined *oci.Result
	for range 2 {
		if joined, err = Join(t.Context(), s.options.Client, refs, s.options.Documents, to, oci.Tags{Next: "17.0-r"}); err != nil {
			t.Fatal(err)
		}
	}
	ref := to.Reference.WithDigest(joined.Digest)
	if all, err := s.options.Client.Referrers(t.Context(), ref, ""); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		p := oci.Platform{OS: "linux", Architecture: architecture}
		image, err := s.options.Client.Image(t.Context(), ref, p)
		if err != nil {
			t.Fatal(err)
		}
		data, err := ReadSBOM(t.Context(), s.options.Client, ref, p)
		if err != nil || !strings.Contains(string(data), image.Reference.Digest) {
			t.Errorf("%s: the bill does not name %s: %v", architecture, image.Reference.Digest, err)
		}
	}
	all, err := ReadProvenance(t.Context(), s.options.Client, ref, "https://ci.example.com/release")
	if err != nil || len(all) != 1 || !strings.Contains(string(all[0]), strings.TrimPrefix(refs[1].Digest, "sha256:")) {
		t.Errorf("%d statements, %v", len(all), err)
	}
	if _, err := ReadSBOM(t.Context(), s.options.Client, ref, oci.Platform{OS: "linux", Architecture: "riscv64"}); err == nil || !strings.Contains(err.Error(), "--platform") {
		t.Errorf("for a platform that it is not for: %v", err)
	}
	if _, err := ReadSBOM(t.Context(), s.options.Client, ref.WithDigest(s.options.Base.Digest), s.options.Platform); err == nil {
		t.Error("an image that is not there has a bill")
	}
}
