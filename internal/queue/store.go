package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// conn runs SQL that both databases understand. Parameters are $1, $2, …, in
// the order in which they first appear.
type conn interface {
	exec(ctx context.Context, sql string, args ...any) (affected int64, err error)
	// each calls row for every row of the result.
	each(ctx context.Context, row func(scan func(...any) error) error, sql string, args ...any) error
}

// tx is a transaction. Of River's tables it changes what River's own
// functions change, so that it holds together with ours.
type tx interface {
	conn
	insert(ctx context.Context, jobs []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
	// finish sets the state of a running job.
	finish(ctx context.Context, p *riverdriver.JobSetStateIfRunningParams) error
	// release makes a running job available again, with a recorded error.
	release(ctx context.Context, id int64, attemptErr []byte, now time.Time) error
	job(ctx context.Context, id int64) (*rivertype.JobRow, error)
	cancel(ctx context.Context, id int64) (*rivertype.JobRow, error)
	retry(ctx context.Context, id int64) (*rivertype.JobRow, error)
	commit(ctx context.Context) error
	rollback()
}

// runner is a River client that works.
type runner interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// store is a database with River's tables and ours.
type store interface {
	begin(ctx context.Context) (tx, error)
	reader() conn
	list(ctx context.Context, p *river.JobListParams) ([]*rivertype.JobRow, error)
	runner(c *river.Config) (runner, error)
	phrases() phrases
	// migrate makes or updates the tables; only one process does so at a time.
	migrate(ctx context.Context) error
	// present returns an error when the store is no longer where it was opened.
	present() error
	// failure makes an error of the database one that may be shown.
	failure(err error) error
	// again tells whether the same transaction may succeed when repeated.
	again(err error) bool
	close() error
}

// phrases is the SQL in which the databases differ.
type phrases struct {
	shared bool   // other processes work on the store, too
	ago    string // $1 milliseconds before now
	ahead  string // $1 milliseconds from now
	rows   string // the elements of the JSON list $1, as value
	// nextID moves a job to a number that no job had: $1 is its own.
	nextID []string
	// lastBy is the process that took a job last.
	lastBy string
	// turn has the transaction wait for any other that decides whose turn a
	// subject $1 is; "" where transactions wait for one another anyway.
	turn string
}

// engine is what both stores have in common: River, by the transaction type
// of its driver.
type engine[T any] struct {
	driver riverdriver.Driver[T]
	client *river.Client[T] // inserts, and does not work
	log    *slog.Logger
	open   func(ctx context.Context) (T, handle, error)
}

// handle is the rest of a transaction.
type handle interface {
	conn
	commit(ctx context.Context) error
	rollback()
}

func newEngine[T any](driver riverdriver.Driver[T], log *slog.Logger, open func(context.Context) (T, handle, error)) (*engine[T], error) {
	client, err := river.NewClient(driver, &river.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	return &engine[T]{driver: driver, client: client, log: log, open: open}, nil
}

func (e *engine[T]) begin(ctx context.Context) (tx, error) {
	inner, h, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	return &engineTx[T]{handle: h, engine: e, inner: inner}, nil
}

func (e *engine[T]) list(ctx context.Context, p *river.JobListParams) ([]*rivertype.JobRow, error) {
	res, err := e.client.JobList(ctx, p)
	if err != nil {
		return nil, err
	}
	return res.Jobs, nil
}

func (e *engine[T]) runner(c *river.Config) (runner, error) {
	c.Logger = e.log
	return river.NewClient(e.driver, c)
}

type engineTx[T any] struct {
	handle
	engine *engine[T]
	inner  T
}

func (t *engineTx[T]) insert(ctx context.Context, jobs []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
	return t.engine.client.InsertManyTx(ctx, t.inner, jobs)
}

func (t *engineTx[T]) finish(ctx context.Context, p *riverdriver.JobSetStateIfRunningParams) error {
	rows, err := t.engine.driver.UnwrapExecutor(t.inner).JobSetStateIfRunningMany(ctx, &riverdriver.JobSetStateIfRunningManyParams{
		ID: []int64{p.ID}, Attempt: []*int{p.Attempt}, ErrData: [][]byte{p.ErrData},
		FinalizedAt:     []*time.Time{p.FinalizedAt},
		MetadataDoMerge: []bool{p.MetadataDoMerge}, MetadataUpdates: [][]byte{p.MetadataUpdates},
		ScheduledAt: []*time.Time{p.ScheduledAt}, State: []rivertype.JobState{p.State},
	})
	if err != nil {
		return err
	}
	if len(rows) != 1 || rows[0].State != p.State {
		return fmt.Errorf("set the state of job %d: %w", p.ID, ErrFenced)
	}
	return nil
}

func (t *engineTx[T]) release(ctx context.Context, id int64, attemptErr []byte, now time.Time) error {
	_, err := t.engine.driver.UnwrapExecutor(t.inner).JobRescueMany(ctx, &riverdriver.JobRescueManyParams{
		ID: []int64{id}, Error: [][]byte{attemptErr}, FinalizedAt: []*time.Time{nil},
		ScheduledAt: []time.Time{now}, State: []string{string(rivertype.JobStateAvailable)},
		StuckHorizon: now.AddDate(1, 0, 0), // whenever it began; the caller has looked
	})
	return err
}

func (t *engineTx[T]) job(ctx context.Context, id int64) (*rivertype.JobRow, error) {
	row, err := t.engine.client.JobGetTx(ctx, t.inner, id)
	return row, known(err)
}

func (t *engineTx[T]) cancel(ctx context.Context, id int64) (*rivertype.JobRow, error) {
	row, err := t.engine.client.JobCancelTx(ctx, t.inner, id)
	return row, known(err)
}

func (t *engineTx[T]) retry(ctx context.Context, id int64) (*rivertype.JobRow, error) {
	row, err := t.engine.client.JobRetryTx(ctx, t.inner, id)
	return row, known(err)
}

func known(err error) error {
	if errors.Is(err, river.ErrNotFound) {
		return ErrNoJob
	}
	return err
}

// one reads the single row of a result; found is false when there is none.
func one(ctx context.Context, c conn, dest []any, sql string, args ...any) (found bool, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	}, sql, args...)
	return found, err
}
