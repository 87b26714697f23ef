package oci

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// writeTo is a producer of the document.
func (d document) writeTo(_ context.Context, w io.Writer) error {
	_, err := w.Write(d.data)
	return err
}

// putManifest puts a manifest or an index under a digest or a tag.
func (r *repository) putManifest(ctx context.Context, d document, identifier string) error {
	what := "publish " + r.name.Name() + join(identifier)
	res, err := r.do(ctx, what, func() (*http.Request, error) {
		req, err := http.NewRequest(http.MethodPut, r.url("manifests/"+identifier), bytes.NewReader(d.data)) //nolint:noctx // do adds it
		if err == nil {
			req.Header.Set("Content-Type", d.mediaType)
		}
		return req, err
	}, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	return r.same(what, res, d.digest)
}
