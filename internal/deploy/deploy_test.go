package deploy_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/deploy"
)

var update = flag.Bool("update", false, "write the results as the golden files")

const (
	oldDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	newDigest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

func image(t testing.TB, s string) deploy.Image {
	t.Helper()
	i, err := deploy.ParseImage(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestBump_golden: each directory in testdata holds a file before, and with
// "want." before its name after.
func TestBump_golden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		dir, base := filepath.Split(file)
		if strings.HasPrefix(base, "want.") || strings.HasPrefix(file, "testdata/fuzz/") {
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			to := image(t, "ghcr.io/acme/odoo:18.0-py312-trixie-r0008@"+newDigest)
			got, refs, err := deploy.Bump{To: to}.File(base, in)
			if err != nil {
				t.Fatal(err)
			}
			if len(refs) == 0 {
				t.Error("no reference was found")
			}
			want := filepath.Join(dir, "want."+base)
			if *update {
				if err := os.WriteFile(want, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(expected), string(got)); diff != "" {
				t.Error(diff)
			}
			again, _, err := deploy.Bump{To: to}.File(base, got)
			if err != nil || string(again) != string(got) {
				t.Errorf("a second bump: %v\n%s", err, cmp.Diff(string(got), string(again)))
			}
		})
	}
}

// TestBump_everythingElseStays takes the lines that change away: what is left is
// the same, byte for byte.
func TestBump_everythingElseStays(t *testing.T) {
	t.Parallel()
	const in = "\ufeffa: \"é – ü\"\t# comment\r\n\r\nimage:   &i  'ghcr.io/acme/odoo:r1@" + oldDigest + "'   # pinned\r\nb: [ 1,2 ,{image: ghcr.io/acme/odoo:r1} ]\r\n---\r\nc: *i2\n"
	for name, in := range map[string]string{
		"bom, crlf, flow, anchor": strings.ReplaceAll(in, "c: *i2\n", "c: |\n  image: ghcr.io/acme/odoo:r1\n\n...\n"),
		"next line":               "a: \"x\u0085y\u2028z\"\nimage: ghcr.io/acme/odoo:r1\n",
		"no newline at the end":   "image: ghcr.io/acme/odoo",
	} {
		to := image(t, "ghcr.io/acme/odoo:r2@"+newDigest)
		got, refs, err := deploy.Bump{To: to}.File("x.yaml", []byte(in))
		if err != nil || len(refs) == 0 {
			t.Errorf("%s: %v %v", name, refs, err)
			continue
		}
		out := string(got)
		for _, ref := range refs {
			if ref.Left != "" {
				continue
			}
			if !strings.Contains(out, to.String()) {
				t.Fatalf("%s: %q", name, out)
			}
			out = strings.Replace(out, to.String(), ref.Old.String(), 1)
		}
		if out != in {
			t.Errorf("%s:\n%q\n%q", name, in, out)
		}
	}
}

func TestBump_previous(t *testing.T) {
	t.Parallel()
	const in = "staging: {image: 'ghcr.io/acme/odoo:r2@" + newDigest + "'}\nproduction: {image: 'ghcr.io/acme/odoo:r1@" + oldDigest + "'}\nold: {image: 'ghcr.io/acme/odoo:r1'}\n"
	to := image(t, "ghcr.io/acme/odoo:r3@sha256:"+strings.Repeat("3", 64))
	previous := image(t, "ghcr.io/acme/odoo:r1@"+oldDigest)
	got, refs, err := deploy.Bump{To: to, Previous: &previous}.File("x.yml", []byte(in))
	want := "staging: {image: 'ghcr.io/acme/odoo:r2@" + newDigest + "'}\nproduction: {image: '" + to.String() + "'}\nold: {image: '" + to.String() + "'}\n"
	if err != nil || string(got) != want || len(refs) != 3 || refs[0].Left != "it is not the previous image" || refs[1].Left != "" || refs[2].Left != "" {
		t.Errorf("%v %v\n%s", err, refs, got)
	}
}

// TestBump_faults: what cannot be changed safely is refused, with its place.
func TestBump_faults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, in, want string
	}{
		{"template", "t.yaml", "{{- if .Values.on }}\nimage: ghcr.io/acme/odoo:r1\n{{- end }}\n", "t.yaml: is not YAML"},
		{"escapes", "a.yaml", `image: "ghcr.io/acme/\x6fdoo:r1" # odoo` + "\n", "a.yaml:1: the image cannot be changed in place"},
		{"folded", "a.yaml", "image: >-\n  ghcr.io/acme/odoo:r1\n", "a.yaml:1: the image cannot be changed in place"},
		{"empty", "values.yaml", "repository: ghcr.io/acme/odoo\ntag: r1\ndigest:\n", "values.yaml:3: the image cannot be changed in place"},
		{"shared tag", "values.yaml", "odoo: {repository: ghcr.io/acme/odoo, tag: &t r1}\nproxy: {repository: ghcr.io/acme/proxy, tag: *t}\n", "values.yaml:1: the anchor &t stands for something else, too"},
		{"too large", "a.yaml", "image: ghcr.io/acme/odoo:r1\n" + strings.Repeat("#", deploy.MaxFile), "a.yaml: is larger than 1024 KiB"},
		{"no format", "a.toml", "image = 'ghcr.io/acme/odoo:r1'\n", "a.toml: is no file that can name an image"},
		{"alias bomb", "a.yaml", "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b]\nimage: *c # odoo\n", ""},
		{"alias of nothing", "a.yaml", "image: *odoo\n", "a.yaml: is not YAML"},
	} {
		out, _, err := deploy.Bump{To: image(t, "ghcr.io/acme/odoo:r2@"+newDigest)}.File(test.file, []byte(test.in))
		if test.want == "" {
			if err != nil || string(out) != test.in {
				t.Errorf("%s: %v\n%s", test.name, err, out)
			}
			continue
		}
		var fault *deploy.Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v; want %s", test.name, err, test.want)
		}
	}
}

