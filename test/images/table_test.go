package images

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pinned is an image by tag and digest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}$`)

// arguments are the ARGs of a Dockerfile that stand before its first stage.
func arguments(t *testing.T, image string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "images", image, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(data), "\nFROM ")
	found := map[string]string{}
	for line := range strings.Lines(head) {
		if definition, ok := strings.CutPrefix(strings.TrimSpace(line), "ARG "); ok {
			name, value, _ := strings.Cut(definition, "=")
			found[name] = value
		}
	}
	return found
}

// The table of images/README.md is that of the Dockerfile: the Python of each
// series, the base's tag, and whether it is pinned.
func TestTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "images", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	args, series := arguments(t, "runtime"), seriesOf(t)
	for name, base := range series {
		tag, digest, _ := strings.Cut(base, "@")
		state := "not yet"
		if digest != "" {
			state = "`" + digest + "`"
		}
		python := regexp.MustCompile(`^docker\.io/library/python:(3\.\d+)[.\d]*-slim-trixie$`).FindStringSubmatch(tag)
		if python == nil {
			t.Errorf("%s: the base is %s", name, base)
			continue
		}
		if row := fmt.Sprintf("| %s | trixie | %s | %#q | %s |", name, python[1], tag, state); !strings.Contains(string(readme), row) {
			t.Errorf("images/README.md has no row %s", row)
		}
	}
	if len(series) != strings.Count(string(readme), " | trixie | ") {
		t.Errorf("images/README.md has not the %d series of the Dockerfile", len(series))
	}
	if stages := args["ODOO_SERIES"]; series[stages] == "" {
		t.Errorf("ODOO_SERIES is %s by default", stages)
	}
	for _, image := range []string{"builder", "bot"} {
		if other := arguments(t, image)["GO_IMAGE"]; other != args["GO_IMAGE"] {
			t.Errorf("GO_IMAGE is %s and %s", args["GO_IMAGE"], other)
		}
	}
	args["BASE_IMAGE"] = arguments(t, "bot")["BASE_IMAGE"]
	for name, value := range args {
		if strings.Contains(value, "@") && !pinned.MatchString(value) {
			t.Errorf("%s is no image by tag and digest: %s", name, value)
		}
	}
}

// A series is built on its own base, and 17.0 when none is named.
func TestSeries(t *testing.T) {
	s := built(t)
	build := func(series, base string, args map[string]string) {
		t.Helper()
		args["WKHTMLTOPDF_URL"] = ""
		b := variant(t, s, "runtime", "runtime-series", args)
		b.Target = "wkhtmltopdf" // of the stages on the base, the one that is quick
		for other := range seriesOf(t) {
			b.Args[baseArgument(other)] = s.golang // which is told by what is in it
		}
		b.Args[baseArgument(base)] = s.base
		if _, err := s.store.Build(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		files, err := from(t, s, b.Image).Files(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, other := files["usr/local/go"]; other {
			t.Errorf("the series %q is built on the base of another one than %s", series, base)
		}
	}
	for series := range seriesOf(t) {
		build(series, series, map[string]string{"ODOO_SERIES": series})
	}
	build("", "17.0", map[string]string{})
}

// The Go that builds the programs in an image is one that go.mod takes.
func TestGoImage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(data))
	image := arguments(t, "runtime")["GO_IMAGE"]
	if !strings.HasPrefix(image, "docker.io/library/golang:"+wanted[1]) {
		t.Errorf("GO_IMAGE is %s, and go.mod wants Go %s", image, wanted[1])
	}
}
