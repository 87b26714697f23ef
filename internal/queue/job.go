package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// states are River's states of ours.
func states(state string) []rivertype.JobState {
	switch state {
	case Waiting:
		return []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateScheduled}
	case Retrying:
		return []rivertype.JobState{rivertype.JobStateRetryable}
	case Running:
		return []rivertype.JobState{rivertype.JobStateRunning}
	case Done:
		return []rivertype.JobState{rivertype.JobStateCompleted}
	case Dead:
		return []rivertype.JobState{rivertype.JobStateDiscarded}
	case Cancelled:
		return []rivertype.JobState{rivertype.JobStateCancelled}
	}
	return nil
}

// stateOf is the name of one of River's states.
func stateOf(state rivertype.JobState) string {
	switch state {
	case rivertype.JobStateRetryable:
		return Retrying
	case rivertype.JobStateRunning:
		return Running
	case rivertype.JobStateCompleted:
		return Done
	case rivertype.JobStateDiscarded:
		return Dead
	case rivertype.JobStateCancelled:
		return Cancelled
	}
	return Waiting
}

// Jobs returns the jobs that the filter chooses, the newest first.
func (q *Queue) Jobs(ctx context.Context, f Filter) ([]Info, error) {
	p := river.NewJobListParams().First(min(cmp.Or(max(f.Limit, 0), defaultLimit), maxLimit)).
		OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	var in []rivertype.JobState
	for _, s := range f.States {
		rs := states(s)
		if rs == nil {
			return nil, fmt.Errorf("there is no state %q; there are %s, %s, %s, %s, %s and %s", s, Waiting, Retrying, Running, Done, Dead, Cancelled)
		}
		in = append(in, rs...)
	}
	if in != nil {
		p = p.States(in...)
	}
	if f.Subject != "" {
		p = p.Where("args ->> 'subject' = @subject", river.NamedArgs{"subject": f.Subject})
	}
	if f.Kind != "" {
		p = p.Where("args ->> 'kind' = @kind", river.NamedArgs{"kind": f.Kind})
	}
	rows, err := q.store.list(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", q.store.failure(err))
	}
	notes, err := q.notes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", q.store.failure(err))
	}
	infos := make([]Info, 0, len(rows))
	for _, row := range rows {
		a, err := argsOf(row)
		if err != nil {
			return nil, err
		}
		i := Info{
			ID: row.ID, Subject: a.Subject, Kind: a.What, State: stateOf(row.State), Attempt: row.Attempt,
			Error: notes[row.ID], Created: row.CreatedAt, Scheduled: row.ScheduledAt, Finished: row.FinalizedAt,
		}
		if n := len(row.Errors); n > 0 && i.Error == "" {
			i.Error = errorText(row.Errors[n-1].Error)
		}
		infos = append(infos, i)
	}
	return infos, nil
}

// notes are the last words of the jobs that are not over: River keeps none of
// an attempt that does not count.
func (q *Queue) notes(ctx context.Context) (map[int64]string, error) {
	notes := map[int64]string{}
	err := q.store.reader().each(ctx, func(scan func(...any) error) error {
		var (
			id   int64
			note string
		)
		if err := scan(&id, &note); err != nil {
			return err
		}
		notes[id] = note
		return nil
	}, `SELECT job, note FROM odyssey_target WHERE job <> 0 AND note <> ''`)
	return notes, err
}

func argsOf(row *rivertype.JobRow) (a args, err error) {
	if err := json.Unmarshal(row.EncodedArgs, &a); err != nil || a.Subject == "" || a.What == "" {
		return a, fmt.Errorf("job %d is none of ours: it has no subject and kind", row.ID)
	}
	return a, nil
}

// cancelAsked tells whether somebody cancelled the job while it ran.
func cancelAsked(row *rivertype.JobRow) bool {
	var m struct {
		At any `json:"cancel_attempted_at"`
	}
	return json.Unmarshal(row.Metadata, &m) == nil && m.At != nil
}

