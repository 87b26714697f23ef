package queue

import (
	"context"
	"log/slog"
)

// Exec runs a statement in the store, as no caller of the package can.
func (q *Queue) Exec(ctx context.Context, sql string, args ...any) error {
	if s, ok := q.store.(*sqliteStore); ok {
		_, err := sqliteConn{s.write}.exec(ctx, sql, args...)
		return err
	}
	_, err := q.store.reader().exec(ctx, sql, args...)
	return err
}

// Count returns the number that a query has as its only result.
func (q *Queue) Count(ctx context.Context, sql string) (n int, err error) {
	_, err = one(ctx, q.store.reader(), []any{&n}, sql)
	return n, err
}

// Tend does at once what Work does now and then.
func (q *Queue) Tend(ctx context.Context, id string) error {
	if err := q.rescue(ctx, id); err != nil {
		return err
	}
	if err := q.mend(ctx); err != nil {
		return err
	}
	return q.clean(ctx)
}

// Redactor is the handler through which River logs.
func Redactor(h slog.Handler, password string) slog.Handler { return &redactor{h, password} }
