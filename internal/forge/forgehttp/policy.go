package forgehttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/nuobit/odyssey/internal/forge"
)

// policy decides whether and when an attempt is repeated.
type policy struct{ maxRetryAfter time.Duration }

// check is a retryablehttp.CheckRetry.
func (p policy) check(ctx context.Context, resp *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, errRedirect), errors.Is(err, ErrTooLarge):
		return false, err
	case err != nil:
		again, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err)
		if !again {
			return false, err
		}
		return true, nil
	}
	if wait, _, limited := rateLimit(resp); limited {
		if wait > p.maxRetryAfter {
			return false, &forge.RateLimitError{RetryAfter: wait}
		}
		return true, nil
	}
	return resp.StatusCode >= http.StatusInternalServerError, nil
}

// wait is a retryablehttp.Backoff.
func (p policy) wait(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	if wait, _, limited := rateLimit(resp); limited {
		return wait
	}
	return retryablehttp.DefaultBackoff(shortest, longest, attempt, nil)
}

// rateLimit returns whether a forge refuses because of too many calls, how long
// it asks to wait, and whether it said so or that is a guess.
func rateLimit(resp *http.Response) (wait time.Duration, said, limited bool) {
	if resp == nil {
		return 0, false, false
	}
	after, said := retryAfter(resp.Header)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
	case resp.StatusCode == http.StatusForbidden && resp.Header.Get("X-Ratelimit-Remaining") == "0":
	case resp.StatusCode == http.StatusForbidden && said:
	case resp.StatusCode == http.StatusServiceUnavailable && said:
	default:
		return 0, false, false
	}
	if !said {
		return unsaidWait, false, true
	}
	return after, true, true
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3: seconds or a date)
// or X-RateLimit-Reset (Unix time). Points in time count from the answer's own
// Date, so this machine's clock does not matter.
func retryAfter(h http.Header) (time.Duration, bool) {
	now, err := http.ParseTime(h.Get("Date"))
	dated := err == nil
	if v := h.Get("Retry-After"); v != "" {
		if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second, true
		}
		if at, err := http.ParseTime(v); err == nil && dated {
			return max(at.Sub(now), 0), true
		}
		return 0, false
	}
	reset, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil || !dated || h.Get("X-Ratelimit-Remaining") != "0" {
		return 0, false
	}
	return max(time.Unix(reset, 0).Sub(now), 0), true
}
