package oci

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Target says where an image is to be written.
type Target struct {
	// Reference is of a registry's repository, perhaps with a tag; empty when it is a
	// file.
	Reference Reference
	// Path is a directory with the OCI image layout, or a file with such a directory in a
	// tar archive.
	Path    string
	archive bool
}

// ParseTarget reads docker://REFERENCE, oci:DIR or oci-archive:FILE.
func ParseTarget(text string) (Target, error) {
	kind, rest, _ := strings.Cut(text, ":")
	if rest == "" {
		return Target{}, invalid("%q is no output; write docker://REPOSITORY[:TAG], oci:DIR or oci-archive:FILE", text)
	}
	switch kind {
	case "docker":
		rest, slashes := strings.CutPrefix(rest, "//")
		if !slashes {
			return Target{}, invalid("%q is no output; write docker://%s", text, rest)
		}
		ref, err := ParseReference(rest)
		if err == nil && ref.Digest != "" {
			err = invalid("%q is no output: the digest is what comes out; name the repository alone, or with a tag", text)
		}
		return Target{Reference: ref}, err
	case "oci":
		return Target{Path: filepath.Clean(rest)}, nil
	case "oci-archive":
		return Target{Path: filepath.Clean(rest), archive: true}, nil
	}
	return Target{}, invalid("%q is no output; write docker://REPOSITORY[:TAG], oci:DIR or oci-archive:FILE", text)
}

// Registry reports whether it is a registry's repository.
func (t Target) Registry() bool { return t.Path == "" }

// Name is what an image of a digest is called there.
func (t Target) Name(tag, digest string) string {
	if t.Registry() {
		return Reference{Repository: t.Reference.Repository, Tag: tag, Digest: digest}.String()
	}
	kind := "oci:"
	if t.archive {
		kind = "oci-archive:"
	}
	if tag != "" {
		tag = ":" + tag
	}
	if digest != "" {
		digest = "@" + digest
	}
	return kind + t.Path + tag + digest
}

// output is a place that an image is being written to. Its methods but close may be
// called concurrently.
type output interface {
	// reuse brings a layer of an image that a registry has.
	reuse(ctx context.Context, from *Image, l Layer) error
	// write brings a layer that is being made.
	write(ctx context.Context, name string, layer producer) (produced, error)
	// put brings a configuration, or a document that hangs on an image.
	put(ctx context.Context, d document) error
	// manifest brings a manifest or an index, whose parts are there.
	manifest(ctx context.Context, d document) error
	// referrers lists what hangs on an index of a digest.
	referrers(ctx context.Context, digest string) ([]v1.Descriptor, error)
	// refer brings the manifest of what is to hang on it, whose parts are there, and
	// its entry in the list of them.
	refer(ctx context.Context, digest string, d document, entry v1.Descriptor) error
	// tag names an index that is there.
	tag(ctx context.Context, d document, tag string) error
	// holder returns the digest that a tag stands for, "" when it is free.
	holder(ctx context.Context, tag string) (string, error)
	// close ends the writing; unless keep, nothing of it is to be found.
	close(keep bool) error
}

// open opens a target. sources are repositories that layers come from.
func (c *Client) openOutput(ctx context.Context, t Target, sources []string) (output, error) {
	switch {
	case t.Registry():
		r, err := c.repository(ctx, t.Reference.Repository, pushing, sources...)
		return &registryOutput{r}, err
	case t.archive:
		return newArchive(c, t.Path)
	}
	return newLayout(c, t.Path)
}

// registryOutput writes to a registry.
type registryOutput struct{ r *repository }

func (o *registryOutput) reuse(ctx context.Context, from *Image, l Layer) error {
	source, err := o.r.c.repository(ctx, from.Reference.Repository, pulling)
	if err != nil {
		return err
	}
	return o.r.copyBlob(ctx, source, l)
}

func (o *registryOutput) write(ctx context.Context, name string, layer producer) (produced, error) {
	return o.r.upload(ctx, name, layer)
}

func (o *registryOutput) put(ctx context.Context, d document) error {
	has, err := o.r.has(ctx, d.digest)
	if err != nil || has == int64(len(d.data)) {
		return err
	}
	got, err := o.r.upload(ctx, d.mediaType, d.writeTo)
	if err == nil && got.digest != d.digest {
		err = errors.New(d.mediaType + " changed while it was sent")
	}
	return err
}

func (o *registryOutput) manifest(ctx context.Context, d document) error {
	return o.r.putManifest(ctx, d, d.digest)
}

func (o *registryOutput) tag(ctx context.Context, d document, tag string) error {
	if err := o.r.putManifest(ctx, d, tag); err != nil {
		return err
	}
	// Two that publish at once both find the tag free; the later one has it then,
	// and the other must not say that it has.
	has, err := o.holder(ctx, tag)
	if err == nil && has != d.digest {
		err = &TagError{Name: o.r.name.Name() + ":" + tag, Has: has, Want: d.digest}
	}
	return err
}

func (o *registryOutput) holder(ctx context.Context, tag string) (string, error) {
	d, err := o.r.manifest(ctx, tag)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return d.digest, err
}

func (o *registryOutput) close(bool) error { return nil }

// discard forgets everything: it is for finding out a digest.
type discard struct{}

func (discard) reuse(context.Context, *Image, Layer) error { return nil }

func (discard) write(ctx context.Context, _ string, layer producer) (produced, error) {
	hash := &countingHash{hash: newSHA256()}
	err := layer(ctx, hash)
	return produced{hash.digest(), hash.size}, err
}

func (discard) put(context.Context, document) error            { return nil }
func (discard) manifest(context.Context, document) error       { return nil }
func (discard) tag(context.Context, document, string) error    { return nil }
func (discard) holder(context.Context, string) (string, error) { return "", nil }
func (discard) close(bool) error                               { return nil }

// checkResult refuses a copy of a layer that is another.
func checkResult(l Layer, got produced) error {
	if got.digest != l.Digest {
		return fmt.Errorf("%w: layer %s is %s", ErrMismatch, l.Digest, got.digest)
	}
	return nil
}
