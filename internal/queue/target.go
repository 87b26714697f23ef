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
	job                       int64
	token, note               string
}

// lock reads a target for changing it; nobody else can until the transaction
// ends. A target that is missing is made.
func lock(ctx context.Context, t tx, subject, kind string) (*target, error) {
	g := &target{subject: subject, kind: kind}
	_, err := one(ctx, t, []any{&g.wanted, &g.taken, &g.done, &g.dead, &g.job, &g.token, &g.note},
		`INSERT INTO odyssey_target (subject, kind, wanted_generation) VALUES ($1, $2, 0)
		ON CONFLICT (subject, kind) DO UPDATE SET kind = EXCLUDED.kind
		RETURNING wanted_generation, taken_generation, done_generation, dead_generation, job, token, note`, subject, kind)
	return g, err
}

// save writes back a target that lock has read.
func (g *target) save(ctx context.Context, t tx) error {
	_, err := t.exec(ctx, `UPDATE odyssey_target SET wanted_generation = $1, taken_generation = $2,
		done_generation = $3, dead_generation = $4, job = $5, token = $6, note = $7 WHERE subject = $8 AND kind = $9`,
		g.wanted, g.taken, g.done, g.dead, g.job, g.token, g.note, g.subject, g.kind)
	return err
}

// request raises the generations of what is requested and inserts the jobs
// that are not there yet.
func (q *Queue) request(ctx context.Context, t tx, rs []*request) error {
	slices.SortStableFunc(rs, func(a, b *request) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Kind, b.Kind))
	})
	var jobs []river.InsertManyParams
	for len(rs) > 0 {
		first := rs[0]
		n := slices.IndexFunc(rs, func(r *request) bool { return r.Subject != first.Subject || r.Kind != first.Kind })
		if n < 0 {
			n = len(rs)
		}
		job, err := q.raise(ctx, t, rs[:n])
		if err != nil {
			return err
		}
		if job != nil {
			jobs = append(jobs, *job)
		}
		rs = rs[n:]
	}
	return insert(ctx, t, jobs)
}

// raise does so for the requests of one target. It returns the job that is to
// be inserted, if any.
func (q *Queue) raise(ctx context.Context, t tx, rs []*request) (*river.InsertManyParams, error) {
	subject, kind := rs[0].Subject, rs[0].Kind
	var wanted, job int64
	if _, err := one(ctx, t, []any{&wanted, &job}, `INSERT INTO odyssey_target (subject, kind, wanted_generation) VALUES ($1, $2, $3)
		ON CONFLICT (subject, kind) DO UPDATE SET wanted_generation = odyssey_target.wanted_generation + EXCLUDED.wanted_generation
		RETURNING wanted_generation, job`, subject, kind, len(rs)); err != nil {
		return nil, err
	}
	base, wait, effective := wanted-int64(len(rs)), time.Duration(-1), false
	for i, r := range rs {
		generation := base + int64(i) + 1
		if r.Item != nil {
			fresh, err := q.addItem(ctx, t, r, generation)
			if err != nil {
				return nil, err
			}
			if !fresh {
				continue
			}
		}
		r.generation, effective = generation, true
		if wait < 0 || r.Delay < wait {
			wait = max(r.Delay, 0)
		}
	}
	if !effective {
		_, err := t.exec(ctx, `UPDATE odyssey_target SET wanted_generation = $1 WHERE subject = $2 AND kind = $3`, base, subject, kind)
		return nil, err
	}
	if job != 0 {
		if active, err := q.join(ctx, t, job, wait); err != nil || active {
			return nil, err
		}
	}
	p := q.newJob(subject, kind, wait)
	return &p, nil
}

// addItem stores a request's item unless it is known.
func (q *Queue) addItem(ctx context.Context, t tx, r *request, generation int64) (fresh bool, err error) {
	conflict := "DO NOTHING"
	if r.revive {
		conflict = `DO UPDATE SET generation = EXCLUDED.generation, state = EXCLUDED.state, job = 0, at = EXCLUDED.at, data = EXCLUDED.data
			WHERE odyssey_item.state = '` + itemDead + `'`
	}
	n, err := t.exec(ctx, `INSERT INTO odyssey_item (subject, kind, id, generation, state, at, data) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (subject, kind, id) `+conflict,
		r.Subject, r.Kind, r.Item.ID, generation, itemWaiting, q.o.Now().UnixNano(), string(r.Item.Data))
	return n == 1, err
}

// join tells whether the target's job will run or runs, and has it run sooner
// if it only waits for more of the same. A job that waits because it failed,
// or because it said so, keeps its time.
func (q *Queue) join(ctx context.Context, t tx, job int64, wait time.Duration) (active bool, err error) {
	var state string
	var attempt int
	if _, err := one(ctx, t, []any{&state, &attempt}, `SELECT CAST(state AS text), attempt FROM river_job WHERE id = $1`, job); err != nil {
		return false, err
	}
	switch rivertype.JobState(state) {
	case rivertype.JobStateScheduled:
		if attempt > 0 {
			return true, nil
		}
		at := q.phrases.ahead
		_, err := t.exec(ctx, `UPDATE river_job SET scheduled_at = `+at+`, state = CASE WHEN $1 = 0 THEN 'available' ELSE state END
			WHERE id = $2 AND scheduled_at > `+at+` AND metadata ->> 'snoozes' IS NULL`, wait.Milliseconds(), job)
		return true, err
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning:
		return true, nil
	}
	return false, nil
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
func insert(ctx context.Context, t tx, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	res, err := t.insert(ctx, jobs)
	if err != nil {
		return err
	}
	for i, r := range res {
		a, ok := jobs[i].Args.(args)
		if !ok {
			continue
		}
		if _, err := t.exec(ctx, `UPDATE odyssey_target SET job = $1 WHERE subject = $2 AND kind = $3`, r.Job.ID, a.Subject, a.What); err != nil {
			return err
		}
	}
	return nil
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
	g.job, g.token, g.note = 0, "", ""
	follow := g.wanted > g.taken
	if err := g.save(ctx, t); err != nil || !follow {
		return err
	}
	return insert(ctx, t, []river.InsertManyParams{q.newJob(g.subject, g.kind, 0)})
}
