package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// upload is one session of sending a blob to a registry. The digest is not known
// when it begins: the blob is sent while it is being made, and named in the end.
//
// It begins as docker's does, with a single PATCH without a length, which every registry knows.
// When that is cut off, the registry is asked how far it got, and the blob is made again from there on,
// in chunks that are held in memory, since further PATCHes must have a length. A
// registry that has lost the session, or takes no more, gets a new one.
type upload struct {
	repository *repository
	what       string
	write      producer
	progress   func(int64)
	location   string
	chunk      int64
	before     *witness // of runs of the producer so far
	result     produced
}

// chunkSize is how much of a blob is held in memory when it is sent in chunks, in
// bytes; a registry may ask for more, up to maxChunk.
const (
	chunkSize = 8 << 20
	maxChunk  = 64 << 20
)

// upload sends a blob and returns its digest and size.
func (r *repository) upload(ctx context.Context, what string, write producer) (produced, error) {
	u := &upload{repository: r, what: what, write: write, progress: func(n int64) { r.c.o.Progress(what, n) }}
	if err := u.run(ctx); err != nil {
		return produced{}, err
	}
	return u.result, nil
}

// run begins anew as long as faults may pass.
func (u *upload) run(ctx context.Context) error {
	c := u.repository.c
	again := 0
	return c.retry(ctx, func() error {
		err := u.session(ctx)
		// The registry got other bytes than were sent: that may be a proxy's fault, once.
		if errors.Is(err, ErrMismatch) && again == 0 {
			again++
			return fmt.Errorf("%w; %w", err, ErrTransient)
		}
		return err
	})
}

// session is one upload from its beginning to its end.
func (u *upload) session(ctx context.Context) error {
	if err := u.begin(ctx); err != nil {
		return err
	}
	err := u.stream(ctx)
	if errors.Is(err, ErrTransient) && ctx.Err() == nil {
		if err = u.resume(ctx, err); err != nil {
			u.abandon(ctx)
			return err
		}
	}
	if err != nil {
		u.abandon(ctx)
		return err
	}
	return u.commit(ctx)
}

// begin asks for a session.
func (u *upload) begin(ctx context.Context) error {
	res, err := u.repository.do(ctx, call{what: u.verb("begin to upload"), method: http.MethodPost, url: u.repository.url("blobs/uploads/")}, http.StatusAccepted)
	if err != nil {
		return err
	}
	return u.began(res)
}

// began takes up the session of an answer.
func (u *upload) began(res *http.Response) error {
	u.chunk = chunkSize
	if asked, err := strconv.ParseInt(res.Header.Get("OCI-Chunk-Min-Length"), 10, 64); err == nil && asked > u.chunk {
		u.chunk = min(asked, maxChunk)
	}
	return errors.Join(u.follow(res), res.Body.Close())
}

// follow takes the address of the next request from an answer.
func (u *upload) follow(res *http.Response) error {
	location, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.Header.Get("Location") == "" {
		return &RegistryError{What: u.verb("upload"), Status: res.StatusCode, Detail: "the registry does not say where to"}
	}
	next := res.Request.URL.ResolveReference(location)
	if res.Request.URL.Scheme == "https" && next.Scheme != "https" || next.Scheme != "http" && next.Scheme != "https" {
		return &RegistryError{What: u.verb("upload"), Detail: "the registry wants it sent by " + printable(next.Scheme)}
	}
	u.location = next.String()
	return nil
}

func (u *upload) verb(do string) string { return do + " " + u.what }

// stream sends the blob in one request.
func (u *upload) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := produce(ctx, u.write, 0, u.before)
	body := &watched{r: p, stall: u.repository.c.o.Stall, cancel: cancel, progress: u.progress}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, u.location, body)
	if err != nil {
		return errors.Join(err, p.end())
	}
	req.ContentLength = -1
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := u.repository.send(req, u.verb("upload"), http.StatusAccepted, http.StatusNoContent)
	ended := body.finish()
	failed := p.end()
	u.before = p.witnessed()
	switch {
	case failed != nil:
		if err == nil {
			_ = res.Body.Close()
		}
		return failed
	case err != nil:
		return stalled(ctx, err)
	}
	defer res.Body.Close()
	if !ended {
		return &RegistryError{What: u.verb("upload"), kind: ErrTransient, Detail: "the registry answered before it had everything"}
	}
	u.result = p.result()
	return u.follow(res)
}

// stalled makes a transient fault of a request that was given up because nothing moved.
func stalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrTransient) {
		return cause
	}
	return err
}

