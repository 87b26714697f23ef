package oci

import (
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// linux is what the tests build for.
func linux() Platform { return Platform{OS: "linux", Architecture: "amd64"} }

// testRegistry is a registry in this process, behind what may be put in its way.
type testRegistry struct {
	host string
	mu   sync.Mutex
	// before may answer a request itself, and returns true then.
	before func(w http.ResponseWriter, r *http.Request) bool
	log    []string // METHOD PATH
}

func newRegistry(t testing.TB) *testRegistry {
	t.Helper()
	return wrapRegistry(t, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

func wrapRegistry(t testing.TB, inner http.Handler) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.log = append(r.log, req.Method+" "+req.URL.Path)
		before := r.before
		r.mu.Unlock()
		if before != nil && before(w, req) {
			return
		}
		inner.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// fault puts something in the way of requests from now on.
func (r *testRegistry) fault(before func(w http.ResponseWriter, req *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.log = before, nil
}

// count counts requests of a method whose path holds a word.
func (r *testRegistry) count(method, word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, l := range r.log {
		if strings.HasPrefix(l, method+" ") && strings.Contains(l, word) {
			n++
		}
	}
	return n
}

// waits is a clock that never waits, and remembers how long it would have.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, d)
	return ctx.Err()
}

func newClient(t testing.TB) (*Client, *waits) {
	t.Helper()
	w := &waits{}
	return New(Options{Wait: w.wait, Stall: 5 * time.Second}), w
}

// pushBase puts an image with two layers into a registry and returns its reference.
func pushBase(t testing.TB, host string, p Platform) Reference {
	t.Helper()
	image, err := random.Image(2000, 2, random.WithSource(zeros{}))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = p.OS, p.Architecture
	config.Created = v1.Time{Time: time.Unix(1700000000, 0).UTC()}
	config.Config = v1.Config{Env: []string{"PATH=/opt/odoo/venv/bin:/usr/bin", "PYTHON_VERSION=3.12.7"}, Entrypoint: []string{"odoo-run"}, User: "1000:1000"}
	for i := range config.History {
		config.History[i].Created = config.Created
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/base/runtime:r1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return Reference{Repository: host + "/base/runtime", Tag: "r1", Digest: digest.String()}
}

// zeros is a source of randomness that has none, for the same base each time.
type zeros struct{}

func (zeros) Int63() int64   { return 4 }
func (zeros) Seed(int64)     {}
func (zeros) Uint64() uint64 { return 4 }

// files writes files below a directory; a name that ends in a star is executable,
// and a content that begins with "-> " is a link.
func files(t testing.TB, dir string, all map[string]string) {
	t.Helper()
	for name, content := range all {
		name, program := strings.CutSuffix(name, "*")
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, link := strings.CutPrefix(content, "-> "); link {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		mode := os.FileMode(0o644)
		if program {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// addons is what a small repository has.
func addons() map[string]string {
	return map[string]string{
		"sale_x/__manifest__.py": "{'name': 'x'}\n",
		"sale_x/i18n/es.po":      "msgid \"\"\n",
		"sale_x/static/" + strings.Repeat("long/", 40) + "icon.svg": "<svg/>",
		"sale_x/" + strings.Repeat("n", 120) + ".txt":               "a name that no header holds",
		"bin/run*":  "#!/bin/sh\n",
		"link":      "-> sale_x",
		"empty":     "",
		"large.bin": strings.Repeat("0123456789abcdef", 1<<17), // 2 MiB
	}
}

// assembly is an image of two layers on a base.
func assembly(t testing.TB, c *Client, base Reference, dir string) Assembly {
	t.Helper()
	image, err := c.Image(t.Context(), base, linux())
	if err != nil {
		t.Fatal(err)
	}
	return Assembly{
		Base: image, Compression: Gzip, Created: time.Unix(0, 0).UTC(),
		Labels:      map[string]string{"a": "b"},
		Annotations: map[string]string{AnnotationRevision: "abc"},
		Sources: []Source{
			{Name: "./addons", Tree: &Tree{Prefix: "opt/odoo/src/addons", Dirs: 3, Dir: dir}, Annotations: map[string]string{"key": "1"}},
			{Name: "/etc/odoo", Tree: &Tree{Prefix: "etc/odoo", Dirs: 1, Files: map[string][]byte{"addons_path": []byte("/opt/odoo/src/addons\n")}}},
		},
	}
}

// target is a repository of a registry.
func target(t testing.TB, repository string) Target {
	t.Helper()
	to, err := ParseTarget("docker://" + repository)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestAssemble publishes an image, and has go-containerregistry read it back.
func TestAssemble(t *testing.T) {
	t.Parallel()
	for _, compression := range []Compression{Gzip, Zstd} {
		reg := newRegistry(t)
		base := pushBase(t, reg.host, linux())
		dir := t.TempDir()
		files(t, dir, addons())
		c, _ := newClient(t)
		a := assembly(t, c, base, dir)
		a.Compression = compression
		result, err := c.Assemble(t.Context(), a, target(t, reg.host+"/acme/odoo"), Tags{Names: []string{"r0001", "latest"}})
		if err != nil {
			t.Fatal(err)
		}
		image, err := c.Image(t.Context(), Reference{Repository: reg.host + "/acme/odoo", Tag: "r0001"}, linux())
		if err != nil {
			t.Fatal(err)
		}
		if image.Reference.Digest != result.Manifest || len(image.Layers) != 4 || image.Label("a") != "b" || image.Env("PYTHON_VERSION") != "3.12.7" {
			t.Errorf("read back: %+v", image)
		}
		if got := image.Layers[2].Annotations["key"]; got != "1" {
			t.Errorf("the layer is annotated %q", got)
		}
		ref, _ := name.ParseReference(reg.host + "/acme/odoo@" + result.Digest)
		theirs, err := remote.Image(ref)
		if err != nil {
			t.Fatal(err)
		}
		// It reads every layer and checks digests, sizes and diff ids, and knows no zstd.
		if err := validate(theirs); compression == Gzip && err != nil {
			t.Error(err)
		}
		// Digest throws away what Assemble writes, and comes to the same.
		again, err := c.Digest(t.Context(), a)
		if err != nil || again.Digest != result.Digest {
			t.Errorf("Digest: %v, %v; Assemble said %s", again, err, result.Digest)
		}
	}
}

// TestOutputs writes the same image to a directory and an archive.
func TestOutputs(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t)
	base := pushBase(t, reg.host, linux())
	dir, out := t.TempDir(), t.TempDir()
	files(t, dir, addons())
	c, _ := newClient(t)
	published, err := c.Assemble(t.Context(), assembly(t, c, base, dir), target(t, reg.host+"/acme/odoo"), Tags{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"oci:" + filepath.Join(out, "layout"), "oci-archive:" + filepath.Join(out, "image.tar")} {
		to, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		result, err := c.Assemble(t.Context(), assembly(t, c, base, dir), to, Tags{Names: []string{"r1"}})
		if err != nil {
			t.Fatal(err)
		}
		if result.Digest != published.Digest {
			t.Errorf("%s: %s, published was %s", text, result.Digest, published.Digest)
		}
	}
	from := readLayout(t, os.DirFS(filepath.Join(out, "layout")))
	unpacked := t.TempDir()
	untar(t, filepath.Join(out, "image.tar"), unpacked)
	archived := readLayout(t, os.DirFS(unpacked))
	if !maps.EqualFunc(from, archived, bytes.Equal) {
		t.Errorf("the archive holds other files than the directory: %d and %d", len(archived), len(from))
	}
}
