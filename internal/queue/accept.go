package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxName   = 500      // bytes of a subject, a kind, an item's or a delivery's id
	maxData   = 64 << 10 // bytes of an item's data
	groupSize = 256      // calls that are committed together at most
)

// call is an Accept or a Want that waits for its commit.
type call struct {
	delivery *Delivery // nil for Want
	requests []Request
	made     []*request // what becomes of the requests
	fresh    bool
	err      error
	done     chan struct{}
}

// want is a delivery's request in the delivery's row: the generation of its
// target that it made.
type want struct {
	Subject    string `json:"s"`
	Kind       string `json:"k"`
	Generation int64  `json:"g"`
}

// Accept records a delivery and requests jobs, in one transaction: when it
// returns nil, both are safe. A delivery that is known already changes nothing
// and is not fresh; but jobs of it that ended dead are requested again. Calls
// at the same time are committed together.
func (q *Queue) Accept(ctx context.Context, d Delivery, rs ...Request) (fresh bool, err error) {
	for what, name := range map[string]string{"source": d.Source, "id": d.ID, "event": d.Event} {
		if err := checkName(name); err != nil {
			return false, fmt.Errorf("accept delivery: its %s %w", what, err)
		}
	}
	c := &call{delivery: &d, requests: rs}
	err = q.submit(ctx, c)
	return c.fresh && err == nil, err
}

// Want requests jobs.
func (q *Queue) Want(ctx context.Context, rs ...Request) error {
	return q.submit(ctx, &call{requests: rs})
}

// submit hands a call to the committer and waits. When ctx ends first, the
// call may have been committed or not.
func (q *Queue) submit(ctx context.Context, c *call) error {
	if err := checkRequests(c.requests); err != nil {
		return err
	}
	c.done = make(chan struct{})
	select {
	case q.accepts <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-q.quit:
		return errors.New("the queue is closed")
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitCalls commits all calls that wait in one transaction, then those that
// have come meanwhile, and so on: a disk's sync takes as long for many.
func (q *Queue) commitCalls() {
	for {
		var group []*call
		select {
		case c := <-q.accepts:
			group = append(group, c)
		case <-q.quit:
			return
		}
		for more := true; more && len(group) < groupSize; {
			select {
			case c := <-q.accepts:
				group = append(group, c)
			default:
				more = false
			}
		}
		q.commitGroup(group)
	}
}

// commitGroup commits a group. If that fails, each call gets a transaction of
// its own, so that none fails because of another.
func (q *Queue) commitGroup(group []*call) {
	ctx, cancel := context.WithTimeout(context.Background(), txTimeout)
	defer cancel()
	err := q.transact(ctx, func(t tx) error { return q.record(ctx, t, group) })
	if err != nil && len(group) > 1 && ctx.Err() == nil && !errors.Is(err, ErrFull) {
		for _, c := range group {
			q.commitGroup([]*call{c})
		}
		return
	}
	for _, c := range group {
		c.err = err
		close(c.done)
	}
}

// record writes the calls' deliveries and requests, with few statements however
// many there are. Rows are taken in the same order by all processes, so that
// they do not wait for one another in a circle.
func (q *Queue) record(ctx context.Context, t tx, group []*call) error {
	byDelivery := slices.Clone(group)
	slices.SortStableFunc(byDelivery, func(a, b *call) int { return compareDeliveries(a.delivery, b.delivery) })
	var (
		all []*request
		own []*call // the first of each delivery
	)
	for _, c := range byDelivery {
		c.fresh, c.made = false, nil
		switch {
		case c.delivery == nil:
			all = append(all, requests(c.requests, false)...)
		case len(own) == 0 || compareDeliveries(own[len(own)-1].delivery, c.delivery) != 0:
			own = append(own, c)
		}
	}
	if err := q.addDeliveries(ctx, t, own); err != nil {
		return err
	}
	for _, c := range own {
		c.made = requests(c.requests, true)
		if !c.fresh {
			var err error
			if c.made, err = failed(ctx, t, c.delivery, c.made); err != nil {
				return err
			}
		}
		all = append(all, c.made...)
	}
	if err := q.request(ctx, t, all); err != nil {
		return err
	}
	return q.noteWants(ctx, t, own)
}

// row is an element of the JSON list by which a statement gets many rows.
type row struct {
	Source string `json:"s,omitempty"` // or the subject
	Kind   string `json:"k,omitempty"`
	ID     string `json:"i,omitempty"`
	Number int64  `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

func list(rows []row) (string, error) {
	text, err := json.Marshal(rows)
	return string(text), err
}

// addDeliveries stores deliveries and finds out which are new.
func (q *Queue) addDeliveries(ctx context.Context, t tx, calls []*call) error {
	if len(calls) == 0 {
		return nil
	}
	rows := make([]row, len(calls))
	by := map[Delivery]*call{}
	for i, c := range calls {
		rows[i] = row{Source: c.delivery.Source, ID: c.delivery.ID, Text: c.delivery.Event}
		by[Delivery{Source: c.delivery.Source, ID: c.delivery.ID}] = c
	}
	text, err := list(rows)
	if err != nil {
		return err
	}
	return t.each(ctx, func(scan func(...any) error) error {
		var d Delivery
		if err := scan(&d.Source, &d.ID); err != nil {
			return err
		}
		if c := by[d]; c != nil {
			c.fresh = true
		}
		return nil
	}, `INSERT INTO odyssey_delivery (source, id, event, at)
		SELECT value ->> 's', value ->> 'i', value ->> 't', CAST($2 AS bigint) FROM `+q.phrases.rows+` WHERE true
		ON CONFLICT (source, id) DO NOTHING RETURNING source, id`, text, q.o.Now().UnixNano())
}

func compareDeliveries(a, b *Delivery) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	if c := strings.Compare(a.Source, b.Source); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// failed chooses of the requests of a known delivery those whose job ended
// dead. A request with an item is left to the item's own state.
func failed(ctx context.Context, t tx, d *Delivery, rs []*request) ([]*request, error) {
	wants, err := storedWants(ctx, t, d)
	if err != nil {
		return nil, err
	}
	var out []*request
	for _, r := range rs {
		if r.Item != nil {
			out = append(out, r)
			continue
		}
		i := slices.IndexFunc(wants, func(w want) bool { return w.Subject == r.Subject && w.Kind == r.Kind })
		if i < 0 {
			continue
		}
		var done, dead int64
		if _, err := one(ctx, t, []any{&done, &dead}, `SELECT done_generation, dead_generation FROM odyssey_target
			WHERE subject = $1 AND kind = $2`, r.Subject, r.Kind); err != nil {
			return nil, err
		}
		if g := wants[i].Generation; g > done && g <= dead {
			out = append(out, r)
		}
	}
	return out, nil
}

func storedWants(ctx context.Context, t tx, d *Delivery) (wants []want, err error) {
	var text string
	if _, err := one(ctx, t, []any{&text}, `SELECT wants FROM odyssey_delivery WHERE source = $1 AND id = $2`, d.Source, d.ID); err != nil {
		return nil, err
	}
	if text == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &wants)
	return wants, err
}

// noteWants keeps the generations that deliveries' requests made.
func (q *Queue) noteWants(ctx context.Context, t tx, calls []*call) error {
	var rows []row
	for _, c := range calls {
		var wants []want
		for _, r := range c.made {
			if r.generation != 0 && r.Item == nil {
				wants = append(wants, want{r.Subject, r.Kind, r.generation})
			}
		}
		if len(wants) == 0 {
			continue
		}
		if !c.fresh {
			old, err := storedWants(ctx, t, c.delivery)
			if err != nil {
				return err
			}
			for _, o := range old {
				if !slices.ContainsFunc(wants, func(w want) bool { return w.Subject == o.Subject && w.Kind == o.Kind }) {
					wants = append(wants, o)
				}
			}
		}
		text, err := json.Marshal(wants)
		if err != nil {
			return err
		}
		rows = append(rows, row{Source: c.delivery.Source, ID: c.delivery.ID, Text: string(text)})
	}
	if len(rows) == 0 {
		return nil
	}
	text, err := list(rows)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE odyssey_delivery SET wants = v.t
		FROM (SELECT value ->> 's' AS s, value ->> 'i' AS i, value ->> 't' AS t FROM `+q.phrases.rows+`) AS v
		WHERE source = v.s AND id = v.i`, text)
	return err
}

func checkRequests(rs []Request) error {
	for _, r := range rs {
		for what, name := range map[string]string{"subject": r.Subject, "kind": r.Kind} {
			if err := checkName(name); err != nil {
				return fmt.Errorf("request a job: its %s %w", what, err)
			}
		}
		if r.Item == nil {
			continue
		}
		if err := checkName(r.Item.ID); err != nil {
			return fmt.Errorf("request a job for %s: its item's id %w", r.Subject, err)
		}
		if len(r.Item.Data) > maxData || !json.Valid(r.Item.Data) || !utf8.Valid(r.Item.Data) {
			return fmt.Errorf("request a job for %s: its item's data are not JSON of at most %d KiB", r.Subject, maxData>>10)
		}
	}
	return nil
}

// checkName refuses what a store's text cannot hold, or should not.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxName:
		return fmt.Errorf("has more than %d bytes", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("has a control character or is not UTF-8")
	}
	return nil
}