func TestBump_others(t *testing.T) {
	t.Parallel()
	const in = "a: {image: ghcr.io/acme/odoo-proxy:r1}\nb: {image: quay.io/acme/odoo:r1}\nc: {image: 'ghcr.io/acme/odoo:r1:x'}\nd: {image: [ghcr.io/acme/odoo:r1]}\ne: {image: 'ghcr.io/acme/odoo:${TAG}'}\nimages: [{name: ghcr.io/acme/odoo, newTag: r1}]\n"
	got, refs, err := deploy.Bump{To: image(t, "ghcr.io/acme/odoo:r2@"+newDigest)}.File("x.yaml", []byte(in))
	if err != nil || string(got) != in {
		t.Errorf("%v\n%s", err, got)
	}
	var lines []int
	for _, ref := range refs {
		if ref.Left != "it names the image where nothing is changed" {
			t.Errorf("%+v", ref)
		}
		lines = append(lines, ref.Line)
	}
	if diff := cmp.Diff([]int{3, 4, 5}, lines); diff != "" {
		t.Error(diff)
	}
}

// An instance of another series is not moved by the way.
func TestBump_series(t *testing.T) {
	t.Parallel()
	to := image(t, "ghcr.io/acme/odoo:18.0-py312-trixie-r0008@"+newDigest)
	for tag, left := range map[string]string{
		"17.0-py310-trixie-r0009": "it is of series 17.0", "17.0": "it is of series 17.0",
		"18.0-py311-bookworm-r0001": "", "latest": "", "18.0": "", "180.0x": "",
	} {
		in := []byte("image: ghcr.io/acme/odoo:" + tag + "\n")
		out, refs, err := deploy.Bump{To: to}.File("x.yaml", in)
		if err != nil || len(refs) != 1 || refs[0].Left != left || (string(out) == string(in)) != (left != "") {
			t.Errorf("%s: %v %+v %s", tag, err, refs, out)
		}
		out, refs, err = deploy.Bump{To: to, AnySeries: true}.File("x.yaml", in)
		if err != nil || len(refs) != 1 || refs[0].Left != "" || string(out) == string(in) {
			t.Errorf("any: %s: %v %+v %s", tag, err, refs, out)
		}
	}
}

func TestParseImage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ghcr.io/acme/odoo:r1@" + oldDigest:                  "ghcr.io/acme/odoo",
		"registry.example.com:5000/odoo:18.0@" + oldDigest:   "registry.example.com:5000/odoo",
		"odoo:18.0@" + oldDigest:                             "docker.io/library/odoo",
		"ghcr.io/acme/odoo@" + oldDigest:                     "",
		"ghcr.io/acme/odoo:r1":                               "",
		"ghcr.io/acme/odoo:r1@sha256:11":                     "",
		"ghcr.io/acme/odoo:r1@" + oldDigest + "\nimage: x":   "",
		"ghcr.io/Acme/odoo:r1@" + oldDigest:                  "",
		"ghcr.io/acme/odoo:-r@" + oldDigest:                  "",
		"https://ghcr.io/acme/odoo:r1@" + oldDigest:          "",
		"ghcr.io/acme/odoo:r1@" + strings.ToUpper(oldDigest): "",
	} {
		i, err := deploy.ParseImage(in)
		if (err == nil) != (want != "") || err == nil && (i.Repository() != want || i.String() != in) {
			t.Errorf("%q: %+v %v", in, i, err)
		}
	}
}