// Retry has a dead or cancelled job run again, with the items that it had and
// all its attempts, under a number of its own; one that waits runs at once.
// When another job waits or runs for the same subject and kind, that one does
// it. It returns the number of the job that does it.
func (q *Queue) Retry(ctx context.Context, id int64) (by int64, err error) {
	err = q.onJob(ctx, id, func(t tx, g *target, row *rivertype.JobRow) error {
		switch stateOf(row.State) {
		case Running:
			return errors.New("it runs")
		case Done:
			return errors.New("it is done")
		case Waiting, Retrying:
			by = id
			_, err := t.retry(ctx, id)
			return err
		}
		// Each gets a generation of its own: a run takes up to one, see maxItems.
		n, err := t.exec(ctx, `UPDATE odyssey_item SET state = '`+itemWaiting+`', job = 0, generation = $1 + v.n
			FROM (SELECT id AS i, ROW_NUMBER() OVER (ORDER BY generation, id) AS n FROM odyssey_item
				WHERE subject = $2 AND kind = $3 AND job = $4 AND state IN ('`+itemDead+`', '`+itemCancelled+`')) AS v
			WHERE subject = $2 AND kind = $3 AND id = v.i`,
			g.wanted, g.subject, g.kind, id)
		if err != nil {
			return err
		}
		g.wanted += max(n, 1)
		if by = g.job; by != 0 {
			if err := g.save(ctx, t); err != nil {
				return err
			}
			_, err := t.exec(ctx, `DELETE FROM river_job WHERE id = $1`, id)
			return err
		}
		if by, err = q.renumber(ctx, t, id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE river_job SET attempt = 0, max_attempts = $1 WHERE id = $2`, q.o.Attempts, by); err != nil {
			return err
		}
		if _, err := t.retry(ctx, by); err != nil {
			return err
		}
		g.job, g.note = by, ""
		return g.save(ctx, t)
	})
	if err != nil {
		return 0, fmt.Errorf("retry job %d: %w", id, err)
	}
	return by, nil
}

// Cancel ends a job that waits, with the items that it has, and asks one that
// runs to stop.
func (q *Queue) Cancel(ctx context.Context, id int64) error {
	err := q.onJob(ctx, id, func(t tx, g *target, row *rivertype.JobRow) error {
		switch stateOf(row.State) {
		case Done, Dead, Cancelled:
			return errors.New("it is over: " + stateOf(row.State))
		}
		now, err := t.cancel(ctx, id)
		if err != nil || now.State == rivertype.JobStateRunning {
			return err
		}
		return q.closed(ctx, t, g, id, itemCancelled)
	})
	if err != nil {
		return fmt.Errorf("cancel job %d: %w", id, err)
	}
	return nil
}

// onJob runs fn with a job and its target, which is locked.
func (q *Queue) onJob(ctx context.Context, id int64, fn func(t tx, g *target, row *rivertype.JobRow) error) error {
	return q.transact(ctx, func(t tx) error {
		row, err := t.job(ctx, id)
		if err != nil {
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
		if row, err = t.job(ctx, id); err != nil {
			return err
		}
		return fn(t, g, row)
	})
}

// Stats counts the jobs by kind and state, those that are done left out.
func (q *Queue) Stats(ctx context.Context) ([]Stat, error) {
	var stats []Stat
	counts := map[Stat]int{}
	err := q.store.reader().each(ctx, func(scan func(...any) error) error {
		var (
			s     Stat
			n     int
			state string
		)
		if err := scan(&s.Kind, &state, &n); err != nil {
			return err
		}
		s.State = stateOf(rivertype.JobState(state))
		if _, ok := counts[s]; !ok {
			stats = append(stats, s)
		}
		counts[s] += n
		return nil
	}, `SELECT args ->> 'kind', CAST(state AS text), COUNT(*) FROM river_job
		WHERE state IN ('available', 'cancelled', 'discarded', 'pending', 'retryable', 'running', 'scheduled') GROUP BY 1, 2 ORDER BY 1, 2`)
	for i := range stats {
		stats[i].Count = counts[stats[i]]
	}
	return stats, q.store.failure(err)
}
