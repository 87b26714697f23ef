package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
)

// url is an address of the registry's API below the repository.
func (r *repository) url(path string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s", r.name.Scheme(), r.name.RegistryStr(), r.name.RepositoryStr(), path)
}

// has returns the size of a blob, -1 when the repository has none.
func (r *repository) has(ctx context.Context, digest string) (int64, error) {
	res, err := r.do(ctx, call{what: "look for " + digest, method: http.MethodHead, url: r.url("blobs/" + digest)}, http.StatusOK)
	if errors.Is(err, ErrNotFound) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	_ = res.Body.Close()
	return res.ContentLength, r.same("look for a blob", res, digest)
}

// mount asks the registry to take a blob from another of its repositories. Where it
// cannot, it has begun an upload, which is given up.
func (r *repository) mount(ctx context.Context, from name.Repository, digest string) (bool, error) {
	if from.RegistryStr() != r.name.RegistryStr() {
		return false, nil
	}
	query := url.Values{"mount": {digest}, "from": {from.RepositoryStr()}}
	res, err := r.do(ctx, call{what: "mount " + digest, method: http.MethodPost, url: r.url("blobs/uploads/?" + query.Encode())}, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		// Some registries refuse instead of falling back.
		if errors.Is(err, ErrTransient) || errors.Is(err, context.Canceled) {
			return false, err
		}
		return false, nil
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusCreated {
		return true, r.same("mount a blob", res, digest)
	}
	u := &upload{repository: r, what: digest}
	if u.follow(res) == nil {
		u.abandon(ctx)
	}
	return false, nil
}

// read opens a blob. What is read is checked against the digest; the last read fails
// when it is another.
func (r *repository) read(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	res, err := r.do(ctx, call{what: "read " + digest, method: http.MethodGet, url: r.url("blobs/" + digest)}, http.StatusOK) //nolint:bodyclose // who reads closes
	if err != nil {
		return nil, err
	}
	return &checked{ReadCloser: res.Body, repository: r, digest: digest, size: size, hash: &countingHash{hash: newSHA256()}}, nil
}

// copyBlob brings a blob from a repository into this one: by mounting it where that
// goes, else by sending it while it is read.
func (r *repository) copyBlob(ctx context.Context, from *repository, l Layer) error {
	has, err := r.has(ctx, l.Digest)
	if err != nil || has == l.Size {
		return err
	}
	if mounted, err := r.mount(ctx, from.name, l.Digest); err != nil || mounted {
		return err
	}
	got, err := r.upload(ctx, l.Digest, func(ctx context.Context, w io.Writer) error {
		in, err := from.read(ctx, l.Digest, l.Size)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
	if err == nil && got.digest != l.Digest {
		err = &RegistryError{What: "copy " + l.Digest, kind: ErrMismatch, Detail: "it is " + got.digest}
	}
	return err
}

// checked is a blob that is being read.
type checked struct {
	io.ReadCloser
	repository *repository
	digest     string
	size       int64 // -1 when it is not known
	hash       *countingHash
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	_, _ = c.hash.Write(p[:n]) // never fails without a witness
	what := "read " + c.digest
	switch {
	case c.size >= 0 && c.hash.size > c.size:
		return n, &RegistryError{What: what, kind: ErrMismatch, Detail: fmt.Sprintf("it has more than %d bytes", c.size)}
	case errors.Is(err, io.EOF):
		if c.hash.digest() != c.digest {
			return n, &RegistryError{What: what, kind: ErrMismatch, Detail: "the registry sent " + c.hash.digest()}
		}
	case err != nil:
		err = c.repository.classify(what, err)
	}
	return n, err
}
