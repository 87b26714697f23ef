package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

const (
	maxItems   = 1000 // that one run takes; the rest is for the next
	endTimeout = 30 * time.Second
	// turnPause is after which time a job looks again whether its subject is
	// free. Below River's five seconds it is not given to its scheduler.
	turnPause = time.Second
)

// errTurn says that another job of the subject runs.
var errTurn = errors.New("another job of its subject runs")

// run is an attempt of a job in this process.
type run struct {
	id            int64
	attempt       int
	subject, kind string
	token         string
	started       time.Time
	ended         time.Time // zero while it runs
	stuck         bool      // it was complained of
	cancel        context.CancelCauseFunc
}

// worker hands River's jobs to a Worker.
type worker struct {
	river.WorkerDefaults[args]
	q     *Queue
	inner Worker
}

// NextRetry implements river.Worker.
func (w *worker) NextRetry(job *river.Job[args]) time.Time {
	return time.Now().Add(w.q.pause(job.Attempt))
}

// Work implements river.Worker. It records how an attempt began and ended in
// transactions of its own, in which an attempt that was given to another
// process changes nothing. What it returns to River only matters for the
// attempts that are followed by another.
func (w *worker) Work(ctx context.Context, rj *river.Job[args]) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{
		id: rj.ID, attempt: rj.Attempt, subject: rj.Args.Subject, kind: rj.Args.What,
		token: rand.Text(), started: time.Now(), cancel: cancel,
	}
	w.q.add(r)
	defer w.q.ended(r)

	job, err := w.q.beginRun(ctx, r)
	switch {
	case errors.Is(err, ErrFenced):
		return nil
	case errors.Is(err, errTurn):
		return river.JobSnooze(jitter(turnPause))
	case err != nil:
		w.q.log.WarnContext(ctx, "job could not begin", "job", r.id, "kind", r.kind, "err", err)
		return w.stopped(ctx, errors.New("the store did not let it begin"))
	}
	return w.conclude(ctx, r, rj, w.call(ctx, job))
}

// call calls the Worker and makes a panic an error. Only what the runtime
// itself says of a panic is shown: anything else may hold what is secret.
func (w *worker) call(ctx context.Context, job Job) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		text := fmt.Sprintf("a %T", p)
		if e, ok := p.(runtime.Error); ok {
			text = e.Error()
		}
		w.q.log.ErrorContext(ctx, "job panicked", "job", job.ID, "kind", job.Kind, "err", text, "stack", stack())
		err = errors.New("the job panicked: " + text)
	}()
	return w.inner.Work(ctx, job)
}

// stack is where a panic came from: the head of the stack, which is enough.
func stack() string {
	const most = 4 << 10
	s := debug.Stack()
	return string(s[:min(len(s), most)])
}

// conclude records how an attempt ended and tells River what is to follow.
func (w *worker) conclude(ctx context.Context, r *run, rj *river.Job[args], err error) error {
	state := itemDone
	var (
		wait *later
		park *parked
	)
	switch {
	case err == nil:
	case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely):
		state = itemCancelled
	case halted(ctx):
		state = ""
	case errors.As(err, &wait):
		state = ""
	case errors.As(err, &park), rj.Attempt >= rj.MaxAttempts:
		state = itemDead
	default:
		state = ""
	}
	text := ""
	if err != nil {
		text = errorText(err.Error())
		w.q.log.DebugContext(ctx, "attempt without success", "job", r.id, "kind", r.kind, "subject", r.subject,
			"attempt", r.attempt, "dead", state == itemDead, "err", text)
	}
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	ended, endErr := w.q.endRun(endCtx, r, state, text)
	switch {
	case errors.Is(endErr, ErrFenced):
		w.q.log.WarnContext(ctx, "job was given to another process meanwhile; its end does not count", "job", r.id, "kind", r.kind)
		return nil // its row is no longer under this number
	case endErr != nil:
		w.q.log.ErrorContext(ctx, "end of a job could not be recorded; it runs again", "job", r.id, "kind", r.kind, "err", endErr)
		return w.stopped(ctx, errors.New("its end could not be recorded"))
	case ended || err == nil:
		return nil
	case wait != nil && !halted(ctx):
		return river.JobSnooze(wait.after)
	}
	return w.stopped(ctx, errors.New(text))
}

// halted tells whether the process is to stop, and the job with it.
func halted(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled) &&
		!errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely) && !errors.Is(context.Cause(ctx), ErrFenced)
}

