package oci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Types of documents that hang on images.
const (
	TypeSBOM      = "application/vnd.cyclonedx+json" // CycloneDX
	TypeStatement = "application/vnd.in-toto+json"   // in-toto, such as SLSA provenance

	typeEmpty = "application/vnd.oci.empty.v1+json"
)

// Referrer is a document that hangs on an image: a manifest of its own names the image
// as its subject, so that the image's digest does not change.
type Referrer struct {
	Digest       string            `json:"digest"` // of its manifest
	ArtifactType string            `json:"artifactType"`
	Size         int64             `json:"-"` // of its manifest, in bytes
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// maxReferrers bounds what is read of an image's referrers, maxAttached how large a document
// may be, in bytes.
const (
	maxReferrers = 10_000
	maxAttached  = 64 << 20
)

// Referrers lists what hangs on the image or index of a digest, of a type or, when it is "", of all;
// none is no error. They are sorted by digest. A registry without the API of that name has them in an index with
// the tag sha256-HEX, as the OCI distribution specification 1.1 says.
func (c *Client) Referrers(ctx context.Context, ref Reference, artifactType string) ([]Referrer, error) {
	if ref.Digest == "" {
		return nil, invalid("%s is not pinned: documents hang on a digest", ref)
	}
	r, err := c.repository(ctx, ref.Repository, pulling)
	if err != nil {
		return nil, err
	}
	entries, _, err := r.referrers(ctx, ref.Digest)
	if err != nil {
		return nil, err
	}
	all := []Referrer{}
	for _, e := range entries {
		if artifactType == "" || e.ArtifactType == artifactType {
			all = append(all, Referrer{Digest: e.Digest.String(), ArtifactType: e.ArtifactType, Size: e.Size, Annotations: maps.Clone(e.Annotations)})
		}
	}
	slices.SortFunc(all, func(a, b Referrer) int { return strings.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(all, func(a, b Referrer) bool { return a.Digest == b.Digest }), nil
}

// ReadReferrer reads the document of a referrer of an image. It is checked against its digest, and
// against the image that it says it is of.
func (c *Client) ReadReferrer(ctx context.Context, ref Reference, referrer Referrer) ([]byte, error) {
	r, err := c.repository(ctx, ref.Repository, pulling)
	if err != nil {
		return nil, err
	}
	d, err := r.manifest(ctx, referrer.Digest)
	if err != nil {
		return nil, err
	}
	what := "read " + r.name.Name() + join(referrer.Digest)
	m, err := v1.ParseManifest(bytes.NewReader(d.data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	switch {
	case m.Subject == nil || m.Subject.Digest.String() != ref.Digest:
		return nil, &RegistryError{What: what, kind: ErrMismatch, Detail: "it is not of " + ref.Digest}
	case len(m.Layers) != 1:
		return nil, &RegistryError{What: what, Detail: fmt.Sprintf("it holds %d documents, and not one", len(m.Layers))}
	case m.Layers[0].Size > maxAttached:
		return nil, &RegistryError{What: what, Detail: fmt.Sprintf("its document has %d bytes", m.Layers[0].Size)}
	}
	body, err := r.read(ctx, m.Layers[0].Digest.String(), m.Layers[0].Size)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// referrers lists the descriptors of what hangs on a digest. api says whether the registry keeps that
// list itself.
func (r *repository) referrers(ctx context.Context, digest string) (all []v1.Descriptor, api bool, err error) {
	what := "list what hangs on " + r.name.Name() + join(digest)
	address, err := url.Parse(r.url("referrers/" + digest))
	if err != nil {
		return nil, false, err
	}
	for address != nil {
		page, next, err := r.referrerPage(ctx, what, address)
		if !api && isUnknownCall(err) {
			all, err = r.fallback(ctx, digest)
			return all, false, err
		}
		if err != nil {
			return nil, api, err
		}
		api = true
		if err := r.complete(ctx, page); err != nil {
			return nil, api, err
		}
		if all = append(all, page...); len(all) > maxReferrers || len(page) == 0 && next != nil {
			return nil, api, &RegistryError{What: what, Detail: "the list does not end"}
		}
		address = next
	}
	return all, api, nil
}

// complete reads the manifests of descriptors that do not say what they are, as those of older registries.
func (r *repository) complete(ctx context.Context, page []v1.Descriptor) error {
	for i := range page {
		e := &page[i]
		if e.ArtifactType != "" && e.ArtifactType != typeEmpty {
			continue
		}
		d, err := r.manifest(ctx, e.Digest.String())
		if err != nil {
			return err
		}
		m, err := v1.ParseManifest(bytes.NewReader(d.data))
		if err != nil {
			return fmt.Errorf("manifest %s: %w", e.Digest, err)
		}
		e.ArtifactType, e.Annotations = m.ArtifactType, m.Annotations
	}
	return nil
}

// isUnknownCall reports whether a registry does not know what it was asked for.
func isUnknownCall(err error) bool {
	answered := (*RegistryError)(nil)
	return errors.As(err, &answered) && answered.Status >= 400 && answered.Status < 502 && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrTransient) ||
		errors.Is(err, errNoIndex)
}

var errNoIndex = errors.New("the answer is no index")

func (r *repository) referrerPage(ctx context.Context, what string, address *url.URL) (page []v1.Descriptor, next *url.URL, err error) {
	res, err := r.do(ctx, call{what: what, method: http.MethodGet, url: address.String(), accept: typeIndex}, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if mediaType, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); strings.TrimSpace(mediaType) != typeIndex {
		return nil, nil, fmt.Errorf("%s: %w", what, errNoIndex) // a page for people, or a proxy's
	}
	index, err := v1.ParseIndexManifest(io.LimitReader(res.Body, maxDocument))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	next, err = following(what, address, res)
	return index.Manifests, next, err
}

// fallbackTag is the tag of the list that clients keep for a digest.
func fallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// fallback reads that list.
func (r *repository) fallback(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	d, err := r.manifest(ctx, fallbackTag(digest))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	what := "read " + r.name.Name() + ":" + fallbackTag(digest)
	if !isIndex(d.mediaType) {
		return nil, &RegistryError{What: what, Detail: "that tag is for the list of what hangs on the image, and stands for something else"}
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(d.data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return index.Manifests, nil
}

// list puts a referrer on the list that clients keep. Another machine may write it at the same
// moment, so it is read again until the referrer is on it; who is overwritten after that has to run again.
func (r *repository) list(ctx context.Context, digest string, entry v1.Descriptor) error {
	r.c.listing.Lock()
	defer r.c.listing.Unlock()
	for range maxTries {
		entries, err := r.fallback(ctx, digest)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(entries, func(e v1.Descriptor) bool { return e.Digest == entry.Digest }) {
			return nil
		}
		entries = append(entries, entry)
		slices.SortStableFunc(entries, func(a, b v1.Descriptor) int {
			return cmp.Or(strings.Compare(a.ArtifactType, b.ArtifactType), strings.Compare(a.Digest.String(), b.Digest.String()))
		})
		index, err := newIndex(entries, nil)
		if err != nil {
			return err
		}
		if err := r.putManifest(ctx, index, fallbackTag(digest)); err != nil {
			return err
		}
	}
	return &RegistryError{What: "list what hangs on " + r.name.Name() + join(digest), Detail: "the registry forgets it each time; is something else writing that list?"}
}

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
