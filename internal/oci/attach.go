package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Attachment is a document that is to hang on an image.
type Attachment struct {
	Type        string // of the document
	Data        []byte
	Annotations map[string]string
	// Mark is the annotation that tells whether it is there already, though other bytes may
	// say the same. Empty: only the same bytes are.
	Mark string
}

// attachAll hangs documents on an index, unless they are there.
func attachAll(ctx context.Context, out output, index document, all []Attachment) ([]Referrer, error) {
	if len(all) == 0 {
		return nil, nil
	}
	there, err := out.referrers(ctx, index.digest)
	if err != nil {
		return nil, err
	}
	var attached []Referrer
	for _, a := range all {
		manifest, entry, err := a.manifest(index)
		if err != nil {
			return nil, err
		}
		if at := slices.IndexFunc(there, func(d v1.Descriptor) bool { return a.is(d, manifest.digest) }); at >= 0 {
			attached = append(attached, Referrer{Digest: there[at].Digest.String(), ArtifactType: a.Type, Size: there[at].Size, Annotations: maps.Clone(there[at].Annotations)})
			continue
		}
		for _, d := range []document{a.document(), emptyDocument()} {
			if err := out.put(ctx, d); err != nil {
				return nil, err
			}
		}
		if err := out.refer(ctx, index.digest, manifest, entry); err != nil {
			return nil, err
		}
		attached = append(attached, Referrer{Digest: manifest.digest, ArtifactType: a.Type, Size: entry.Size, Annotations: a.Annotations})
	}
	return attached, nil
}

// is reports whether a referrer that is there says what the attachment does.
func (a *Attachment) is(there v1.Descriptor, digest string) bool {
	return there.Digest.String() == digest ||
		a.Mark != "" && there.ArtifactType == a.Type && there.Annotations[a.Mark] != "" && there.Annotations[a.Mark] == a.Annotations[a.Mark]
}

func (a *Attachment) document() document {
	return document{mediaType: a.Type, data: a.Data, digest: digestOf(a.Data)}
}

// emptyDocument stands where a manifest must have a configuration, and there is none.
func emptyDocument() document {
	return document{mediaType: typeEmpty, data: []byte("{}"), digest: digestOf([]byte("{}"))}
}

// manifest is the referrer's own manifest, and its entry in a list of them.
func (a *Attachment) manifest(index document) (d document, entry v1.Descriptor, err error) {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type, Annotations: a.Annotations}
	subject, err := index.descriptor()
	if err != nil {
		return d, entry, err
	}
	m.Subject = &subject
	if m.Config, err = emptyDocument().descriptor(); err != nil {
		return d, entry, err
	}
	layer, err := a.document().descriptor()
	if err != nil {
		return d, entry, err
	}
	m.Layers = []v1.Descriptor{layer}
	if d, err = newDocument(typeManifest, m); err != nil {
		return d, entry, err
	}
	entry, err = d.descriptor()
	entry.ArtifactType, entry.Annotations = a.Type, a.Annotations
	return d, entry, err
}

func (o *registryOutput) referrers(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	all, _, err := o.r.referrers(ctx, digest)
	return all, err
}

func (o *registryOutput) refer(ctx context.Context, digest string, d document, entry v1.Descriptor) error {
	answer, err := o.r.sendManifest(ctx, d, d.digest)
	if err != nil || answer.Get("OCI-Subject") == digest {
		return err
	}
	if _, api, err := o.r.referrers(ctx, digest); err != nil || api {
		return err
	}
	return o.r.list(ctx, digest, entry)
}

func (discard) referrers(context.Context, string) ([]v1.Descriptor, error)    { return nil, nil }
func (discard) refer(context.Context, string, document, v1.Descriptor) error  { return nil }
func (a *archive) referrers(context.Context, string) ([]v1.Descriptor, error) { return nil, nil }

func (a *archive) refer(ctx context.Context, _ string, d document, entry v1.Descriptor) error {
	a.index = append(a.index, entry)
	return a.put(ctx, d)
}

func (o *layout) refer(ctx context.Context, _ string, d document, entry v1.Descriptor) error {
	o.list(entry)
	return o.put(ctx, d)
}

// referrers looks through the manifests of the layout: its list does not say what they are of.
func (o *layout) referrers(_ context.Context, digest string) ([]v1.Descriptor, error) {
	index, err := o.index()
	if err != nil {
		return nil, err
	}
	var all []v1.Descriptor
	for _, entry := range index.Manifests {
		if entry.ArtifactType == "" || entry.Size > maxDocument {
			continue
		}
		data, err := o.small(entry.Digest.String())
		if err != nil {
			return nil, err
		}
		var m struct {
			Subject *v1.Descriptor `json:"subject"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", o.path(entry.Digest.String()), err)
		}
		if m.Subject != nil && m.Subject.Digest.String() == digest {
			all = append(all, entry)
		}
	}
	return all, nil
}