// FuzzBump: no input makes a panic, and what is returned holds the image.
func FuzzBump(f *testing.F) {
	for _, seed := range []string{"image: odoo:1\n", "images:\n- name: odoo\n  newTag: 1\n", "x: &a odoo:1\nimage: *a\n", "<<: {repository: odoo}\ntag: 1\n", "image: \"odoo:1\"\r\n", "image: ${I:-odoo:1}"} {
		f.Add("kustomization.yaml", seed)
	}
	f.Add("o.container", "Image=odoo:1\n")
	to := image(f, "odoo:r2@"+newDigest)
	f.Fuzz(func(t *testing.T, name, in string) {
		out, refs, err := deploy.Bump{To: to}.File(name, []byte(in))
		if err != nil || len(refs) == 0 {
			if err == nil && string(out) != in {
				t.Errorf("changed without a reference: %q", out)
			}
			return
		}
		again, more, err := deploy.Bump{To: to}.File(name, out)
		if err != nil || string(again) != string(out) || len(more) != len(refs) {
			t.Errorf("%q -> %q -> %q: %v", in, out, again, err)
		}
	})
}

func TestSelect(t *testing.T) {
	t.Parallel()
	paths := []string{
		"a.yaml", "overlays/production/kustomization.yml", "overlays/staging/Kustomization", ".github/workflows/release.yaml", "README.md",
		"helm/Chart.yaml", "helm/values.yaml", "helm/templates/a/deployment.yaml", "other/templates/x.yaml", "pod.json", "compose/.env", "compose/prod.env", "quadlet/odoo.container", "charts/.hidden.yaml", "deploy.sh",
	}
	for _, test := range []struct{ globs, want []string }{
		{nil, []string{"a.yaml", "overlays/production/kustomization.yml", "overlays/staging/Kustomization", "helm/Chart.yaml", "helm/values.yaml", "other/templates/x.yaml", "pod.json", "compose/.env", "compose/prod.env", "quadlet/odoo.container", "charts/.hidden.yaml"}},
		{[]string{"overlays/production/**"}, []string{"overlays/production/kustomization.yml"}},
		{[]string{"*.{yaml,sh}", "README.md", "**/workflows/*"}, []string{"a.yaml", ".github/workflows/release.yaml"}},
	} {
		if diff := cmp.Diff(test.want, deploy.Select(paths, test.globs)); diff != "" {
			t.Errorf("%v: %s", test.globs, diff)
		}
	}
	if deploy.CheckPatterns([]string{"a/**", "{a,b"}) == nil {
		t.Error("a glob that is none passed")
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.yaml", "b/c.yaml", ".git/config.yaml", "b/.git/x.yaml"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("a.yaml", filepath.Join(dir, "link.yaml")), os.Symlink("/etc", filepath.Join(dir, "etc"))); err != nil {
		t.Fatal(err)
	}
	got, err := deploy.Paths(os.DirFS(dir))
	if diff := cmp.Diff([]string{"a.yaml", "b/c.yaml"}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// TestBumpAll: a fault in one file does not hide the others.
func TestBumpAll(t *testing.T) {
	t.Parallel()
	to := image(t, "ghcr.io/acme/odoo:r2@"+newDigest)
	files := map[string][]byte{
		"a.yaml":    []byte("image: ghcr.io/acme/odoo:r1\n"),
		"bad.yaml":  []byte("image: [ghcr.io/acme/odoo:r1\n"),
		"done.yaml": []byte("image: " + to.String() + "\n"),
	}
	found, changes, err := deploy.Bump{To: to}.Files(files, []string{"a.yaml", "absent.yaml", "bad.yaml", "done.yaml"})
	if len(found) != 2 || len(changes) != 1 || changes[0].Path != "a.yaml" || string(changes[0].New) != "image: "+to.String()+"\n" {
		t.Errorf("%+v %+v", found, changes)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "bad.yaml: is not YAML") {
		t.Error(err)
	}
}