// stopped is the error for River: one that it takes for the process's stop,
// which counts no attempt, or err.
func (*worker) stopped(ctx context.Context, err error) error {
	if halted(ctx) {
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// beginRun makes r the attempt that counts and reads its items. It is not its
// turn, errTurn, while a job of another kind works on the same subject, in
// whichever process.
func (q *Queue) beginRun(ctx context.Context, r *run) (Job, error) {
	job := Job{ID: r.id, Subject: r.subject, Kind: r.kind, Attempt: r.attempt}
	job.Fence = func(ctx context.Context) error { return q.fence(ctx, r) }
	turn := false
	err := q.transact(ctx, func(t tx) error {
		job.Items = nil
		if q.phrases.turn != "" {
			if _, err := t.exec(ctx, q.phrases.turn, r.subject); err != nil {
				return err
			}
		}
		g, err := lock(ctx, t, r.subject, r.kind)
		if err != nil {
			return err
		}
		n := 0
		if _, err := one(ctx, t, []any{&n}, `SELECT COUNT(*) FROM river_job WHERE id = $1 AND state = 'running' AND attempt = $2`,
			r.id, r.attempt); err != nil {
			return err
		}
		if n == 0 {
			return ErrFenced
		}
		if turn, err = q.turn(ctx, t, g); err != nil {
			return err
		}
		g.job = r.id
		if !turn {
			g.token = "" // of an attempt whose end was not recorded: others must not wait for it
			return g.save(ctx, t)
		}
		g.token, g.taken = r.token, g.wanted
		if job.Items, err = takeItems(ctx, t, g); err != nil {
			return err
		}
		return g.save(ctx, t)
	})
	if err == nil && !turn {
		err = errTurn
	}
	return job, err
}

// turn decides whether g's job may begin. It may not while another kind's
// attempt on the subject counts: one that has a token, and whose job runs until
// its end is recorded or, when its process is lost, it is put back. Nor while
// another kind waits for its turn for longer, or one that is asked for again
// and again would never let it.
func (q *Queue) turn(ctx context.Context, t tx, g *target) (bool, error) {
	since := g.waiting
	if since == 0 {
		since = q.o.Now().UnixNano()
	}
	n := 0
	if _, err := one(ctx, t, []any{&n}, `SELECT COUNT(*) FROM odyssey_target g JOIN river_job j ON j.id = g.job
		WHERE g.subject = $1 AND g.kind <> $2 AND (g.token <> '' AND j.state = 'running'
			OR g.waiting <> 0 AND g.waiting < $3 AND j.state IN ('available', 'running', 'scheduled'))`, g.subject, g.kind, since); err != nil {
		return false, err
	}
	if n > 0 {
		g.waiting = since
		return false, nil
	}
	g.waiting = 0
	return true, nil
}

// takeItems reads the items that g's run takes, and notes up to where that is.
func takeItems(ctx context.Context, t tx, g *target) (items []Item, err error) {
	var last int64
	err = t.each(ctx, func(scan func(...any) error) error {
		var id, data string
		if err := scan(&id, &data, &last); err != nil {
			return err
		}
		items = append(items, Item{ID: id, Data: json.RawMessage(data)})
		return nil
	}, `SELECT id, data, generation FROM odyssey_item WHERE subject = $1 AND kind = $2 AND state = '`+itemWaiting+`'
		ORDER BY generation LIMIT $3`, g.subject, g.kind, maxItems)
	if len(items) == maxItems {
		g.taken = last
	}
	return items, err
}

// fence implements Job.Fence.
func (q *Queue) fence(ctx context.Context, r *run) error {
	if err := q.store.present(); err != nil {
		return fmt.Errorf("%w: %w", ErrFenced, err)
	}
	n := 0
	if _, err := one(ctx, q.store.reader(), []any{&n}, `SELECT COUNT(*) FROM odyssey_target
		WHERE subject = $1 AND kind = $2 AND token = $3`, r.subject, r.kind, r.token); err != nil {
		return fmt.Errorf("ask whether job %d is still this process's: %w", r.id, q.store.failure(err))
	}
	if n == 0 {
		return ErrFenced
	}
	return nil
}

// endRun records an attempt's end: the job's as well if state is one of
// itemDone, itemDead and itemCancelled, or if somebody cancels the job; ended
// tells so. Otherwise River does what it was told.
func (q *Queue) endRun(ctx context.Context, r *run, state, text string) (ended bool, err error) {
	err = q.transact(ctx, func(t tx) error {
		g, err := lock(ctx, t, r.subject, r.kind)
		if err != nil {
			return err
		}
		if g.token != r.token {
			return ErrFenced
		}
		to := state
		if to != itemDone {
			n := 0
			if _, err := one(ctx, t, []any{&n}, `SELECT COUNT(*) FROM river_job
				WHERE id = $1 AND metadata ->> 'cancel_attempted_at' IS NOT NULL`, r.id); err != nil {
				return err
			}
			if n > 0 {
				to = itemCancelled
			}
		}
		g.note = text
		if ended = to != ""; !ended {
			g.token = ""
			return g.save(ctx, t)
		}
		if err := finish(ctx, t, r.id, to, attemptError(r.started, r.attempt, text)); err != nil {
			return err
		}
		return q.closed(ctx, t, g, r.id, to)
	})
	return ended && err == nil, err
}

// finish sets a running job's last state.
func finish(ctx context.Context, t tx, id int64, state string, attemptErr []byte) error {
	now := time.Now()
	switch state {
	case itemDone:
		return t.finish(ctx, riverdriver.JobSetStateCompleted(id, now, nil))
	case itemDead:
		return t.finish(ctx, riverdriver.JobSetStateDiscarded(id, now, attemptErr, nil))
	}
	return t.finish(ctx, riverdriver.JobSetStateCancelled(id, now, attemptErr, nil))
}

// attemptError is an error in the list of a job's errors.
func attemptError(at time.Time, attempt int, text string) []byte {
	data, err := json.Marshal(rivertype.AttemptError{At: at.UTC(), Attempt: max(attempt, 1), Error: text})
	if err != nil {
		return []byte(`{}`) // cannot be: it is text and numbers
	}
	return data
}

func (q *Queue) add(r *run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.runs[r.id] = r
}

func (q *Queue) ended(r *run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r.ended = time.Now()
}
