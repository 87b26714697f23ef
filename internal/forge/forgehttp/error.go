package forgehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/nuobit/odyssey/internal/forge"
)

// Error gives what came of a request the class that callers decide by. resp
// may be nil or already read; err may be nil. The result is nil when resp is
// a success and err is nil.
//
//   - 404, 410: forge.ErrNotFound
//   - 401, 403: forge.ErrUnauthorized
//   - 409, 412, 422, 423: forge.ErrConflict
//   - 429, and 403 or 503 that ask to wait: *forge.RateLimitError
//   - 5xx, no answer, an answer that is cut off or not understood: forge.ErrTransient
//
// The caller's own cancellation, errors that have a class already and errors
// that are not the network's come back as they are.
func Error(resp *http.Response, err error) error {
	var limit *forge.RateLimitError
	var network *url.Error
	switch {
	case errors.As(err, &limit):
		return limit
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, errRedirect), errors.Is(err, ErrTooLarge):
		return err
	case errors.As(err, &network) && hasClass(network.Err): // from a transport that asks the forge for its credential
		return network.Err
	case resp != nil && resp.StatusCode >= http.StatusMultipleChoices:
		return statusError(resp, err)
	case err == nil:
		return nil
	case resp != nil:
		return fmt.Errorf("%w: %s", forge.ErrTransient, Excerpt(err.Error()))
	case errors.As(err, &network):
		return fmt.Errorf("%w: %w", forge.ErrTransient, err)
	}
	return err
}

func hasClass(err error) bool {
	return errors.Is(err, forge.ErrUnauthorized) || errors.Is(err, forge.ErrNotFound) ||
		errors.Is(err, forge.ErrConflict) || errors.Is(err, forge.ErrTransient)
}

func statusError(resp *http.Response, err error) error {
	if wait, _, limited := rateLimit(resp); limited {
		return &forge.RateLimitError{RetryAfter: wait}
	}
	said := fmt.Sprintf("status %d", resp.StatusCode)
	if err != nil {
		said += ": " + Excerpt(err.Error())
	}
	if class := classOf(resp.StatusCode); class != nil {
		return fmt.Errorf("%w (%s)", class, said)
	}
	return fmt.Errorf("the forge answers with %s", said)
}

// classOf returns the sentinel of a status, or nil when it has none.
func classOf(status int) error {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return forge.ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return forge.ErrUnauthorized
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity, http.StatusLocked:
		return forge.ErrConflict
	}
	if status >= http.StatusInternalServerError {
		return forge.ErrTransient
	}
	return nil
}

const maxExcerpt = 300

// Excerpt makes what a server said fit for one line of an error: no control
// characters, runs of white space as one blank, at most 300 characters.
func Excerpt(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	line := []rune(strings.Join(words, " "))
	if len(line) > maxExcerpt {
		return string(line[:maxExcerpt]) + "…"
	}
	return string(line)
}
