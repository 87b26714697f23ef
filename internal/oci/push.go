package oci

import (
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
	_, err := r.sendManifest(ctx, d, identifier)
	return err
}

// sendManifest is putManifest, and returns what the registry says to it.
func (r *repository) sendManifest(ctx context.Context, d document, identifier string) (http.Header, error) {
	what := "publish " + r.name.Name() + join(identifier)
	put := call{what: what, method: http.MethodPut, url: r.url("manifests/" + identifier), body: d.data, mediaType: d.mediaType}
	res, err := r.do(ctx, put, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	return res.Header, r.same(what, res, d.digest)
}
