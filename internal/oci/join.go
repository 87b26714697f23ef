package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Join publishes images of several architectures under one index. Each reference has a digest, of an
// image or of an index; what comes from other repositories is copied. attach makes the documents that
// hang on the index, from its digest; nil: none.
func (c *Client) Join(ctx context.Context, refs []Reference, t Target, attach func(*Result) ([]Attachment, error), tags Tags) (*Result, error) {
	var sources []string
	for _, ref := range refs {
		sources = append(sources, ref.Repository)
	}
	out, err := c.openOutput(ctx, t, sources)
	if err != nil {
		return nil, err
	}
	result, err := c.join(ctx, refs, t, out)
	if err == nil {
		err = c.finish(ctx, out, t, result, attach, tags)
	}
	if err := errors.Join(err, out.close(err == nil)); err != nil {
		return nil, err
	}
	return result, nil
}

// part is an image of an index that is being made.
type part struct {
	from        Reference
	manifest    document
	parsed      *v1.Manifest
	platform    Platform
	annotations map[string]string
}

func (c *Client) join(ctx context.Context, refs []Reference, t Target, out output) (*Result, error) {
	var parts []part
	for _, ref := range refs {
		found, err := c.parts(ctx, ref)
		if err != nil {
			return nil, err
		}
		parts = append(parts, found...)
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.platform.String(), b.platform.String()), cmp.Compare(a.manifest.digest, b.manifest.digest))
	})
	parts = slices.CompactFunc(parts, func(a, b part) bool { return a.manifest.digest == b.manifest.digest })
	var manifests []v1.Descriptor
	result := &Result{Layers: []Made{}}
	for i, p := range parts {
		if i > 0 && parts[i-1].platform == p.platform {
			return nil, invalid("%s and %s are both for %s; an index has one image for each platform", parts[i-1].from, p.from, p.platform)
		}
		if !t.Registry() || p.from.Repository != t.Reference.Repository {
			if err := c.copyImage(ctx, p, out); err != nil {
				return nil, err
			}
		}
		d, err := p.manifest.descriptor()
		if err != nil {
			return nil, err
		}
		d.Platform = p.platform.v1()
		manifests = append(manifests, d)
		result.Platform += "," + p.platform.String()
	}
	result.Platform = result.Platform[min(1, len(result.Platform)):]
	index, err := newIndex(manifests, shared(parts))
	if err != nil {
		return nil, err
	}
	result.Digest, result.index = index.digest, index
	return result, out.manifest(ctx, index)
}

// shared are the annotations that all images have alike.
func shared(parts []part) map[string]string {
	all := maps.Clone(parts[0].annotations)
	maps.DeleteFunc(all, func(key, value string) bool {
		return slices.ContainsFunc(parts, func(p part) bool { return p.annotations[key] != value })
	})
	return all
}

// parts reads the images that a reference stands for.
func (c *Client) parts(ctx context.Context, ref Reference) ([]part, error) {
	r, err := c.repository(ctx, ref.Repository, pulling)
	if err != nil {
		return nil, err
	}
	d, err := r.manifest(ctx, ref.identifier())
	if err != nil {
		return nil, err
	}
	documents := []document{d}
	if isIndex(d.mediaType) {
		index, err := v1.ParseIndexManifest(bytes.NewReader(d.data))
		if err != nil {
			return nil, err
		}
		documents = nil
		for _, m := range index.Manifests {
			if m.Platform != nil && m.Platform.OS == "unknown" {
				continue // an attestation
			}
			d, err := r.manifest(ctx, m.Digest.String())
			if err != nil {
				return nil, err
			}
			documents = append(documents, d)
		}
	}
	var parts []part
	for _, d := range documents {
		image, err := r.image(ctx, ref, d, Platform{})
		if err != nil {
			return nil, err
		}
		parsed, err := v1.ParseManifest(bytes.NewReader(d.data))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{from: ref, manifest: d, parsed: parsed, platform: image.Platform, annotations: image.Annotations})
	}
	if len(parts) == 0 {
		return nil, invalid("%s holds no image", ref)
	}
	return parts, nil
}

// copyImage brings an image as it is.
func (c *Client) copyImage(ctx context.Context, p part, out output) error {
	from := &Image{Reference: p.from}
	for _, d := range append(slices.Clone(p.parsed.Layers), p.parsed.Config) {
		if err := out.reuse(ctx, from, Layer{Digest: d.Digest.String(), Size: d.Size}); err != nil {
			return err
		}
	}
	return out.manifest(ctx, p.manifest)
}
