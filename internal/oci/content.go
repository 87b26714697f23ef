package oci

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"
)

// HasFile reports whether some layer of an image brings a file or link of that path, without a
// slash in front. It reads layers from the last one on, until one does.
func (c *Client) HasFile(ctx context.Context, image *Image, name string) (bool, error) {
	for i := len(image.Layers) - 1; i >= 0; i-- {
		found := false
		err := c.eachEntry(ctx, image, image.Layers[i], func(h *tar.Header, _ io.Reader) error {
			if strings.Trim(path.Clean("/"+h.Name), "/") == name && h.Typeflag != tar.TypeDir {
				found = true
				return errFound
			}
			return nil
		})
		if found {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

var errFound = errors.New("found")

// eachEntry reads a layer's archive.
func (c *Client) eachEntry(ctx context.Context, image *Image, l Layer, do func(*tar.Header, io.Reader) error) error {
	r, err := c.repository(ctx, image.Reference.Repository, pulling)
	if err != nil {
		return err
	}
	blob, err := r.read(ctx, l.Digest, l.Size)
	if err != nil {
		return err
	}
	defer blob.Close()
	z, err := decompressor(l.MediaType, blob)
	if err != nil {
		return err
	}
	defer z.Close()
	archive := tar.NewReader(z)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(h, archive); err != nil {
			return err
		}
	}
}
