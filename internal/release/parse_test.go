package release

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/oci"
)

func TestKeepTranslation(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"sale/i18n/es.po": true, "sale/i18n/es_MX.po": false, "sale/i18n/pt_BR.po": true, "sale/i18n/pt.po": true, "sale/i18n/pt_PT.po": false,
		"sale/i18n/fr.po": false, "sale/i18n_extra/fr.po": false, "sale/i18n/sale.pot": true, "i18n/fr.po": false, "sale/data/fr.po": true,
		"sale/i18n/sr@latin.po": true, "sale/i18n/sr.po": true, "sale/i18n/sub/fr.po": true, "sale/xi18n/fr.po": true, "sale/i18n/e.po": false,
	} {
		if got := keepTranslation(name, []string{"es", "pt_BR", "sr@latin"}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Odoo reads es_419 before every Spanish but that of Spain.
func TestKeepTranslation_Spanish(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]bool{"es_MX": true, "es_419": true, "es_ES": false, "es": false, "pt_BR": false} {
		if got := keepTranslation("sale/i18n/es_419.po", []string{language}); got != want {
			t.Errorf("for %s es_419 is kept: %v", language, got)
		}
	}
}

func TestReadSystemPackages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]SystemPackages{
		"":                                       nil,
		"# none yet\n\n":                         nil,
		"libcups2 # for pycups\nlibzbar0\n":      {"libcups2", "libzbar0"},
		"libzbar0 libcups2\r\nlibzbar0":          {"libcups2", "libzbar0"},
		"g++\nlibx:amd64\nlibc6=2.41-12+deb13u1": {"g++", "libc6=2.41-12+deb13u1", "libx:amd64"},
	} {
		path := filepath.Join(t.TempDir(), "packages.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSystemPackages(path)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"-o=Dir::Etc=x", "$(id)", "a;b", "libfoo\n--allow-unauthenticated", "UPPER", "x=`id`", "a\\\nb"} {
		path := filepath.Join(t.TempDir(), "packages.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadSystemPackages(path); err == nil || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// TestSystemTag: base, platform and packages make another tag each, and their order does not.
func TestSystemTag(t *testing.T) {
	t.Parallel()
	amd, arm := oci.Platform{OS: "linux", Architecture: "amd64"}, oci.Platform{OS: "linux", Architecture: "arm64"}
	seen := map[string]bool{}
	for _, tag := range []string{
		SystemTag(oci.Reference{Digest: "a"}, amd, SystemPackages{"x", "y"}), SystemTag(oci.Reference{Digest: "b"}, amd, SystemPackages{"x", "y"}),
		SystemTag(oci.Reference{Digest: "a"}, arm, SystemPackages{"x", "y"}), SystemTag(oci.Reference{Digest: "a"}, amd, SystemPackages{"x"}),
		SystemTag(oci.Reference{Digest: "a"}, amd, SystemPackages{"xy"}),
	} {
		if seen[tag] || !strings.HasPrefix(tag, "base-") {
			t.Errorf("%s", tag)
		}
		seen[tag] = true
	}
	if SystemTag(oci.Reference{Digest: "a", Tag: "r1"}, amd, SystemPackages{"x"}) != SystemTag(oci.Reference{Digest: "a", Tag: "r2"}, amd, SystemPackages{"x"}) {
		t.Error("a tag of the base counts")
	}
}

// FuzzHeldIn: what an image that anybody may have made says of its addons never leads out of the source
// directory, and what is accepted is written again as it was meant.
func FuzzHeldIn(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `[{"path":"./x","addons":[{"dir":"oca/web","modules":[{"name":"a","version":"1","license":"AGPL-3"}]}]}]`,
		`[{"addons":[{"dir":"../x"}]}]`, `[{"addons":[{"dir":"/etc"}]}]`, `[{"addons":[{"dir":"a,b"}]}]`, `{`, `[{"addons":[{"dir":"a/../../b"}]}]`, `[{"addons":[{"dir":""}]}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := heldIn(oci.Layer{Annotations: map[string]string{annotationSources: text}})
		if err != nil {
			return
		}
		for _, h := range all {
			for _, r := range h.Roots {
				if !filepath.IsLocal(r.Dir) || strings.ContainsAny(r.Dir, ",\n") {
					t.Errorf("accepted %q", r.Dir)
				}
			}
		}
		again, err := json.Marshal(all)
		if err != nil || len(again) > maxHeld {
			return
		}
		twice, err := heldIn(oci.Layer{Annotations: map[string]string{annotationSources: string(again)}})
		if err != nil {
			t.Errorf("%q is written as %q: %v", text, again, err)
		}
		if diff := cmp.Diff(all, twice, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestReadPublished: an image of somebody else's, or one that lies, is refused with a reason.
func TestReadPublished(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		annotationFormat: format, annotationCompression: "gzip", oci.AnnotationBaseName: "ghcr.io/x/y:r1", oci.AnnotationBaseDigest: "sha256:" + strings.Repeat("0", 64),
		annotationSource: "/opt/odoo/src", annotationVenv: "/opt/odoo/venv", annotationLanguages: "ca,es", "mine": "x",
	}
	p, err := ReadPublished(&oci.Image{Annotations: good})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"mine": "x"}, p.options.Annotations); diff != "" || len(p.options.Languages) != 2 {
		t.Errorf("%s %v", diff, p.options.Languages)
	}
	for key, value := range map[string]string{
		annotationFormat: "", annotationCompression: "lzma", oci.AnnotationBaseDigest: "sha256:x", oci.AnnotationBaseName: "", annotationSystem: "ghcr.io/x/y:r1",
	} {
		bad := map[string]string{}
		for k, v := range good {
			bad[k] = v
		}
		bad[key] = value
		if _, err := ReadPublished(&oci.Image{Annotations: bad}); err == nil {
			t.Errorf("%s=%q is accepted", key, value)
		}
	}
}