// Tick requests jobs if the tick of that key that was recorded last is before
// at, and records at. Of all that call it for the same at, one does so.
func (q *Queue) Tick(ctx context.Context, key string, at time.Time, rs ...Request) (ticked bool, err error) {
	if err := checkName(key); err != nil {
		return false, fmt.Errorf("tick: its key %w", err)
	}
	if err := checkRequests(rs); err != nil {
		return false, err
	}
	err = q.transact(ctx, func(t tx) error {
		n, err := t.exec(ctx, `INSERT INTO odyssey_tick (key, at) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET at = EXCLUDED.at WHERE odyssey_tick.at < EXCLUDED.at`, key, at.UnixNano())
		if ticked = n == 1; err != nil || !ticked {
			return err
		}
		return q.request(ctx, t, requests(rs, false))
	})
	return ticked && err == nil, err
}

// LastTick returns the tick of that key that was recorded last; the zero time
// when there was none.
func (q *Queue) LastTick(ctx context.Context, key string) (time.Time, error) {
	var at int64
	found, err := one(ctx, q.store.reader(), []any{&at}, `SELECT at FROM odyssey_tick WHERE key = $1`, key)
	if err != nil || !found {
		return time.Time{}, q.store.failure(err)
	}
	return time.Unix(0, at).UTC(), nil
}

// SetBackTick records a tick of an earlier time, unless another than from has
// been recorded meanwhile.
func (q *Queue) SetBackTick(ctx context.Context, key string, from, to time.Time) error {
	return q.transact(ctx, func(t tx) error {
		_, err := t.exec(ctx, `UPDATE odyssey_tick SET at = $1 WHERE key = $2 AND at = $3`, to.UnixNano(), key, from.UnixNano())
		return err
	})
}
