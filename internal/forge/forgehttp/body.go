package forgehttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrTooLarge says that an answer is larger than Options.MaxBody. It is not
// retried.
var ErrTooLarge = errors.New("the answer is too large")

// bounded refuses answers with more than limit bytes. It reads the answer to
// a repeatable request to its end, so that one that breaks off counts as a
// failed attempt.
type bounded struct {
	next  http.RoundTripper
	limit int64
}

func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{body: resp.Body, left: t.limit, limit: t.limit}
	if !repeatable(req.Method) {
		return resp, nil
	}
	all, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(all))
	return resp, nil
}

// limitedBody fails where io.LimitReader would pretend the end.
type limitedBody struct {
	body        io.ReadCloser
	left, limit int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, b.limit)
	}
	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }
