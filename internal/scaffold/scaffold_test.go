package scaffold_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/scaffold"
	"github.com/nuobit/odyssey/test/deployment"
)

const tree = "../../scaffolds"

var digest = "@sha256:" + strings.Repeat("5e", 32)

func render(t *testing.T, kind scaffold.Kind, values scaffold.Values) map[string]scaffold.File {
	t.Helper()
	files, err := scaffold.Render(kind, &values)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]scaffold.File{}
	for _, f := range files {
		all[f.Path] = f
	}
	return all
}

// With the series of the example nothing is changed: what is copied by hand and
// what the command copies is the same, with the same modes as in the repository.
func TestRender_example(t *testing.T) {
	t.Parallel()
	for kind, dir := range map[scaffold.Kind]string{
		scaffold.DerivedImage: "derived-image", scaffold.Kubernetes: "deployment/k8s", scaffold.Compose: "deployment/compose", scaffold.Podman: "deployment/podman",
	} {
		got := render(t, kind, scaffold.Values{Series: "18.0"})
		for path, mode := range tracked(t, filepath.Join(tree, dir)) {
			if strings.HasPrefix(path, ".gitea/") {
				continue
			}
			want, err := os.ReadFile(filepath.Join(tree, dir, path))
			if err != nil {
				t.Fatal(err)
			}
			f, ok := got[path]
			if !ok || string(f.Content) != string(want) || f.Mode != mode {
				t.Errorf("%s/%s: there %v, mode %v, want %v\n%s", dir, path, ok, f.Mode, mode, cmp.Diff(string(want), string(f.Content)))
			}
			delete(got, path)
		}
		if len(got) > 0 {
			t.Errorf("%s: more files: %v", dir, got)
		}
	}
}

// tracked are git's files of a directory, with their modes.
func tracked(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--stage", ".")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]fs.FileMode{}
	for line := range strings.Lines(string(out)) {
		mode, _, _ := strings.Cut(line, " ")
		_, path, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all[path] = map[string]fs.FileMode{"100644": 0o644, "100755": 0o755}[mode]
	}
	if len(all) == 0 {
		t.Fatalf("no file is tracked in %s", dir)
	}
	return all
}

// Nothing of the example is left once all values are given.
func TestRender_values(t *testing.T) {
	t.Parallel()
	left := []string{"18.0", "18-0", "py312", "registry.example.com", "odoo.example.com", "sha256:0000"}
	image := render(t, scaffold.DerivedImage, scaffold.Values{
		Series: "17.0", Image: "ghcr.io/acme/odoo", Branch: "main", Forge: scaffold.Forgejo,
		BuilderImage: "ghcr.io/nuobit/oci-odoo-builder:17.0-py310-trixie-r0004" + digest,
		RuntimeImage: "ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0004" + digest,
	})
	for kind, files := range map[scaffold.Kind]map[string]scaffold.File{
		scaffold.DerivedImage: image,
		scaffold.Kubernetes:   render(t, scaffold.Kubernetes, scaffold.Values{Image: "ghcr.io/acme/odoo:17.0-py310-trixie-r0002" + digest, Host: "erp.acme.test"}),
		scaffold.Compose:      render(t, scaffold.Compose, scaffold.Values{Image: "ghcr.io/acme/odoo:17.0-py310-trixie-r0002" + digest}),
		scaffold.Podman:       render(t, scaffold.Podman, scaffold.Values{Image: "ghcr.io/acme/odoo:17.0-py310-trixie-r0002" + digest}),
	} {
		for path, f := range files {
			for _, example := range left {
				if strings.Contains(string(f.Content), example) {
					t.Errorf("%s: %s still has %s", kind, path, example)
				}
			}
		}
	}
	release := string(image[".forgejo/workflows/release.yml"].Content)
	for _, want := range []string{`branches: ["main"]`, "IMAGE: ghcr.io/acme/odoo\n", "- kind: forgejo\n", "TAG_PREFIX: 17.0-py310-trixie-r\n"} {
		if !strings.Contains(release, want) {
			t.Errorf("the release workflow has no %q:\n%s", want, release)
		}
	}
	if want := "ARG ODOO_RUNTIME_IMAGE=ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0004" + digest + "\n"; !strings.Contains(string(image["Dockerfile"].Content), want) {
		t.Errorf("the Dockerfile has no %s", want)
	}
	if _, err := config.ParseRepo(config.RepoFile, image[config.RepoFile].Content); err != nil {
		t.Error(err)
	}
}

