package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/nuobit/odyssey/test/registrytest"
)

// TestJoin publishes images of two architectures, one of which is in another registry, under one
// index, in whichever order they are named.
func TestJoin(t *testing.T) {
	t.Parallel()
	reg, elsewhere := registrytest.New(t), registrytest.New(t)
	c, _ := newClient(t)
	var refs []Reference
	for i, r := range []*registrytest.Registry{reg, elsewhere} {
		p := Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i]}
		digest := registrytest.Push(t, r.Host+"/base/runtime:r1", registrytest.Base{Architecture: p.Architecture})
		image, err := c.Image(t.Context(), Reference{Repository: r.Host + "/base/runtime", Digest: digest}, p)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		files(t, dir, addons())
		a := assembly(t, c, pushBase(t, r), dir)
		a.Base = image
		a.Annotations = map[string]string{AnnotationRevision: "abc", "only": p.Architecture}
		result, err := c.Assemble(t.Context(), a, target(t, r.Host+"/acme/odoo"), Tags{})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, Reference{Repository: r.Host + "/acme/odoo", Digest: result.Digest})
	}
	to := target(t, reg.Host+"/acme/odoo")
	joined, err := c.Join(t.Context(), refs, to, nil, Tags{Next: "17.0-r"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Join(t.Context(), []Reference{refs[1], refs[0], refs[1]}, to, nil, Tags{Next: "17.0-r"})
	if err != nil || again.Digest != joined.Digest || strings.Join(again.Tags, " ") != "17.0-r0001" {
		t.Errorf("in another order: %+v, %v", again, err)
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := c.Image(t.Context(), to.Reference.WithTag("17.0-r0001"), Platform{OS: "linux", Architecture: architecture})
		if err != nil || image.Platform.Architecture != architecture || image.Annotations["only"] != architecture {
			t.Errorf("%s: %+v, %v", architecture, image, err)
		}
	}
	ref, err := name.NewDigest(reg.Host + "/acme/odoo@" + joined.Digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 || manifest.Annotations[AnnotationRevision] != "abc" || manifest.Annotations["only"] != "" {
		t.Errorf("the index is %+v, %v", manifest, err)
	}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err == nil {
			err = validate(image)
		}
		if err != nil || m.Platform == nil || m.Platform.Architecture == "" {
			t.Errorf("%v: %v", m.Platform, err)
		}
	}
	// Two for the same platform are not one index.
	input := (*InputError)(nil)
	other := assembly(t, c, pushBase(t, reg), t.TempDir())
	result, err := c.Assemble(t.Context(), other, to, Tags{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Join(t.Context(), []Reference{refs[0], to.Reference.WithDigest(result.Digest)}, to, nil, Tags{}); !errors.As(err, &input) {
		t.Errorf("two for one platform: %v", err)
	}
}

// TestReferences reads names of images.
func TestReferences(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("ab", 32)
	for text, want := range map[string]Reference{
		"ghcr.io/acme/odoo":                  {Repository: "ghcr.io/acme/odoo"},
		"ghcr.io/acme/odoo:17.0":             {Repository: "ghcr.io/acme/odoo", Tag: "17.0"},
		"localhost:5000/odoo:17.0@" + digest: {Repository: "localhost:5000/odoo", Tag: "17.0", Digest: digest},
		"localhost:5000/odoo@" + digest:      {Repository: "localhost:5000/odoo", Digest: digest},
		"odoo":                               {Repository: "index.docker.io/library/odoo"},
	} {
		got, err := ParseReference(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a:", "A/B", "a b", "a@sha256:x", "a@" + digest[:70], "a@" + strings.ToUpper(digest), "-x/y z", "a/../b", "ghcr.io/x:-tag", "https://ghcr.io/a/b"} {
		if got, err := ParseReference(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	for _, text := range []string{"", "docker:x", "docker://", "docker://a@" + digest, "oci:", "ftp:x", "oci-archive:"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
