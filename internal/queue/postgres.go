package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/nuobit/odyssey/internal/secret"
)

const (
	// extraConns is how many connections are needed beside those of running
	// jobs: to listen, to fetch, to record, to lead, and to accept.
	extraConns     = 6
	connectTimeout = 10 * time.Second
	closeTimeout   = 5 * time.Second
	// migrationLock is the key of the advisory lock that a process holds while
	// it migrates: "odyssey" as a number.
	migrationLock = 0x6f647973736579
)

// postgresStore is a database that processes share.
type postgresStore struct {
	*engine[pgx.Tx]
	pool     *pgxpool.Pool
	password string
}

func openPostgres(ctx context.Context, dbURL secret.Text, workers int, log *slog.Logger) (*postgresStore, error) {
	// What pgx says of a URL that it cannot parse repeats parts of it.
	errURL := errors.New("open queue: the URL of the database is none that PostgreSQL's libraries take; its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	if u := dbURL.Reveal(); !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		return nil, errURL
	}
	config, err := pgxpool.ParseConfig(dbURL.Reveal())
	if err != nil {
		return nil, errURL
	}
	config.MaxConns = max(config.MaxConns, int32(min(workers, 1000)+extraConns)) //nolint:gosec // at most 1006
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.RuntimeParams["application_name"] = "odyssey-bot"
	// Whatever the database's default is: who waited for a lock must see what its
	// holder wrote.
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	s := &postgresStore{password: config.ConnConfig.Password}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, s.failure(err)
	}
	s.engine, err = newEngine(riverpgxv5.New(s.pool), slog.New(&redactor{log.Handler(), s.password}), func(ctx context.Context) (pgx.Tx, handle, error) {
		t, err := s.pool.Begin(ctx)
		if err != nil {
			return nil, nil, err
		}
		return t, &postgresTx{postgresConn{t}, t}, nil
	})
	if err != nil {
		s.pool.Close()
		return nil, s.failure(err)
	}
	return s, nil
}

func (s *postgresStore) reader() conn { return postgresConn{s.pool} }

func (*postgresStore) present() error { return nil }

// migrate waits for a process that migrates: each finds what the one before
// it has made.
func (s *postgresStore) migrate(ctx context.Context) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	defer func() { _, _ = c.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock) }()

	if err := checkVersion(ctx, postgresConn{s.pool}); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(s.pool), &rivermigrate.Config{Logger: s.log})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback()
	if err := migrateOwn(ctx, t); err != nil {
		return err
	}
	return t.commit(ctx)
}

func (*postgresStore) phrases() phrases {
	return phrases{
		shared: true,
		ago:    "now() - CAST($1 AS bigint) * interval '1 millisecond'",
		ahead:  "now() + CAST($1 AS bigint) * interval '1 millisecond'",
		rows:   "jsonb_array_elements(CAST($1 AS jsonb)) AS rows(value)",
		nextID: []string{"UPDATE river_job SET id = nextval(pg_get_serial_sequence('river_job', 'id')) WHERE id = $1 RETURNING id"},
		lastBy: "attempted_by[array_upper(attempted_by, 1)]",
		turn:   "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
	}
}

// failure tells a full disk, and leaves out who connected where.
func (s *postgresStore) failure(err error) error {
	var (
		server  *pgconn.PgError
		connect *pgconn.ConnectError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &server) && server.Code == "53100":
		return fmt.Errorf("%w: make room where PostgreSQL has its data: %w", ErrFull, err)
	case errors.As(err, &connect):
		return errors.New(redact("connect to PostgreSQL: "+reason(connect), s.password))
	case s.password != "" && strings.Contains(err.Error(), s.password):
		return errors.New(redact(err.Error(), s.password))
	}
	return err
}

// reason is what a failed connection says beside who connected where.
func reason(err *pgconn.ConnectError) string {
	inner := err.Unwrap()
	var server *pgconn.PgError
	switch {
	case errors.As(inner, &server) && strings.HasPrefix(server.Code, "28"):
		return "it refuses the user or the password"
	case server != nil:
		return "SQLSTATE " + server.Code
	case errors.Is(inner, context.DeadlineExceeded):
		return "no answer in time"
	case inner == nil:
		return "no reason given"
	}
	// "dial tcp 192.0.2.1:5432: connect: connection refused"
	text := inner.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// again tells of a deadlock or a serialisation failure.
func (s *postgresStore) again(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

// close waits for connections that are in use, but not for those that a job
// keeps that does not end.
func (s *postgresStore) close() error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.pool.Close()
	}()
	t := time.NewTimer(closeTimeout)
	defer t.Stop()
	select {
	case <-closed:
		return nil
	case <-t.C:
		return errors.New("close queue: connections to PostgreSQL are still in use")
	}
}

// postgresConn is a pool or a transaction.
type postgresConn struct {
	db interface {
		Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	}
}

func (c postgresConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.db.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (c postgresConn) each(ctx context.Context, row func(func(...any) error) error, query string, args ...any) error {
	rows, err := c.db.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type postgresTx struct {
	postgresConn
	tx pgx.Tx
}

func (t *postgresTx) commit(ctx context.Context) error { return t.tx.Commit(ctx) }

func (t *postgresTx) rollback() {
	// A transaction that is not rolled back keeps its connection.
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	_ = t.tx.Rollback(ctx)
}
