package queue

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Item states. An item that waits is taken by the next run.
const (
	itemWaiting   = "waiting"
	itemDone      = "done"
	itemDead      = "dead"      // with the job of its row
	itemCancelled = "cancelled" // with the job of its row
)

// args are what River knows of a job.
type args struct {
	Subject string `json:"subject"`
	What    string `json:"kind"` // Kind is River's word, and means the type
}

// Kind implements river.JobArgs.
func (args) Kind() string { return "odyssey" }

// request is a Request on its way into the store.
type request struct {
	Request
	revive     bool  // take an item again whose job ended dead
	generation int64 // that it made; 0 when the item was known
}

func requests(rs []Request, revive bool) []*request {
	out := make([]*request, len(rs))
	for i, r := range rs {
		out[i] = &request{Request: r, revive: revive}
	}
	return out
}

// target is a row of odyssey_target.
type target struct {
	subject, kind             string
	wanted, taken, done, dead int64
	job, waiting              int64
	token, note               string
}

// lock reads a target for changing it; nobody else can until the transaction
// ends. A target that is missing is made.
func lock(ctx context.Context, t tx, subject, kind string) (*target, error) {
	g := &target{subject: subject, kind: kind}
	_, err := one(ctx, t, []any{&g.wanted, &g.taken, &g.done, &g.dead, &g.job, &g.waiting, &g.token, &g.note},
		`INSERT INTO odyssey_target (subject, kind, wanted_generation) VALUES ($1, $2, 0)
		ON CONFLICT (subject, kind) DO UPDATE SET kind = EXCLUDED.kind
		RETURNING wanted_generation, taken_generation, done_generation, dead_generation, job, waiting, token, note`, subject, kind)
	return g, err
}

// save writes back a target that lock has read.
func (g *target) save(ctx context.Context, t tx) error {
	_, err := t.exec(ctx, `UPDATE odyssey_target SET wanted_generation = $1, taken_generation = $2,
		done_generation = $3, dead_generation = $4, job = $5, waiting = $6, token = $7, note = $8 WHERE subject = $9 AND kind = $10`,
		g.wanted, g.taken, g.done, g.dead, g.job, g.waiting, g.token, g.note, g.subject, g.kind)
	return err
}

// wish is what a transaction requests of one target.
type wish struct {
	requests []*request
	wanted   int64 // generation of the last of them
	job      int64
	wait     time.Duration // until the first of those that count is due
	counts   bool          // some are not for items that were known
}

func (w *wish) key() row { return row{Source: w.requests[0].Subject, Kind: w.requests[0].Kind} }

// request raises the generations of what is requested and inserts the jobs
// that are not there yet.
func (q *Queue) request(ctx context.Context, t tx, rs []*request) error {
	if len(rs) == 0 {
		return nil
	}
	wishes := wishesOf(rs)
	if err := q.raise(ctx, t, wishes); err != nil {
		return err
	}
	if err := q.addItems(ctx, t, rs); err != nil {
		return err
	}
	active, err := q.active(ctx, t, wishes)
	if err != nil {
		return err
	}
	var jobs []river.InsertManyParams
	for _, w := range wishes {
		k := w.key()
		for _, r := range w.requests {
			if r.generation != 0 && (!w.counts || r.Delay < w.wait) {
				w.counts, w.wait = true, max(r.Delay, 0)
			}
		}
		if !w.counts {
			if _, err := t.exec(ctx, `UPDATE odyssey_target SET wanted_generation = $1 WHERE subject = $2 AND kind = $3`,
				w.wanted-int64(len(w.requests)), k.Source, k.Kind); err != nil {
				return err
			}
			continue
		}
		state, ok := active[w.job]
		if !ok {
			jobs = append(jobs, q.newJob(k.Source, k.Kind, w.wait))
		} else if err := q.join(ctx, t, w, state); err != nil {
			return err
		}
	}
	return q.insert(ctx, t, jobs)
}

