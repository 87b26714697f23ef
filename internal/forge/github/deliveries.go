package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	sdk "github.com/google/go-github/v62/github"
)

const (
	mostDeliveryPages = 20 // of 100
	mostRedelivered   = 40 // in one go, which takes as many seconds; the next sweep goes on
	// settling is how long after its first attempt a delivery is asked for again;
	// it is doubled with each further one. What fails for mostAttempts times is
	// not the network's fault.
	settling     = 10 * time.Minute
	mostAttempts = 6
)

// Redeliver asks GitHub to send again what it could not deliver to the App
// since a time, and has not delivered since. GitHub itself sends nothing twice,
// and remembers deliveries for 3 days. With a plain token there is no App whose
// deliveries could be listed, and nothing is done.
func (f *Forge) Redeliver(ctx context.Context, since time.Time) (int, error) {
	if !f.session.isApp() {
		return 0, nil
	}
	ctx = asApp(ctx)
	client, err := f.session.client()
	if err != nil {
		return 0, err
	}
	lost, err := f.undelivered(ctx, client, since)
	if err != nil {
		return 0, fmt.Errorf("list the App's deliveries: %w", err)
	}
	asked := 0
	for _, id := range lost {
		_, resp, err := client.Apps.RedeliverHookDelivery(ctx, id)
		if resp != nil && resp.StatusCode == http.StatusAccepted {
			err = nil // the SDK takes the promise for a fault
		}
		if err := answer(resp, err); err != nil {
			return asked, fmt.Errorf("ask for the delivery %d again: %w", id, err)
		}
		asked++
	}
	return asked, nil
}

// delivery is what is known of the attempts at one delivery.
type delivery struct {
	id       int64 // of the newest attempt
	newest   time.Time
	attempts int
	done     bool // one of them succeeded
}

// due reports whether to ask for it again.
func (d delivery) due(now time.Time) bool {
	return !d.done && d.attempts < mostAttempts && now.Sub(d.newest) >= settling<<(d.attempts-1)
}

// undelivered lists the newest attempt of each delivery that is due, the oldest
// first.
func (f *Forge) undelivered(ctx context.Context, client *sdk.Client, since time.Time) ([]int64, error) {
	all, err := deliveries(ctx, client, since)
	if err != nil {
		return nil, err
	}
	var lost []int64
	for _, d := range slices.Backward(all) {
		if d.due(f.session.now()) && len(lost) < mostRedelivered {
			lost = append(lost, d.id)
		}
	}
	return lost, nil
}

// deliveries lists what GitHub tried to deliver since a time, the newest first.
func deliveries(ctx context.Context, client *sdk.Client, since time.Time) (all []*delivery, err error) {
	byGUID := map[string]*delivery{}
	o := &sdk.ListCursorOptions{PerPage: pageOf100}
	for range mostDeliveryPages {
		page, resp, err := client.Apps.ListHookDeliveries(ctx, o)
		if err := answer(resp, err); err != nil {
			return nil, err
		}
		for _, attempt := range page {
			if attempt.GetDeliveredAt().Before(since) {
				return all, nil
			}
			d := byGUID[attempt.GetGUID()]
			if d == nil {
				d = &delivery{id: attempt.GetID(), newest: attempt.GetDeliveredAt().Time}
				byGUID[attempt.GetGUID()] = d
				all = append(all, d)
			}
			d.attempts++
			d.done = d.done || attempt.GetStatusCode()/100 == 2
		}
		if resp.Cursor == "" {
			break
		}
		o.Cursor = resp.Cursor
	}
	return all, nil
}
