// Package forgegit reads and writes small repositories on a forge over git's
// smart HTTP protocol (gitprotocol-http(5), version 0): a shallow fetch into
// memory, and a push whose lease the server itself checks. No work tree, no
// configuration, no credential store and no hook is involved.
package forgegit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

const (
	agent = "odyssey"

	packTimeout = 5 * time.Minute
	maxPack     = 64 << 20
	maxObjects  = 256 << 20
	maxRefusal  = 4 << 10 // of an error answer's body that is read
)

// Remote is one repository on a forge.
type Remote struct {
	URL        string                        // "https://host/owner/name.git", without credentials
	HTTP       *http.Client                  // from Client
	Auth       func(req *http.Request) error // adds the credentials to a request
	MaxObjects int64                         // bytes of unpacked objects held in memory; 256 MiB when 0
}

// Client returns a client like forgehttp's for the API, but with room and
// time for packs.
func Client(o forgehttp.Options) *http.Client {
	o.Timeout, o.MaxBody = max(o.Timeout, packTimeout), max(o.MaxBody, maxPack)
	return forgehttp.New(o)
}

// refs are the references that the server offers for a service, by full name,
// and what it can do.
func (r *Remote) refs(ctx context.Context, service string) (*packp.AdvRefs, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/info/refs?service="+service, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := r.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if got, want := resp.Header.Get("Content-Type"), "application/x-"+service+"-advertisement"; got != want {
		return nil, fmt.Errorf("%w: %q where git wants %q", forge.ErrTransient, forgehttp.Excerpt(got), want)
	}
	adv := packp.NewAdvRefs()
	if err := adv.Decode(resp.Body); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, garbled("read the references", err)
	}
	return adv, nil
}

// post sends the body of a service's request. The caller closes the answer.
func (r *Remote) post(ctx context.Context, service string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/"+service, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-"+service+"-request")
	req.Header.Set("Accept", "application/x-"+service+"-result")
	resp, err := r.do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// do sends a request with credentials. Every answer but 200 is an error.
func (r *Remote) do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "git/"+agent)
	if err := r.Auth(req); err != nil {
		return nil, err
	}
	resp, err := r.HTTP.Do(req)
	if err != nil {
		return nil, forgehttp.Error(nil, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err := forgehttp.Error(resp, errors.New(string(said))); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: status %d", forge.ErrTransient, resp.StatusCode)
}

// garbled is the error for an answer that git cannot use.
func garbled(doing string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, forgehttp.ErrTooLarge):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%w: %s: %s", forge.ErrTransient, doing, forgehttp.Excerpt(err.Error()))
}

// head returns the branch's newest commit among the offered references; zero
// where there is no such branch.
func head(adv *packp.AdvRefs, branch string) plumbing.Hash {
	return adv.References[plumbing.NewBranchReferenceName(branch).String()]
}

// DeleteBranch deletes a branch that is at lease; when it is elsewhere or
// gone the error is forge.ErrLeaseLost.
func (r *Remote) DeleteBranch(ctx context.Context, branch, lease string) error {
	if !plumbing.IsHash(lease) {
		return fmt.Errorf("the lease %q is no commit", lease)
	}
	if err := plumbing.NewBranchReferenceName(branch).Validate(); err != nil {
		return fmt.Errorf("branch %q: %w", branch, err)
	}
	// Where there is no such repository, only the service for reading says so.
	var adv *packp.AdvRefs
	for _, service := range []string{transport.UploadPackServiceName, transport.ReceivePackServiceName} {
		var err error
		if adv, err = r.refs(ctx, service); err != nil {
			return err
		}
		if err := checkLease(adv, branch, lease); err != nil {
			return err
		}
	}
	return r.update(ctx, adv, &packp.Command{
		Name: plumbing.NewBranchReferenceName(branch),
		Old:  plumbing.NewHash(lease),
	}, nil)
}