// Each forge gets its own workflows and no others'.
func TestRender_forges(t *testing.T) {
	t.Parallel()
	for _, forge := range scaffold.Forges() {
		var dirs []string
		for path := range render(t, scaffold.DerivedImage, scaffold.Values{Series: "18.0", Forge: forge}) {
			if dir, _, found := strings.Cut(path, "/workflows/"); found && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
		if len(dirs) != 1 || dirs[0] != "."+string(forge) {
			t.Errorf("%s: workflows in %v", forge, dirs)
		}
	}
}

// What is rendered for other names is still taken by those who read it.
func TestRender_deployments(t *testing.T) {
	t.Parallel()
	image := "registry.acme.test:5000/odoo/erp:19.0-py312-trixie-r0123" + digest
	for _, kind := range scaffold.Deployments() {
		dir := filepath.Join(t.TempDir(), "deployment")
		files, err := scaffold.Render(kind, &scaffold.Values{Image: image, Host: "erp.acme.test"})
		if err != nil {
			t.Fatal(err)
		}
		place(t, dir, files)
		all := deployment.Odoo(t, string(kind), dir)
		if len(all) < 3 {
			t.Errorf("%s has %d containers", kind, len(all))
		}
		for _, c := range all {
			if c.Image != image {
				t.Errorf("%s: the image is %s", c.Name, c.Image)
			}
		}
	}
}

// Values end up in YAML, in Dockerfiles and in scripts.
func TestRender_refused(t *testing.T) {
	t.Parallel()
	pinned := "ghcr.io/acme/odoo:18.0-py312-trixie-r0001" + digest
	for _, test := range []struct {
		field string
		kind  scaffold.Kind
		value scaffold.Values
	}{
		{"Series", scaffold.DerivedImage, scaffold.Values{}},
		{"Series", scaffold.DerivedImage, scaffold.Values{Series: "18"}},
		{"Series", scaffold.DerivedImage, scaffold.Values{Series: "18.0\nRUN curl evil"}},
		{"Series", scaffold.DerivedImage, scaffold.Values{Series: "42.0"}},
		{"Series", scaffold.DerivedImage, scaffold.Values{Series: "17.0", RuntimeImage: pinned}},
		{"Series", scaffold.Compose, scaffold.Values{Series: "17.0", Image: pinned}},
		{"Series", scaffold.Compose, scaffold.Values{Image: "ghcr.io/acme/odoo:latest" + digest}},
		{"BuilderImage", scaffold.DerivedImage, scaffold.Values{Series: "18.0", BuilderImage: "ghcr.io/x/builder:17.0-py310-trixie-r0001" + digest}},
		{"BuilderImage", scaffold.DerivedImage, scaffold.Values{Series: "18.0", BuilderImage: "ghcr.io/x/builder:18.0-py312-trixie-r0001"}},
		{"BuilderImage", scaffold.DerivedImage, scaffold.Values{Series: "18.0", BuilderImage: "ghcr.io/x/builder" + digest}},
		{"RuntimeImage", scaffold.DerivedImage, scaffold.Values{Series: "18.0", RuntimeImage: "ghcr.io/x/odoo:18.0-py312-trixie-r0001@sha256:short"}},
		{"RuntimeImage", scaffold.DerivedImage, scaffold.Values{Series: "18.0", RuntimeImage: pinned + "\nRUN curl evil"}},
		{"Image", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Image: pinned}},
		{"Image", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Image: "acme/odoo"}},
		{"Image", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Image: "ghcr.io/acme/$(id)"}},
		{"Image", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Image: "ghcr.io/acme/odoo\"\n  X: y"}},
		{"Image", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Image: "--upload-pack=x"}},
		{"Image", scaffold.Compose, scaffold.Values{Series: "18.0", Image: "ghcr.io/acme/odoo:18.0-py312-trixie-r0001"}},
		{"Branch", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Branch: `x"], tags: ["*`}},
		{"Branch", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Branch: "a..b"}},
		{"Branch", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Branch: "-x"}},
		{"Branch", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Branch: "${{ github.head_ref }}"}},
		{"Forge", scaffold.DerivedImage, scaffold.Values{Series: "18.0", Forge: "gitlab"}},
		{"Host", scaffold.Kubernetes, scaffold.Values{Series: "18.0", Host: "localhost"}},
		{"Host", scaffold.Kubernetes, scaffold.Values{Series: "18.0", Host: "a.test]\n- b"}},
		{"Host", scaffold.Kubernetes, scaffold.Values{Series: "18.0", Host: "*.acme.test"}},
	} {
		files, err := scaffold.Render(test.kind, &test.value)
		wrong := (*scaffold.InvalidError)(nil)
		if len(files) > 0 || !errors.As(err, &wrong) || wrong.Value != test.field || cli.Code(err) != cli.ExitInvalid {
			t.Errorf("%s %+v: %v, want an error about %s", test.kind, test.value, err, test.field)
		}
	}
}

var lineRE = regexp.MustCompile(`(?m)^\| ([0-9]+\.0) \| ([a-z]+) \| 3\.([0-9]+) \|`)

// The series that are known without a runtime image are those of the foundation
// images.
func TestRender_lines(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../../images/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := lineRE.FindAllStringSubmatch(string(table), -1)
	if len(rows) < 4 {
		t.Fatalf("the table has %d series", len(rows))
	}
	for _, row := range rows {
		want := "oci-odoo:" + row[1] + "-py3" + row[3] + "-" + row[2] + "-r0001@"
		if f := render(t, scaffold.DerivedImage, scaffold.Values{Series: row[1]})["Dockerfile"]; !strings.Contains(string(f.Content), want) {
			t.Errorf("%s: the Dockerfile has no %s:\n%s", row[1], want, f.Content)
		}
	}
}
