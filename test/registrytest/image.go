package registrytest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// Base says what an image to build upon is like.
type Base struct {
	Architecture string // default amd64
	Env          []string
	Labels       map[string]string
	Files        map[string]string // by path without a slash in front
}

// Push pushes a base image to REPOSITORY:TAG of a registry and returns its digest. The same
// Base gives the same digest.
func Push(t TB, reference string, b Base) string {
	image, err := b.image()
	if err != nil {
		t.Fatalf("push %s: %v", reference, err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatalf("push %s: %v", reference, err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatalf("push %s: %v", reference, err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatalf("push %s: %v", reference, err)
	}
	return digest.String()
}

func (b Base) image() (v1.Image, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	files := map[string]string{"etc/debian_version": "13.1\n"}
	maps.Copy(files, b.Files)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		layer, err := layerOf(path, files[path])
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "ADD " + path}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", b.Architecture
	if config.Architecture == "" {
		config.Architecture = "amd64"
	}
	config.Created = v1.Time{Time: time.Unix(1700000000, 0).UTC()}
	config.Config = v1.Config{Env: append([]string{"PATH=/opt/odoo/venv/bin:/usr/bin"}, b.Env...), Labels: b.Labels, Entrypoint: []string{"odoo-run"}, User: "1000:1000"}
	return mutate.ConfigFile(image, config)
}

// layerOf is a layer with one file. Its bytes do not depend on Go's release, as those of Go's own
// gzip would.
func layerOf(path, content string) (v1.Layer, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(content)); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}
