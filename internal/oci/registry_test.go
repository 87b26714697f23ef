package oci

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/nuobit/odyssey/test/registrytest"
)

// linux is what the tests build for.
func linux() Platform { return Platform{OS: "linux", Architecture: "amd64"} }

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

// pushBase puts a base image into a registry and returns its reference.
func pushBase(t testing.TB, r *registrytest.Registry) Reference {
	t.Helper()
	digest := registrytest.Push(t, r.Host+"/base/runtime:r1", registrytest.Base{Env: []string{"PYTHON_VERSION=3.12.7"}, Files: map[string]string{"usr/bin/python3.12": "binary"}})
	return Reference{Repository: r.Host + "/base/runtime", Tag: "r1", Digest: digest}
}

// ready is a registry with a base image, a client of it, and an image of addons
// that is to be assembled on that base.
func ready(t testing.TB) (reg *registrytest.Registry, c *Client, waited *waits, a Assembly) {
	t.Helper()
	reg = registrytest.New(t)
	base := pushBase(t, reg)
	dir := t.TempDir()
	files(t, dir, addons())
	c, waited = newClient(t)
	return reg, c, waited, assembly(t, c, base, dir)
}

// files writes files below a directory; a name that ends in a star is executable,
// and a content that begins with "-> " is a link.
func files(t testing.TB, dir string, all map[string]string) {
	t.Helper()
	for file, content := range all {
		file, program := strings.CutSuffix(file, "*")
		path := filepath.Join(dir, file)
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
		reg, c, _, a := ready(t)
		a.Compression = compression
		result, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r0001", "latest"}})
		if err != nil {
			t.Fatal(err)
		}
		image, err := c.Image(t.Context(), Reference{Repository: reg.Host + "/acme/odoo", Tag: "r0001"}, linux())
		if err != nil {
			t.Fatal(err)
		}
		if image.Reference.Digest != result.Manifest || len(image.Layers) != 4 || image.Label("a") != "b" || image.Env("PYTHON_VERSION") != "3.12.7" {
			t.Errorf("read back: %+v", image)
		}
		if got := image.Layers[2].Annotations["key"]; got != "1" {
			t.Errorf("the layer is annotated %q", got)
		}
		ref, _ := name.ParseReference(reg.Host + "/acme/odoo@" + result.Digest)
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
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir, out := t.TempDir(), t.TempDir()
	files(t, dir, addons())
	c, _ := newClient(t)
	published, err := c.Assemble(t.Context(), assembly(t, c, base, dir), target(t, reg.Host+"/acme/odoo"), Tags{})
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
