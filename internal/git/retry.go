package git

import (
	"context"
	"errors"
	"time"
)

// retry calls ask until it succeeds, fails for good, or all attempts are
// used. Each attempt has the client's time-out; the waits between them double.
func retry[T any](ctx context.Context, c *Client, ask func(context.Context) (T, error)) (T, error) {
	wait := c.backoff
	for attempt := 1; ; attempt++ {
		result, err := func() (T, error) {
			bounded, cancel := context.WithTimeout(ctx, c.timeout)
			defer cancel()
			return ask(bounded)
		}()
		if err == nil || attempt == c.attempts || !errors.Is(err, ErrTransient) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}
