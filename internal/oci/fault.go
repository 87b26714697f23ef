package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// RegistryError is what a registry answered, or that it did not.
type RegistryError struct {
	What   string // was tried
	Status int    // of the HTTP answer; 0 when there was none
	Detail string
	kind   error         // ErrNotFound, ErrDenied, ErrTransient, ErrMismatch or nil
	after  time.Duration // that the registry asks to wait; 0 when it does not
	cause  error
}

func (e *RegistryError) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	if e.kind != nil {
		b.WriteString(": " + e.kind.Error())
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d %s)", e.Status, http.StatusText(e.Status))
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

// Unwrap makes the kind of the fault, and what the transport said, known to errors.Is.
func (e *RegistryError) Unwrap() []error {
	var all []error
	if e.kind != nil {
		all = append(all, e.kind)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// OutOfReach marks it for the exit code: not the input is at fault.
func (*RegistryError) OutOfReach() {}

var errPlain = errors.New("refused to speak plain HTTP")

// classify makes a RegistryError of what the transport said.
func (r *repository) classify(what string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	answered := (*transport.Error)(nil)
	if !errors.As(err, &answered) {
		e := &RegistryError{What: what, Detail: r.redact(err.Error()), kind: ErrTransient, cause: err}
		// The transport joins what it tried in a text.
		if strings.Contains(err.Error(), errPlain.Error()) || strings.Contains(err.Error(), "x509:") {
			e.kind = nil
		}
		return e
	}
	e := &RegistryError{What: what, Status: answered.StatusCode, kind: kindOf(answered), Detail: r.redact(detail(answered))}
	if errors.Is(e.kind, ErrDenied) {
		e.Detail += "\n  log in with an account that may: docker login " + r.name.RegistryStr()
	}
	return e
}

// kindOf decides what happens next.
func kindOf(e *transport.Error) error {
	for _, d := range e.Errors {
		switch d.Code {
		case transport.DigestInvalidErrorCode, transport.SizeInvalidErrorCode:
			return ErrMismatch
		case transport.UnauthorizedErrorCode, transport.DeniedErrorCode:
			return ErrDenied
		case transport.TooManyRequestsErrorCode, transport.UnavailableErrorCode:
			return ErrTransient
		}
	}
	switch e.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInsufficientStorage:
		return ErrTransient
	}
	return nil
}

// maxDetail is how much of a registry's words is repeated, in bytes.
const maxDetail = 300

func detail(e *transport.Error) string {
	var all []string
	for _, d := range e.Errors {
		all = append(all, strings.TrimSuffix(string(d.Code)+": "+d.Message, ": "))
	}
	return printable(strings.Join(all, "; "))
}

// printable is foreign text on one line, and bounded.
func printable(s string) string {
	quoted := strconv.Quote(cut(s, maxDetail))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// redact takes credentials out of a text.
func (r *repository) redact(s string) string {
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "[redacted]")
	}
	return s
}

// longestWait bounds what a registry may ask for.
const longestWait = 5 * time.Minute

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, longestWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), longestWait))
	}
	return 0
}

// retry calls do until it succeeds, fails for good, or has failed too often.
func (c *Client) retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || !errors.Is(err, ErrTransient) || attempt >= c.o.Attempts || ctx.Err() != nil {
			return err
		}
		if err := c.pause(ctx, attempt, err); err != nil {
			return err
		}
	}
}

// pause waits before the next attempt: longer each time, and as long as the registry
// asked for.
func (c *Client) pause(ctx context.Context, attempt int, err error) error {
	wait := min(c.o.Backoff<<min(attempt-1, 10), 30*time.Second)
	if failed := (*RegistryError)(nil); errors.As(err, &failed) {
		wait = max(wait, failed.after)
	}
	return c.o.Wait(ctx, wait)
}

// call is a request that can be made again.
type call struct {
	what        string // is tried
	method, url string
	body        []byte // nil: none
	mediaType   string // of the body
	accept      string // media types of the answer
}

// do makes a request and returns the answer if it has one of the statuses. Otherwise, and
// after as many attempts as are allowed, it is an error that says what was tried.
func (r *repository) do(ctx context.Context, c call, statuses ...int) (res *http.Response, err error) {
	err = r.c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
		if err != nil {
			return err
		}
		if c.body != nil {
			req.Header.Set("Content-Type", c.mediaType)
		}
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		res, err = r.send(req, c.what, statuses...) //nolint:bodyclose // who asked closes it
		return err
	})
	return res, err
}

// send makes a request once.
func (r *repository) send(req *http.Request, what string, statuses ...int) (*http.Response, error) {
	res, err := r.http.Do(req)
	if err != nil {
		return nil, r.classify(what, err)
	}
	err = transport.CheckError(res, statuses...)
	if err == nil {
		return res, nil
	}
	_ = res.Body.Close()
	return nil, r.classifyAfter(what, err, retryAfter(res.Header, time.Now()))
}

// classifyAfter is classify of an answer that asks to wait.
func (r *repository) classifyAfter(what string, err error, after time.Duration) error {
	err = r.classify(what, err)
	if failed := (*RegistryError)(nil); errors.As(err, &failed) {
		failed.after = after
	}
	return err
}
