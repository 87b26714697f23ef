package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	// orphanAge is how long a job may be marked as this process's without being
	// at work in it: River writes the ends of jobs a little later.
	orphanAge  = time.Minute
	cleanEvery = time.Hour
	cleanBatch = 1000 // rows at a time, so that nobody waits for long
)

// tend looks after the store until ctx ends: it says that this process lives,
// puts back what dead or halted ones were at, and forgets what is old.
func (q *Queue) tend(ctx context.Context, id string) {
	tick := time.NewTicker(max(q.o.Lease/3, time.Millisecond))
	defer tick.Stop()
	var cleaned time.Time
	for {
		err := q.beat(ctx, id)
		if err == nil {
			err = q.rescue(ctx, id)
		}
		if err == nil {
			err = q.mend(ctx)
		}
		if err == nil && time.Since(cleaned) > cleanEvery {
			cleaned = time.Now()
			err = q.clean(ctx)
		}
		if err != nil && ctx.Err() == nil {
			q.log.WarnContext(ctx, "queue could not be looked after; it is tried again", "err", q.store.failure(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// beat says that the process lives. When it was silent for so long that others
// may have taken over its jobs, those that they took are stopped.
func (q *Queue) beat(ctx context.Context, id string) error {
	if !q.phrases.shared {
		return nil
	}
	n, err := q.store.reader().exec(ctx, `UPDATE odyssey_process SET beat = now()
		WHERE id = $2 AND beat > `+q.phrases.ago, q.o.Lease.Milliseconds(), id)
	if err != nil || n == 1 {
		return err
	}
	if _, err := q.store.reader().exec(ctx, `INSERT INTO odyssey_process (id, beat) VALUES ($1, now())
		ON CONFLICT (id) DO UPDATE SET beat = EXCLUDED.beat`, id); err != nil {
		return err
	}
	q.mu.Lock()
	var active []*run
	for _, r := range q.runs {
		if r.ended.IsZero() {
			active = append(active, r)
		}
	}
	q.mu.Unlock()
	for _, r := range active {
		if err := q.fence(ctx, r); errors.Is(err, ErrFenced) {
			r.cancel(ErrFenced)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// leave says that the process lives no more.
func (q *Queue) leave(ctx context.Context, id string) error {
	if !q.phrases.shared {
		return nil
	}
	_, err := q.store.reader().exec(ctx, `DELETE FROM odyssey_process WHERE id = $1`, id)
	return q.store.failure(err)
}

// rescue puts back jobs that are marked as running and are not: their process
// is silent, or they are in this process and unknown to it, or they are far
// beyond their time. They get another number, so that nothing counts that the
// former process, when it continues, says of the old one. One that this process
// cannot end is left: each attempt more would take one more of its workers.
func (q *Queue) rescue(ctx context.Context, id string) error {
	overdue := (q.o.JobTimeout + 2*q.o.Lease).Milliseconds()
	lost := "attempted_at < " + q.phrases.ago
	if q.phrases.shared {
		lost += ` OR NOT EXISTS (SELECT 1 FROM odyssey_process p WHERE p.id = ` + q.phrases.lastBy + `
			AND p.beat > now() - CAST($2 AS bigint) * interval '1 millisecond')`
	} else {
		lost += ` OR $2 < 0`
	}
	ids, err := q.ids(ctx, `SELECT id FROM river_job WHERE state = 'running' AND (`+lost+`)`, overdue, q.o.Lease.Milliseconds())
	if err != nil {
		return err
	}
	own, err := q.ids(ctx, `SELECT id FROM river_job WHERE state = 'running' AND attempted_at < `+q.phrases.ago+`
		AND `+q.phrases.lastBy+` = $2`, orphanAge.Milliseconds(), id)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(append(ids, q.orphans(own)...), func(job int64) bool { return q.stuck(ctx, job) })
	for _, job := range ids {
		if err := q.putBack(ctx, job, true); err != nil {
			return err
		}
	}
	return nil
}

// stuck reports whether a job is at work here, and complains once.
func (q *Queue) stuck(ctx context.Context, job int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.runs[job]
	if r == nil || !r.ended.IsZero() {
		return false
	}
	if !r.stuck {
		r.stuck = true
		q.log.ErrorContext(ctx, "job does not end although its time is over; only a restart ends it", "job", r.id, "kind", r.kind, "subject", r.subject)
	}
	return true
}

// orphans chooses the jobs that are not at work here, and forgets those that
// ended long ago.
func (q *Queue) orphans(own []int64) (out []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range own {
		if r := q.runs[id]; r == nil || !r.ended.IsZero() && time.Since(r.ended) > orphanAge {
			out = append(out, id)
		}
	}
	for id, r := range q.runs {
		if !r.ended.IsZero() && time.Since(r.ended) > 2*orphanAge {
			delete(q.runs, id)
		}
	}
	return out
}

// requeueAll puts back everything that is marked as running.
func (q *Queue) requeueAll(ctx context.Context) error {
	ids, err := q.ids(ctx, `SELECT id FROM river_job WHERE state = 'running'`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := q.putBack(ctx, id, false); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) ids(ctx context.Context, sql string, args ...any) (ids []int64, err error) {
	err = q.store.reader().each(ctx, func(scan func(...any) error) error {
		var id int64
		if err := scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	}, sql, args...)
	return ids, err
}

const interrupted = "the process that ran it ended or was halted"

// putBack ends an attempt in place of its process. The attempt counts, so that
// a job that kills its process is dead some day.
func (q *Queue) putBack(ctx context.Context, id int64, renumber bool) error {
	return q.transact(ctx, func(t tx) error {
		row, err := t.job(ctx, id)
		if errors.Is(err, ErrNoJob) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := argsOf(row)
		if err != nil {
			return err
		}
		g, err := lock(ctx, t, a.Subject, a.What)
		if err != nil {
			return err
		}
		if row, err = t.job(ctx, id); errors.Is(err, ErrNoJob) || err == nil && row.State != rivertype.JobStateRunning {
			return nil // somebody was faster
		} else if err != nil {
			return err
		}
		began := time.Now()
		if row.AttemptedAt != nil {
			began = *row.AttemptedAt
		}
		text := attemptError(began, row.Attempt, interrupted)
		state := ""
		switch {
		case cancelAsked(row):
			state = itemCancelled
		case row.Attempt >= row.MaxAttempts:
			state = itemDead
		}
		q.log.WarnContext(ctx, "job was interrupted", "job", id, "kind", a.What, "subject", a.Subject, "attempt", row.Attempt)
		if state != "" {
			if err := finish(ctx, t, id, state, text); err != nil {
				return err
			}
			return q.closed(ctx, t, g, id, state)
		}
		return q.putBackRow(ctx, t, g, id, text, renumber)
	})
}

func (q *Queue) putBackRow(ctx context.Context, t tx, g *target, id int64, text []byte, renumber bool) error {
	if err := t.release(ctx, id, text, time.Now()); err != nil {
		return err
	}
	if renumber {
		var err error
		if id, err = q.renumber(ctx, t, id); err != nil {
			return err
		}
	}
	g.job, g.token, g.note = id, "", interrupted
	return g.save(ctx, t)
}

// renumber gives a job a number that no job had: what River or a former process
// still writes of the old one does not reach it.
func (q *Queue) renumber(ctx context.Context, t tx, id int64) (number int64, err error) {
	last := len(q.phrases.nextID) - 1
	for _, sql := range q.phrases.nextID[:last] {
		if _, err := t.exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	_, err = one(ctx, t, []any{&number}, q.phrases.nextID[last], id)
	return number, err
}

// mend closes targets whose job came to its end without us: River does that
// with a row that it cannot read, or one that was cancelled at its very end.
// One that is completed without a record of it was not: it is wanted still.
func (q *Queue) mend(ctx context.Context) error {
	ids, err := q.ids(ctx, `SELECT t.job FROM odyssey_target t LEFT JOIN river_job j ON j.id = t.job
		WHERE t.job <> 0 AND (j.id IS NULL OR j.state IN ('cancelled', 'completed', 'discarded'))`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := q.transact(ctx, func(t tx) error { return q.mendOne(ctx, t, id) }); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) mendOne(ctx context.Context, t tx, id int64) error {
	var subject, kind string
	found, err := one(ctx, t, []any{&subject, &kind}, `SELECT subject, kind FROM odyssey_target WHERE job = $1`, id)
	if err != nil || !found {
		return err
	}
	g, err := lock(ctx, t, subject, kind)
	if err != nil || g.job != id {
		return err
	}
	row, err := t.job(ctx, id)
	switch {
	case errors.Is(err, ErrNoJob), err == nil && row.State == rivertype.JobStateCompleted:
		g.job, g.token = 0, ""
		if err := g.save(ctx, t); err != nil {
			return err
		}
		return q.insert(ctx, t, []river.InsertManyParams{q.newJob(subject, kind, 0)})
	case err != nil:
		return err
	case row.State == rivertype.JobStateDiscarded:
		return q.closed(ctx, t, g, id, itemDead)
	case row.State == rivertype.JobStateCancelled:
		return q.closed(ctx, t, g, id, itemCancelled)
	}
	return nil // it is active, after all
}

// clean forgets the deliveries and items that are older than Keep.
func (q *Queue) clean(ctx context.Context) error {
	before := q.o.Now().Add(-q.o.Keep).UnixNano()
	for _, sql := range []string{
		`DELETE FROM odyssey_delivery WHERE (source, id) IN (SELECT source, id FROM odyssey_delivery WHERE at < $1 LIMIT $2)`,
		`DELETE FROM odyssey_item WHERE (subject, kind, id) IN
			(SELECT subject, kind, id FROM odyssey_item WHERE at < $1 AND state <> '` + itemWaiting + `' LIMIT $2)`,
	} {
		for {
			var n int64
			if err := q.transact(ctx, func(t tx) (err error) {
				n, err = t.exec(ctx, sql, before, cleanBatch)
				return err
			}); err != nil {
				return err
			}
			if n < cleanBatch {
				break
			}
		}
	}
	if !q.phrases.shared {
		return nil
	}
	_, err := q.store.reader().exec(ctx, `DELETE FROM odyssey_process WHERE beat < `+q.phrases.ago, q.o.Keep.Milliseconds())
	return err
}
