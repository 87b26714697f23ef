package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/nuobit/odyssey/test/registrytest"
)

// attached are two documents, as a release has them.
func attached(*Result) ([]Attachment, error) {
	return []Attachment{
		{Type: TypeSBOM, Data: []byte(`{"bomFormat":"CycloneDX"}`), Annotations: map[string]string{"platform": "linux/amd64"}},
		{Type: TypeStatement, Data: []byte(`{"_type":"x"}`), Annotations: map[string]string{"mark": "1"}, Mark: "mark"},
	}, nil
}

// withReferrers is a registry that keeps the lists itself. go-containerregistry's does not say so in its
// answers, as the specification asks: said does that for it.
func withReferrers(t *testing.T, said bool) *registrytest.Registry {
	t.Helper()
	inner := registry.New(registry.WithReferrersSupport(true), registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	reg := registrytest.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if said && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			data, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(data))
			var m v1.Manifest
			if json.Unmarshal(data, &m) == nil && m.Subject != nil {
				w.Header().Set("OCI-Subject", m.Subject.Digest.String())
			}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(reg.Stop)
	return reg
}

// TestReferrers: what hangs on an image is found again, in a registry with the API and in one
// without; the image's digest is what it would be alone, and a second time nothing is added.
func TestReferrers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reg  *registrytest.Registry
		tags string // of the repository in the end
	}{
		"API":           {withReferrers(t, true), "r1"},
		"API, not said": {withReferrers(t, false), "r1"},
		"fallback":      {registrytest.New(t), "r1 sha256-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := newClient(t)
			dir := t.TempDir()
			files(t, dir, addons())
			a := assembly(t, client, pushBase(t, c.reg), dir)
			alone, err := client.Digest(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			a.Attach = attached
			to := target(t, c.reg.Host+"/acme/odoo")
			first, err := client.Assemble(t.Context(), a, to, Tags{Names: []string{"r1"}})
			if err != nil || first.Digest != alone.Digest {
				t.Fatalf("%+v, %v; alone it is %s", first, err, alone.Digest)
			}
			ref := to.Reference.WithDigest(first.Digest)
			found, err := client.Referrers(t.Context(), ref, "")
			if err != nil || len(found) != 2 {
				t.Fatalf("found %+v, %v", found, err)
			}
			boms, err := client.Referrers(t.Context(), ref, TypeSBOM)
			if err != nil || len(boms) != 1 || boms[0].Annotations["platform"] != "linux/amd64" {
				t.Fatalf("found %+v, %v", boms, err)
			}
			data, err := client.ReadReferrer(t.Context(), ref, boms[0])
			if err != nil || string(data) != `{"bomFormat":"CycloneDX"}` {
				t.Errorf("read %q, %v", data, err)
			}
			// The same again, and a statement in other bytes that says the same.
			a.Attach = func(r *Result) ([]Attachment, error) {
				all, err := attached(r)
				all[1].Data = []byte(`{"_type":"x","at":"another time"}`)
				return all, err
			}
			second, err := client.Assemble(t.Context(), a, to, Tags{Names: []string{"r1"}})
			if err != nil || second.Attached[0].Digest != first.Attached[0].Digest || second.Attached[1].Digest != first.Attached[1].Digest {
				t.Errorf("the second time %+v, %v", second, err)
			}
			if again, err := client.Referrers(t.Context(), ref, ""); err != nil || len(again) != 2 {
				t.Errorf("found %+v, %v", again, err)
			}
			tags, err := client.Tags(t.Context(), to.Reference.Repository)
			if err != nil || !strings.HasPrefix(strings.Join(tags, " "), c.tags) || len(tags) != len(strings.Fields(c.tags)) {
				t.Errorf("the tags are %q, %v", tags, err)
			}
		})
	}
}

