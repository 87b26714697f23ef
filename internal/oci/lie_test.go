package oci

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/registrytest"
)

// A registry that names another digest than that of what it was sent, or that sends something else than
// it was asked for, is not believed.
func TestFault_F13_RegistryLies(t *testing.T) {
	t.Parallel()
	const lie = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for name, matches := range map[string]func(r *http.Request) bool{
		"of a blob that is put": func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "uploads")
		},
		"of a manifest that is put": func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "manifests")
		},
		"of a blob that it has": func(r *http.Request) bool { return r.Method == http.MethodHead },
	} {
		reg, c, _, a := ready(t)
		reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
			if !matches(r) {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Docker-Content-Digest", lie)
			w.WriteHeader(map[string]int{http.MethodPut: http.StatusCreated, http.MethodHead: http.StatusOK}[r.Method])
			return true
		})
		if _, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r1"}}); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// A base whose manifest, configuration or layer is another than its digest says is not taken.
func TestFault_F13_BaseIsAnother(t *testing.T) {
	t.Parallel()
	for name, word := range map[string]string{"manifest": "/manifests/", "blob": "/blobs/"} {
		reg, to := registrytest.New(t), registrytest.New(t)
		base := pushBase(t, reg)
		dir := t.TempDir()
		files(t, dir, addons())
		c, _ := newClient(t)
		lie := func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, word) {
				return false
			}
			_, _ = io.WriteString(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
			return true
		}
		reg.Fail(lie)
		if _, err := c.Image(t.Context(), base, linux()); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: the error is %v", name, err)
		}
		// And when the lie begins with the layers, which are copied to another registry.
		reg.Fail(nil)
		a := assembly(t, c, base, dir)
		reg.Fail(lie)
		_, err := c.Assemble(t.Context(), a, target(t, to.Host+"/acme/odoo"), Tags{Names: []string{"r1"}})
		if word == "/blobs/" && !errors.Is(err, ErrMismatch) {
			t.Errorf("%s copied: the error is %v", name, err)
		}
	}
}
