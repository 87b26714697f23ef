package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/renameio/v2"
)

// layout writes a directory with the OCI image layout. Blobs get their names by
// renaming, and the list of images is written last, so that a run that is ended
// leaves no image that lacks something.
type layout struct {
	c    *Client
	dir  string
	made bool // the directory was made by this run
	mu   sync.Mutex
	new  []string // blobs of this run
	// entries of the list of images that this run makes
	entries []v1.Descriptor
}

const layoutMark = `{"imageLayoutVersion":"1.0.0"}`

func newLayout(c *Client, dir string) (*layout, error) {
	o := &layout{c: c, dir: dir}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.made = true
	case err != nil:
		return nil, err
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
			return nil, invalid("%s is there, and has no OCI images; name an empty directory or a new one", dir)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	return o, renameio.WriteFile(filepath.Join(dir, "oci-layout"), []byte(layoutMark), 0o644)
}

func (o *layout) path(digest string) string {
	return filepath.Join(o.dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

func (o *layout) reuse(ctx context.Context, from *Image, l Layer) error {
	if info, err := os.Stat(o.path(l.Digest)); err == nil && info.Size() == l.Size {
		return nil
	}
	got, err := o.write(ctx, l.Digest, o.c.blob(from, l))
	if err == nil {
		err = checkResult(l, got)
	}
	return err
}

// blob is a producer of a layer that a registry has.
func (c *Client) blob(from *Image, l Layer) producer {
	return func(ctx context.Context, w io.Writer) error {
		return c.retryCopy(ctx, from, l, w)
	}
}

// retryCopy reads a layer; when the connection breaks, the whole of it again, of
// which what was written already is left out.
func (c *Client) retryCopy(ctx context.Context, from *Image, l Layer, w io.Writer) error {
	written := int64(0)
	return c.retry(ctx, func() error {
		r, err := c.repository(ctx, from.Reference.Repository, pulling)
		if err != nil {
			return err
		}
		in, err := r.read(ctx, l.Digest, l.Size)
		if err != nil {
			return err
		}
		defer in.Close()
		if _, err := io.CopyN(io.Discard, in, written); err != nil {
			return err
		}
		n, err := io.Copy(w, in)
		written += n
		return err
	})
}

func (o *layout) write(ctx context.Context, _ string, layer producer) (produced, error) {
	f, err := os.CreateTemp(filepath.Join(o.dir, "blobs"), "new-")
	if err != nil {
		return produced{}, err
	}
	defer os.Remove(f.Name())
	hash := &countingHash{hash: newSHA256()}
	err = layer(ctx, io.MultiWriter(f, hash))
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return produced{}, err
	}
	got := produced{hash.digest(), hash.size}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := os.Stat(o.path(got.digest)); err != nil {
		o.new = append(o.new, got.digest)
	}
	return got, os.Rename(f.Name(), o.path(got.digest))
}

func (o *layout) put(ctx context.Context, d document) error {
	_, err := o.write(ctx, "", d.writeTo)
	return err
}

func (o *layout) manifest(ctx context.Context, d document) error { return o.put(ctx, d) }

// index is the list of images, which may be missing.
func (o *layout) index() (*v1.IndexManifest, error) {
	data, err := os.ReadFile(filepath.Join(o.dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	}
	if err != nil {
		return nil, err
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(o.dir, "index.json"), err)
	}
	return index, nil
}

func (o *layout) holder(_ context.Context, tag string) (string, error) {
	index, err := o.index()
	if err != nil {
		return "", err
	}
	for _, m := range index.Manifests {
		if m.Annotations[annotationRefName] == tag {
			return m.Digest.String(), nil
		}
	}
	return "", nil
}

func (o *layout) tag(_ context.Context, d document, tag string) error {
	entry, err := named(d, tag)
	if err == nil {
		o.list(entry)
	}
	return err
}

func (o *layout) list(entry v1.Descriptor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries = append(o.entries, entry)
}

// small reads a manifest.
func (o *layout) small(digest string) ([]byte, error) {
	f, err := os.Open(o.path(digest))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxDocument))
}

// named is the entry of an index in a layout's list of images.
func named(d document, tag string) (v1.Descriptor, error) {
	entry, err := d.descriptor()
	if err == nil && tag != "" {
		entry.Annotations = map[string]string{annotationRefName: tag}
	}
	return entry, err
}

func (o *layout) close(keep bool) error {
	var errs []error
	if keep {
		err := o.finish()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if o.made {
		return errors.Join(append(errs, os.RemoveAll(o.dir))...)
	}
	for _, digest := range o.new {
		errs = append(errs, os.Remove(o.path(digest)))
	}
	return errors.Join(errs...)
}

// finish writes the list of images.
func (o *layout) finish() error {
	index, err := o.index()
	if err != nil {
		return err
	}
	for _, entry := range o.entries {
		if !slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool {
			return d.Digest == entry.Digest && d.Annotations[annotationRefName] == entry.Annotations[annotationRefName]
		}) {
			index.Manifests = append(index.Manifests, entry)
		}
	}
	data, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(o.dir, "index.json"), data, 0o644)
}