// TestReferrersAtOnce: of several who hang something on an image at the same moment in a registry
// without the API, none is lost.
func TestReferrersAtOnce(t *testing.T) {
	t.Parallel()
	reg, c, _, a := ready(t)
	to := target(t, reg.Host+"/acme/odoo")
	// What somebody else writes right afterwards is as if it had not been written.
	var overwritten atomic.Int32
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256-") || overwritten.Add(1) > 2 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		return true
	})
	const many = 4
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			mine := a
			mine.Attach = func(*Result) ([]Attachment, error) {
				return []Attachment{{Type: TypeStatement, Data: []byte{'0' + byte(i)}}}, nil
			}
			if _, err := c.Assemble(t.Context(), mine, to, Tags{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	result, err := c.Digest(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.Referrers(t.Context(), to.Reference.WithDigest(result.Digest), TypeStatement); err != nil || len(found) != many {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestReferrersOfLayout: in a directory and an archive they stand beside the image in the list.
func TestReferrersOfLayout(t *testing.T) {
	t.Parallel()
	_, c, _, a := ready(t)
	a.Attach = attached
	dir := t.TempDir()
	for range 2 {
		if _, err := c.Assemble(t.Context(), a, Target{Path: filepath.Join(dir, "image")}, Tags{Names: []string{"r1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Assemble(t.Context(), a, Target{Path: filepath.Join(dir, "image.tar"), archive: true}, Tags{Names: []string{"r1"}}); err != nil {
		t.Fatal(err)
	}
	unpacked := filepath.Join(dir, "unpacked")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		t.Fatal(err)
	}
	untar(t, filepath.Join(dir, "image.tar"), unpacked)
	for _, place := range []string{filepath.Join(dir, "image"), unpacked} {
		data, err := os.ReadFile(filepath.Join(place, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(data))
		if err != nil || len(index.Manifests) != 3 {
			t.Fatalf("%s: %+v, %v", place, index, err)
		}
		if index.Manifests[0].ArtifactType != TypeSBOM || index.Manifests[1].ArtifactType != TypeStatement || index.Manifests[2].Annotations[annotationRefName] != "r1" {
			t.Errorf("%s: %s", place, data)
		}
		for _, m := range index.Manifests {
			if info, err := os.Stat(filepath.Join(place, blobName(m.Digest.String()))); err != nil || info.Size() != m.Size {
				t.Errorf("%s: %v, %v", m.Digest, info, err)
			}
		}
	}
}

// TestReferrersLie: a document that is of another image, or other bytes than its digest says, is
// refused; a registry in trouble is not one without the API.
func TestReferrersLie(t *testing.T) {
	t.Parallel()
	reg, c, waited, a := ready(t)
	a.Attach = attached
	to := target(t, reg.Host+"/acme/odoo")
	result, err := c.Assemble(t.Context(), a, to, Tags{})
	if err != nil {
		t.Fatal(err)
	}
	ref := to.Reference.WithDigest(result.Digest)
	other := ref.WithDigest(result.Manifest)
	if _, err := c.ReadReferrer(t.Context(), other, result.Attached[0]); !errors.Is(err, ErrMismatch) {
		t.Errorf("of another image: %v", err)
	}
	if _, err := c.Referrers(t.Context(), to.Reference, ""); err == nil {
		t.Error("without a digest there is no error")
	}
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = w.Write([]byte(`{"bomFormat":"CycloneDY"}`))
			return true
		}
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	if _, err := c.ReadReferrer(t.Context(), ref, result.Attached[0]); !errors.Is(err, ErrMismatch) {
		t.Errorf("other bytes: %v", err)
	}
	if _, err := c.Referrers(t.Context(), ref, ""); !errors.Is(err, ErrTransient) || len(waited.all) == 0 {
		t.Errorf("a registry in trouble: %v", err)
	}
}

// A registry that refuses what is to hang on an image, as one whose tags cannot be moved does with the list of it,
// leaves the image without a tag; the error says so.
func TestFault_F9_RegistryRefusesReferrers(t *testing.T) {
	t.Parallel()
	reg, c, _, a := ready(t)
	a.Attach = attached
	to := target(t, reg.Host+"/acme/odoo")
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-") && answer(w, http.StatusForbidden, "DENIED", "tags are immutable")
	})
	_, err := c.Assemble(t.Context(), a, to, Tags{Names: []string{"r1"}})
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "--attest no") || !strings.Contains(err.Error(), "tags are immutable") {
		t.Errorf("the error is %v", err)
	}
	if tags, err := c.Tags(t.Context(), to.Reference.Repository); err != nil || slices.Contains(tags, "r1") {
		t.Errorf("the tags are %v, %v", tags, err)
	}
	// Faults that pass are waited for.
	var failed atomic.Int32
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		return (strings.Contains(r.URL.Path, "/referrers/") || strings.Contains(r.URL.Path, "/manifests/sha256-")) && failed.Add(1) < 4 &&
			answer(w, http.StatusServiceUnavailable, "UNAVAILABLE", "")
	})
	result, err := c.Assemble(t.Context(), a, to, Tags{Names: []string{"r1"}})
	if err != nil || len(result.Attached) != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}
