package sbom

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden bill anew")

// content is an image with something of everything.
func content() Content {
	hex := func(c string) string { return strings.Repeat(c, 64) }
	return Content{
		Image: Image{
			Name: "acme/odoo", Repository: "ghcr.io/acme/odoo", Digest: "sha256:" + hex("a"), Platform: "linux/amd64", Created: time.Unix(1700000000, 0),
			Source: "https://github.com/acme/odoo-image", Revision: strings.Repeat("9", 40),
		},
		Bases: []Base{{Ref: "base", Repository: "ghcr.io/nuobit/oci-odoo", Tag: "17.0-r1", Digest: "sha256:" + hex("b")}},
		Repositories: []Repository{
			{
				Path: "./odoo", Tree: strings.Repeat("1", 40), Commits: []Commit{{URL: "https://github.com/odoo/odoo.git", ID: strings.Repeat("2", 40)}},
				Addons: []Addon{{Name: "base", Version: "17.0.1.3", License: "LGPL-3", Dir: "odoo/odoo/addons"}, {Name: "sale", Version: "1.2", License: "LGPL-3", Dir: "odoo/addons"}},
			},
			{
				Path: "./oca/web", Tree: strings.Repeat("3", 40),
				Commits: []Commit{{URL: "https://github.com/OCA/web.git", ID: strings.Repeat("4", 40)}, {URL: "ssh://git.example.com:2222/acme/web.git", ID: strings.Repeat("5", 40)}},
				Addons:  []Addon{{Name: "web_x", Version: "17.0.1.0.0", License: "AGPL-3", Dir: "oca/web"}, {Name: "broken", Dir: "oca/web"}},
			},
			{
				Path: "./acme/private", Tree: strings.Repeat("6", 40), Commits: []Commit{{URL: "https://git.example.com/acme/private.git", ID: strings.Repeat("7", 40)}},
				Addons: []Addon{{Name: "private", Version: "17.0.1.0.0", License: "OPL-1", Dir: "acme"}},
			},
			{Path: "./local", Tree: strings.Repeat("8", 40), Commits: []Commit{{ID: strings.Repeat("8", 40)}}},
		},
		Packages: []Package{
			{Name: "zope-interface", Version: "6.0", License: "ZPL 2.1"},
			{Name: "lxml", Version: "5.2.1", SPDX: "BSD-3-Clause", Hashes: []string{"sha256:" + hex("c"), "sha256:" + hex("d"), "md5:x"}},
		},
		ToolVersion: "1.2.3",
	}
}

// validate holds a bill against CycloneDX's own schema, which its library carries.
func validate(t *testing.T, data []byte) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "schema")
	compiler := jsonschema.NewCompiler()
	for file, id := range map[string]string{"spdx.schema.json": "spdx.schema.json", "jsf-0.82.schemax.json": "jsf-0.82.schema.json", "bom-1.6.schema.json": "bom-1.6.schema.json"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+id, document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("CycloneDX's schema: %v", err)
	}
}

// TestMake: the bill is what CycloneDX's schema wants, and the golden one, whatever the order of
// packages; what it says does not depend on the version of the program.
func TestMake(t *testing.T) {
	t.Parallel()
	c := content()
	got, mark, err := Make(c)
	if err != nil {
		t.Fatal(err)
	}
	validate(t, got)
	golden := filepath.Join("testdata", "golden.cdx.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
	slices.Reverse(c.Packages)
	if again, _, err := Make(c); err != nil || !bytes.Equal(again, got) {
		t.Errorf("in another order of packages: %v", err)
	}
	c.ToolVersion = "1.2.4"
	if newer, same, err := Make(c); err != nil || same != mark || bytes.Equal(newer, got) {
		t.Errorf("by a newer program: %s and %s, %v", mark, same, err)
	}
	c.Packages[0].Version = "7"
	if _, other, err := Make(c); err != nil || other == mark {
		t.Errorf("with another package the mark is the same: %v", err)
	}
	// Every reference is of one component alone, and each package URL is one.
	var bom struct {
		Components []json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(got, &bom); err != nil || len(bom.Components) != 7 {
		t.Fatalf("%d components, %v", len(bom.Components), err)
	}
	document, err := Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range document.Packages("") {
		if _, err := packageurl.FromString(p.PURL); err != nil {
			t.Errorf("%s: %v", p.PURL, err)
		}
	}
}

// TestContent: what was written is read back, but for what the format has no place for.
func TestContent(t *testing.T) {
	t.Parallel()
	want := content()
	data, _, err := Make(want)
	if err != nil {
		t.Fatal(err)
	}
	document, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := document.Content()
	if diff := cmp.Diff(want.Repositories, got.Repositories, cmpopts.IgnoreFields(Commit{}, "URL"), cmpopts.IgnoreFields(Addon{}, "License"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Image, got.Image, cmpopts.IgnoreFields(Image{}, "Created", "Repository")); diff != "" {
		t.Error(diff)
	}
	if got.Repositories[1].Addons[0].License != "AGPL-3.0-only" || got.Repositories[2].Addons[0].License != "OPL-1" {
		t.Errorf("licences %+v", got.Repositories)
	}
	if len(got.Packages) != 2 || got.Packages[0].Name != "lxml" || len(got.Packages[0].Hashes) != 2 {
		t.Errorf("packages %+v", got.Packages)
	}
}

// TestPackages reads the bill of another program, with packages of Debian in a component of an operating system.
func TestPackages(t *testing.T) {
	t.Parallel()
	document, err := Parse([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[
	  {"type":"operating-system","name":"debian","version":"13.1","components":[
	    {"type":"library","name":"libpq5","version":"17.6-0+deb13u1","purl":"pkg:deb/debian/libpq5@17.6-0%2Bdeb13u1?arch=amd64&distro=debian-13","licenses":[{"license":{"id":"PostgreSQL"}}]}]},
	  {"type":"library","name":"six","version":"1.16.0","purl":"pkg:pypi/six@1.16.0","hashes":[{"alg":"SHA-256","content":"00"}]},
	  {"type":"library","name":"odd","purl":"pkg:"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{Name: "libpq5", Version: "17.6-0+deb13u1", License: "PostgreSQL", PURL: "pkg:deb/debian/libpq5@17.6-0%2Bdeb13u1?arch=amd64&distro=debian-13"}}
	if diff := cmp.Diff(want, document.Packages("deb")); diff != "" {
		t.Error(diff)
	}
	if got := document.Packages(""); len(got) != 2 || got[1].Hashes[0] != "sha256:00" {
		t.Errorf("all: %+v", got)
	}
	for _, bad := range []string{"", "{}", "[]", `{"bomFormat":"SPDX"}`, `{"bomFormat":"CycloneDX","components":{}}`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// FuzzParse: whatever hangs on an image is read, or refused with an error.
func FuzzParse(f *testing.F) {
	data, _, err := Make(content())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"bomFormat":"CycloneDX","metadata":{"component":{}},"components":[{"bom-ref":"repository:x","pedigree":{"commits":[{}]},"components":[{}]}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if document, err := Parse(data); err == nil {
			document.Content()
			document.Packages("")
		}
	})
}
