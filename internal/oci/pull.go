package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxDocument is how large a manifest or configuration may be, in bytes, as the OCI
// distribution specification has it.
const maxDocument = 4 << 20

// manifestTypes are what is understood of what a reference can stand for.
func manifestTypes() []string {
	return []string{typeIndex, typeManifest, string(types.DockerManifestList), string(types.DockerManifestSchema2)}
}

// manifest reads what a tag or a digest stands for.
func (r *repository) manifest(ctx context.Context, identifier string) (document, error) {
	what := "read " + r.name.Name() + join(identifier)
	res, err := r.do(ctx, call{what: what, method: http.MethodGet, url: r.url("manifests/" + identifier), accept: strings.Join(manifestTypes(), ", ")}, http.StatusOK)
	if err != nil {
		return document{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return document{}, r.classify(what, err)
	}
	if len(data) > maxDocument {
		return document{}, &RegistryError{What: what, Detail: fmt.Sprintf("it has more than %d MiB", maxDocument>>20)}
	}
	d := document{mediaType: mediaTypeOf(res.Header.Get("Content-Type"), data), data: data, digest: digestOf(data)}
	if isDigest(identifier) && d.digest != identifier {
		return d, &RegistryError{What: what, kind: ErrMismatch, Detail: "the registry sent " + d.digest}
	}
	return d, r.same(what, res, d.digest)
}

// join puts an identifier behind the name of a repository.
func join(identifier string) string {
	if isDigest(identifier) {
		return "@" + identifier
	}
	return ":" + identifier
}

// mediaTypeOf is the type that a document says it has, or that it was sent as.
func mediaTypeOf(header string, data []byte) string {
	if m, err := v1.ParseManifest(bytes.NewReader(data)); err == nil && m.MediaType != "" {
		return string(m.MediaType)
	}
	mediaType, _, _ := strings.Cut(header, ";")
	return strings.TrimSpace(mediaType)
}

func isIndex(mediaType string) bool {
	return mediaType == typeIndex || mediaType == string(types.DockerManifestList)
}

// Image reads the image that a reference has for a platform; the zero Platform stands for
// any, of several for the first.
func (c *Client) Image(ctx context.Context, ref Reference, p Platform) (*Image, error) {
	r, err := c.repository(ctx, ref.Repository, pulling)
	if err != nil {
		return nil, err
	}
	d, err := r.manifest(ctx, ref.identifier())
	if err != nil {
		return nil, err
	}
	if isIndex(d.mediaType) {
		digest, err := choose(ref, d, p)
		if err != nil {
			return nil, err
		}
		if d, err = r.manifest(ctx, digest); err != nil {
			return nil, err
		}
	}
	return r.image(ctx, ref, d, p)
}

// choose finds a platform's manifest in an index.
func choose(ref Reference, d document, p Platform) (string, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(d.data))
	if err != nil {
		return "", fmt.Errorf("%s: %w", ref, err)
	}
	var offered []string
	for _, m := range index.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" {
			continue
		}
		has := Platform{m.Platform.OS, m.Platform.Architecture, m.Platform.Variant}
		if has.runs(p) {
			return m.Digest.String(), nil
		}
		offered = append(offered, has.String())
	}
	return "", invalid("%s is not for %s; it is for %s", ref, p, strings.Join(offered, ", "))
}

// runs reports whether an image for the platform is one for p; who asks for no
// variant takes any.
func (p Platform) runs(on Platform) bool {
	return on == (Platform{}) || p.OS == on.OS && p.Architecture == on.Architecture && (on.Variant == "" || p.Variant == "" || p.Variant == on.Variant)
}

// image reads the configuration that belongs to a manifest.
func (r *repository) image(ctx context.Context, ref Reference, d document, p Platform) (*Image, error) {
	if d.mediaType != typeManifest && d.mediaType != string(types.DockerManifestSchema2) {
		return nil, invalid("%s is no image, but %s", ref, printable(d.mediaType))
	}
	m, err := v1.ParseManifest(bytes.NewReader(d.data))
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", ref, err)
	}
	if m.Config.Size > maxDocument {
		return nil, fmt.Errorf("%s: its configuration has %d bytes", ref, m.Config.Size)
	}
	body, err := r.read(ctx, m.Config.Digest.String(), m.Config.Size)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	return newImage(ref.WithDigest(d.digest), m, data, p)
}

func newImage(ref Reference, m *v1.Manifest, data []byte, p Platform) (*Image, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", ref, err)
	}
	image := &Image{
		Reference: ref, Platform: Platform{config.OS, config.Architecture, config.Variant}, Annotations: m.Annotations,
		Created: config.Created.Time, config: data, settings: settings{config.Config},
	}
	if !image.Platform.runs(p) {
		return nil, invalid("%s is for %s, and not for %s", ref, image.Platform, p)
	}
	if len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, invalid("%s is broken: its manifest has %d layers, its configuration %d", ref, len(m.Layers), len(config.RootFS.DiffIDs))
	}
	for i, l := range m.Layers {
		image.Layers = append(image.Layers, Layer{
			MediaType: string(l.MediaType), Digest: l.Digest.String(), DiffID: config.RootFS.DiffIDs[i].String(),
			Size: l.Size, Annotations: maps.Clone(l.Annotations),
		})
	}
	return image, nil
}

// Resolve returns the digest that a reference stands for; ErrNotFound when there
// is nothing of that name.
func (c *Client) Resolve(ctx context.Context, ref Reference) (string, error) {
	r, err := c.repository(ctx, ref.Repository, pulling)
	if err != nil {
		return "", err
	}
	d, err := r.manifest(ctx, ref.identifier())
	return d.digest, err
}

// Tags lists the tags of a repository, sorted; none when there is no such
// repository yet.
func (c *Client) Tags(ctx context.Context, repository string) ([]string, error) {
	r, err := c.repository(ctx, repository, pulling)
	if err != nil {
		return nil, err
	}
	tags, err := r.tags(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	slices.Sort(tags)
	return slices.Compact(tags), err
}