// wishesOf groups requests by target, in the order in which all processes take
// the targets' rows.
func wishesOf(rs []*request) (wishes []*wish) {
	slices.SortStableFunc(rs, func(a, b *request) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Kind, b.Kind))
	})
	for _, r := range rs {
		if n := len(wishes); n > 0 && wishes[n-1].key() == (row{Source: r.Subject, Kind: r.Kind}) {
			wishes[n-1].requests = append(wishes[n-1].requests, r)
		} else {
			wishes = append(wishes, &wish{requests: []*request{r}})
		}
	}
	return wishes
}

// raise gives every request its generation.
func (q *Queue) raise(ctx context.Context, t tx, wishes []*wish) error {
	rows := make([]row, len(wishes))
	by := map[row]*wish{}
	for i, w := range wishes {
		by[w.key()] = w
		rows[i] = w.key()
		rows[i].Number = int64(len(w.requests))
	}
	text, err := list(rows)
	if err != nil {
		return err
	}
	err = t.each(ctx, func(scan func(...any) error) error {
		var (
			k           row
			wanted, job int64
		)
		if err := scan(&k.Source, &k.Kind, &wanted, &job); err != nil {
			return err
		}
		if w := by[k]; w != nil {
			w.wanted, w.job = wanted, job
		}
		return nil
	}, `INSERT INTO odyssey_target (subject, kind, wanted_generation)
		SELECT value ->> 's', value ->> 'k', CAST(value ->> 'n' AS bigint) FROM `+q.phrases.rows+` WHERE true
		ON CONFLICT (subject, kind) DO UPDATE SET wanted_generation = odyssey_target.wanted_generation + EXCLUDED.wanted_generation
		RETURNING subject, kind, wanted_generation, job`, text)
	for _, w := range wishes {
		for i, r := range w.requests {
			r.generation = w.wanted - int64(len(w.requests)-1-i)
		}
	}
	return err
}

// addItems stores the items of requests. Those of items that are known lose
// their generation: they cause nothing.
func (q *Queue) addItems(ctx context.Context, t tx, rs []*request) error {
	for _, revive := range []bool{true, false} {
		var rows []row
		by := map[row]*request{}
		for _, r := range rs {
			if r.Item == nil || r.revive != revive {
				continue
			}
			k := row{Source: r.Subject, Kind: r.Kind, ID: r.Item.ID}
			if by[k] == nil {
				by[k] = r
				rows = append(rows, row{Source: r.Subject, Kind: r.Kind, ID: r.Item.ID, Number: r.generation, Text: string(r.Item.Data)})
			} else {
				r.generation = 0 // twice in this transaction
			}
		}
		if len(rows) == 0 {
			continue
		}
		if err := q.addItemRows(ctx, t, rows, revive, func(k row) { delete(by, k) }); err != nil {
			return err
		}
		for _, r := range by {
			r.generation = 0
		}
	}
	return nil
}

// addItemRows calls added for each item that is new, or comes back to life.
func (q *Queue) addItemRows(ctx context.Context, t tx, rows []row, revive bool, added func(row)) error {
	conflict := "DO NOTHING"
	if revive {
		conflict = `DO UPDATE SET generation = EXCLUDED.generation, state = EXCLUDED.state, job = 0, at = EXCLUDED.at, data = EXCLUDED.data
			WHERE odyssey_item.state = '` + itemDead + `'`
	}
	text, err := list(rows)
	if err != nil {
		return err
	}
	return t.each(ctx, func(scan func(...any) error) error {
		var k row
		if err := scan(&k.Source, &k.Kind, &k.ID); err != nil {
			return err
		}
		added(k)
		return nil
	}, `INSERT INTO odyssey_item (subject, kind, id, generation, state, at, data)
		SELECT value ->> 's', value ->> 'k', value ->> 'i', CAST(value ->> 'n' AS bigint), '`+itemWaiting+`', CAST($2 AS bigint), value ->> 't'
		FROM `+q.phrases.rows+` WHERE true
		ON CONFLICT (subject, kind, id) `+conflict+` RETURNING subject, kind, id`, text, q.o.Now().UnixNano())
}

