package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readyTimeout   = 2 * time.Second
	migrateTimeout = 2 * time.Minute
	txTimeout      = 30 * time.Second // of a transaction that no caller's context bounds
	txAttempts     = 4
)

// Queue is an open store. Its methods may be called at the same time.
type Queue struct {
	o       Options
	log     *slog.Logger
	store   store
	phrases phrases

	accepts chan *call
	quit    chan struct{} // closed by Close
	wg      sync.WaitGroup
	close   func() error

	full    atomic.Bool // the last transaction found no room
	mu      sync.Mutex
	working bool
	runs    map[int64]*run // by job; those that ended stay for a while
}

// Open opens a store, makes its tables if they are missing, and puts back what
// ran when an SQLite store's last process ended. Errors and logs never show
// Options.URL.
func Open(ctx context.Context, o Options) (*Queue, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	q := &Queue{
		o: o, log: o.Log, accepts: make(chan *call), quit: make(chan struct{}),
		runs: map[int64]*run{},
	}
	if o.Path != "" {
		q.store, err = storeOf(openSQLite(o.Path, o.Attach, slog.New(&redactor{o.Log.Handler(), ""})))
	} else {
		q.store, err = storeOf(openPostgres(ctx, o.URL, o.Workers, o.Log))
	}
	if err != nil {
		return nil, err
	}
	q.phrases = q.store.phrases()
	if err := q.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open queue: %w", q.store.failure(err)), q.store.close())
	}
	q.wg.Go(q.commitCalls)
	q.close = sync.OnceValue(func() error {
		close(q.quit)
		q.wg.Wait()
		return q.store.close()
	})
	return q, nil
}

// storeOf keeps a nil pointer from becoming an interface that is not nil.
func storeOf[S store](s S, err error) (store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (q *Queue) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	if q.o.Attach {
		version, err := storedVersion(ctx, q.store.reader())
		if err == nil && version < len(schemas()) {
			err = errors.New("the store is older than this program; odyssey-bot serve updates it")
		}
		return err
	}
	if err := q.store.migrate(ctx); err != nil {
		return err
	}
	if q.phrases.shared {
		return nil
	}
	return q.requeueAll(ctx)
}

// Close ends what Open began. Work must have returned.
func (q *Queue) Close() error { return q.close() }

// Ready tells whether the store answers, and takes what is written.
func (q *Queue) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := q.store.present(); err != nil {
		return err
	}
	if q.full.Load() { // as far as is known
		if err := q.tryRoom(ctx); err != nil {
			return err
		}
	}
	if _, err := storedVersion(ctx, q.store.reader()); err != nil {
		return fmt.Errorf("the queue's store does not answer: %w", q.store.failure(err))
	}
	return nil
}

// tryRoom finds out whether there is room for what a delivery may need.
func (q *Queue) tryRoom(ctx context.Context) error {
	return q.transact(ctx, func(t tx) error {
		if _, err := t.exec(ctx, `INSERT INTO odyssey_value (bucket, key, value) VALUES ('ready', 'room', $1)`, make([]byte, maxData)); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM odyssey_value WHERE bucket = 'ready'`)
		return err
	})
}

// transact runs fn in a transaction, which it commits when fn returns nil. A
// transaction that fell victim to another is repeated.
func (q *Queue) transact(ctx context.Context, fn func(t tx) error) error {
	for attempt := 1; ; attempt++ {
		err := q.transactOnce(ctx, fn)
		if err == nil {
			q.full.Store(false)
			return nil
		}
		if attempt == txAttempts || ctx.Err() != nil || !q.store.again(err) {
			err = q.store.failure(err)
			if errors.Is(err, ErrFull) {
				q.full.Store(true)
			}
			return err
		}
	}
}

func (q *Queue) transactOnce(ctx context.Context, fn func(t tx) error) error {
	if err := q.store.present(); err != nil {
		return err
	}
	t, err := q.store.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback()
	if err := fn(t); err != nil {
		return err
	}
	return t.commit(ctx)
}
