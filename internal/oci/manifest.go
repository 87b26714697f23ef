package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Media types.
const (
	typeIndex       = string(types.OCIImageIndex)
	typeManifest    = string(types.OCIManifestSchema1)
	typeConfig      = string(types.OCIConfigJSON)
	typeLayerTar    = string(types.OCIUncompressedLayer)
	typeLayerGzip   = string(types.OCILayer)
	typeLayerZstd   = string(types.OCILayerZStd)
	typeDockerLayer = string(types.DockerLayer)
)

// The annotations of the OCI image specification that are set or read here.
const (
	AnnotationSource     = "org.opencontainers.image.source"
	AnnotationRevision   = "org.opencontainers.image.revision"
	AnnotationBaseName   = "org.opencontainers.image.base.name"
	AnnotationBaseDigest = "org.opencontainers.image.base.digest"
	annotationRefName    = "org.opencontainers.image.ref.name"
)

// settings are how a container of an image is started.
type settings struct{ v1.Config }

func (s settings) env(name string) string {
	value := ""
	for _, kv := range s.Env {
		if key, v, _ := strings.Cut(kv, "="); key == name {
			value = v
		}
	}
	return value
}

// document is a manifest, a configuration or an index as it is sent: its bytes are
// what its digest is of.
type document struct {
	mediaType string
	data      []byte
	digest    string
}

// newDocument encodes a value. Go sorts the keys of maps, and the fields of
// structs have an order, so that the same value gives the same bytes.
func newDocument(mediaType string, value any) (document, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return document{}, err
	}
	data := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return document{mediaType: mediaType, data: data, digest: digestOf(data)}, nil
}

func (d document) descriptor() (v1.Descriptor, error) {
	return descriptor(d.mediaType, d.digest, int64(len(d.data)), nil)
}

func descriptor(mediaType, digest string, size int64, annotations map[string]string) (v1.Descriptor, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if len(annotations) == 0 {
		annotations = nil
	}
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Digest: hash, Size: size, Annotations: annotations}, nil
}

// ociLayerType is the OCI name of a layer's media type; the blob is the same.
func ociLayerType(mediaType string) string {
	if mediaType == typeDockerLayer {
		return typeLayerGzip
	}
	return mediaType
}

// composition is an image that is ready to be written down.
type composition struct {
	base        *Image
	layers      []Layer  // those of the base first
	names       []string // of the layers beyond the base's, for its history
	labels      map[string]string
	annotations map[string]string
	created     time.Time
}

// documents are the image's configuration, its manifest, and an index of it alone.
func (c *composition) documents() (config, manifest, index document, err error) {
	if config, err = c.configuration(); err != nil {
		return config, manifest, index, err
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: c.annotations}
	if m.Config, err = config.descriptor(); err != nil {
		return config, manifest, index, err
	}
	for _, l := range c.layers {
		d, err := descriptor(ociLayerType(l.MediaType), l.Digest, l.Size, l.Annotations)
		if err != nil {
			return config, manifest, index, err
		}
		m.Layers = append(m.Layers, d)
	}
	if manifest, err = newDocument(typeManifest, m); err != nil {
		return config, manifest, index, err
	}
	d, err := manifest.descriptor()
	if err != nil {
		return config, manifest, index, err
	}
	d.Platform = c.base.Platform.v1()
	index, err = newIndex([]v1.Descriptor{d}, c.annotations)
	return config, manifest, index, err
}

func newIndex(manifests []v1.Descriptor, annotations map[string]string) (document, error) {
	return newDocument(typeIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests, Annotations: annotations})
}

func (p Platform) v1() *v1.Platform {
	return &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// configuration is the base's with our layers, labels and time.
func (c *composition) configuration() (document, error) {
	base, err := v1.ParseConfigFile(bytes.NewReader(c.base.config))
	if err != nil {
		return document{}, fmt.Errorf("configuration of %s: %w", c.base.Reference, err)
	}
	f := v1.ConfigFile{
		Architecture: base.Architecture, OS: base.OS, OSVersion: base.OSVersion, Variant: base.Variant, OSFeatures: base.OSFeatures,
		Created: v1.Time{Time: c.created}, History: base.History, Config: base.Config, RootFS: v1.RootFS{Type: "layers"},
	}
	f.Config.Labels = maps.Clone(f.Config.Labels)
	if f.Config.Labels == nil {
		f.Config.Labels = map[string]string{}
	}
	maps.Copy(f.Config.Labels, c.labels)
	for _, l := range c.layers {
		hash, err := v1.NewHash(l.DiffID)
		if err != nil {
			return document{}, err
		}
		f.RootFS.DiffIDs = append(f.RootFS.DiffIDs, hash)
	}
	for _, name := range c.names {
		f.History = append(f.History, v1.History{Created: v1.Time{Time: c.created}, CreatedBy: "odoo-build-image pack", Comment: name})
	}
	return newDocument(typeConfig, f)
}