// active returns those of the targets' jobs that run or will run, with their
// states. Which job a target has is only looked up, never believed: a target
// that believed in a job that is gone would never have another.
func (q *Queue) active(ctx context.Context, t tx, wishes []*wish) (map[int64]rivertype.JobState, error) {
	var rows []row
	for _, w := range wishes {
		if w.job != 0 {
			rows = append(rows, row{Number: w.job})
		}
	}
	states := map[int64]rivertype.JobState{}
	if len(rows) == 0 {
		return states, nil
	}
	text, err := list(rows)
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, func(scan func(...any) error) error {
		var (
			id    int64
			state string
		)
		if err := scan(&id, &state); err != nil {
			return err
		}
		states[id] = rivertype.JobState(state)
		return nil
	}, `SELECT id, CAST(state AS text) FROM river_job WHERE id IN (SELECT CAST(value ->> 'n' AS bigint) FROM `+q.phrases.rows+`)
		AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')`, text)
	return states, err
}

// join has a job that only waits for more of the same run sooner, if that is
// wished. One that waits because it failed, or said so, keeps its time.
func (q *Queue) join(ctx context.Context, t tx, w *wish, state rivertype.JobState) error {
	if state != rivertype.JobStateScheduled {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE river_job SET scheduled_at = `+q.phrases.ahead+`, state = CASE WHEN $1 = 0 THEN 'available' ELSE state END
		WHERE id = $2 AND scheduled_at > `+q.phrases.ahead+` AND attempt = 0 AND metadata ->> 'snoozes' IS NULL`, w.wait.Milliseconds(), w.job)
	return err
}

// newJob is a job to insert. River lets there be one that is not over for the
// same arguments.
func (q *Queue) newJob(subject, kind string, wait time.Duration) river.InsertManyParams {
	opts := &river.InsertOpts{
		MaxAttempts: q.o.Attempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
	if wait > 0 {
		opts.ScheduledAt = time.Now().Add(wait)
	}
	return river.InsertManyParams{Args: args{subject, kind}, InsertOpts: opts}
}

// insert inserts jobs and notes them as their targets'.
func (q *Queue) insert(ctx context.Context, t tx, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	res, err := t.insert(ctx, jobs)
	if err != nil {
		return err
	}
	rows := make([]row, len(res))
	for i, r := range res {
		a, err := argsOf(r.Job)
		if err != nil {
			return err
		}
		rows[i] = row{Source: a.Subject, Kind: a.What, Number: r.Job.ID}
	}
	text, err := list(rows)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE odyssey_target SET job = v.n
		FROM (SELECT value ->> 's' AS s, value ->> 'k' AS k, CAST(value ->> 'n' AS bigint) AS n FROM `+q.phrases.rows+`) AS v
		WHERE subject = v.s AND kind = v.k`, text)
	return err
}

// closed is what becomes of a target when its job is over, as done, dead or
// cancelled: the items that the run took, or all if none began, go with it,
// and what was requested meanwhile gets a job.
func (q *Queue) closed(ctx context.Context, t tx, g *target, job int64, state string) error {
	if g.token == "" {
		g.taken = g.wanted
	}
	switch state {
	case itemDone:
		g.done, job = g.taken, 0
	case itemDead:
		g.dead = g.taken
	}
	if _, err := t.exec(ctx, `UPDATE odyssey_item SET state = $1, job = $2, at = $3, data = CASE WHEN $1 = '`+itemDone+`' THEN '' ELSE data END
		WHERE subject = $4 AND kind = $5 AND state = '`+itemWaiting+`' AND generation <= $6`,
		state, job, q.o.Now().UnixNano(), g.subject, g.kind, g.taken); err != nil {
		return err
	}
	g.job, g.waiting, g.token, g.note = 0, 0, "", ""
	follow := g.wanted > g.taken
	if err := g.save(ctx, t); err != nil || !follow {
		return err
	}
	return q.insert(ctx, t, []river.InsertManyParams{q.newJob(g.subject, g.kind, 0)})
}
