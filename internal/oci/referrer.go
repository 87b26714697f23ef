package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