// resume sends what the registry still lacks after a request was cut off. cut says how.
func (u *upload) resume(ctx context.Context, cut error) error {
	if err := u.repository.c.pause(ctx, 1, cut); err != nil {
		return err
	}
	offset, err := u.status(ctx)
	if err != nil || offset == 0 {
		// No session, or nothing in it: a new one, which retry decides on.
		return cut
	}
	p := produce(ctx, u.write, offset, u.before)
	err = u.chunks(ctx, p, offset)
	failed := p.end()
	u.before = p.witnessed()
	if failed != nil {
		return failed
	}
	if err == nil {
		u.result = p.result()
	}
	return err
}

// chunks sends what is left of a blob from an offset on.
func (u *upload) chunks(ctx context.Context, r io.Reader, offset int64) error {
	buffer := make([]byte, u.chunk)
	for {
		n, err := io.ReadFull(r, buffer)
		if n > 0 {
			if err := u.send(ctx, buffer[:n], offset); err != nil {
				return err
			}
			offset += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// send sends one chunk, and when it is cut off what is left of it.
func (u *upload) send(ctx context.Context, data []byte, offset int64) error {
	end := offset + int64(len(data))
	for attempt := 1; ; attempt++ {
		err := u.patch(ctx, data, offset)
		if err == nil || !errors.Is(err, ErrTransient) || attempt >= u.repository.c.o.Attempts {
			return err
		}
		if err := u.repository.c.pause(ctx, attempt, err); err != nil {
			return err
		}
		has, failed := u.status(ctx)
		if failed != nil || has < offset || has > end {
			return err
		}
		data, offset = data[has-offset:], has
		if len(data) == 0 {
			return nil
		}
	}
}

func (u *upload) patch(ctx context.Context, data []byte, offset int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &watched{r: bytes.NewReader(data), stall: u.repository.c.o.Stall, cancel: cancel, progress: u.progress}
	defer body.finish()
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, u.location, body)
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(data))
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", offset, offset+int64(len(data))-1))
	res, err := u.repository.send(req, u.verb("upload"), http.StatusAccepted, http.StatusNoContent)
	if err != nil {
		return stalled(ctx, err)
	}
	return errors.Join(u.follow(res), res.Body.Close())
}

// status asks how many bytes the registry has. 0 can mean one, too, as the header has no
// other way to say none.
func (u *upload) status(ctx context.Context) (int64, error) {
	res, err := u.repository.do(ctx, call{what: u.verb("ask how far the registry got with"), method: http.MethodGet, url: u.location}, http.StatusNoContent, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	first, last, found := strings.Cut(strings.TrimPrefix(res.Header.Get("Range"), "bytes="), "-")
	end, err := strconv.ParseInt(last, 10, 64)
	if !found || first != "0" || err != nil || end < 0 {
		return 0, nil
	}
	if res.Header.Get("Location") != "" {
		if err := u.follow(res); err != nil {
			return 0, err
		}
	}
	if end == 0 {
		return 0, nil
	}
	return end + 1, nil
}

// commit names the blob by its digest.
func (u *upload) commit(ctx context.Context) error {
	location, err := url.Parse(u.location)
	if err != nil {
		return err
	}
	query := location.Query()
	query.Set("digest", u.result.digest)
	location.RawQuery = query.Encode()
	res, err := u.repository.do(ctx, call{what: u.verb("finish"), method: http.MethodPut, url: location.String()}, http.StatusCreated, http.StatusNoContent, http.StatusAccepted)
	if err != nil {
		// It may have been done, and only the answer got lost.
		if there, failed := u.repository.has(ctx, u.result.digest); failed == nil && there == u.result.size {
			return nil
		}
		return err
	}
	_ = res.Body.Close()
	return u.repository.same(u.verb("upload"), res, u.result.digest)
}

// same refuses an answer that names another digest than was sent.
func (r *repository) same(what string, res *http.Response, digest string) error {
	if said := res.Header.Get("Docker-Content-Digest"); said != "" && said != digest {
		return &RegistryError{What: what, kind: ErrMismatch, Detail: fmt.Sprintf("the registry says it is %s, and it is %s", printable(said), digest)}
	}
	return nil
}

// abandon tells the registry that nothing more comes; that it may not hear it is
// no harm, as it clears away what is old.
func (u *upload) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, u.location, http.NoBody)
	if err != nil {
		return
	}
	if res, err := u.repository.http.Do(req); err == nil {
		_ = res.Body.Close()
	}
}
