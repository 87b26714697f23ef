package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteStore is a file. One process works on it, as long as it has the lock;
// commands beside it go through SQLite's own locks.
type sqliteStore struct {
	*engine[*sql.Tx]
	path  string
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB // its readers do not wait for the writer
	lock  *os.File
	file  os.FileInfo // as it was opened
}

func openSQLite(path string, attach bool, log *slog.Logger) (*sqliteStore, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &sqliteStore{path: path}
	if attach {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no queue at %s; odyssey-bot serve makes it", path)
		}
	} else if err := s.takeLock(); err != nil {
		return nil, err
	}
	if s.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := s.connect(log); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// takeLock makes the process the one that works on the file. The lock ends
// with the process, however that ends.
func (s *sqliteStore) takeLock() error {
	f, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory %s for the queue; make it, or name another file", filepath.Dir(s.path))
	} else if err != nil {
		return fmt.Errorf("%w; the queue needs a directory that it may write to", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("another odyssey-bot uses %s; stop it first, or share the work with storeURLFile and PostgreSQL", s.path)
		}
		return fmt.Errorf("lock %s.lock: %w; is it on a network file system?", s.path, err)
	}
	s.lock = f
	// Made here, so that nobody else ever reads it.
	db, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return db.Close()
}

func (s *sqliteStore) connect(log *slog.Logger) (err error) {
	if s.write, err = sql.Open("sqlite", dsn(s.path, false)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(s.path, true)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(2)
	s.engine, err = newEngine(riversqlite.New(s.write), log, func(ctx context.Context) (*sql.Tx, handle, error) {
		t, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return t, &sqliteTx{sqliteConn{t}, t}, nil
	})
	return err
}

// dsn is modernc's name of a database. Every transaction takes the write lock
// when it begins, so that none fails in its middle because of another process.
func dsn(path string, readOnly bool) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
	}}
	if readOnly {
		q["_pragma"] = []string{"busy_timeout(10000)", "query_only(1)"}
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (s *sqliteStore) reader() conn { return sqliteConn{s.read} }

// present finds out whether somebody took the file away or put another in its
// place: what is written to the old one is lost with the process, and the new
// one may be another process's.
func (s *sqliteStore) present() error {
	info, err := os.Stat(s.path)
	if err == nil && s.file != nil && !os.SameFile(info, s.file) {
		err = errors.New("it is another file now")
	}
	if err != nil {
		return fmt.Errorf("the queue's file %s was taken away: %w; start again", s.path, err)
	}
	return nil
}

func (s *sqliteStore) migrate(ctx context.Context) error {
	m, err := rivermigrate.New(riversqlite.New(s.write), &rivermigrate.Config{Logger: s.log})
	if err != nil {
		return err
	}
	if err := checkVersion(ctx, sqliteConn{s.write}); err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	// The leader that was killed leads no more: its term need not be awaited.
	if _, err := s.write.ExecContext(ctx, "DELETE FROM river_leader"); err != nil {
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

func (*sqliteStore) phrases() phrases {
	return phrases{
		ago:   "strftime('%Y-%m-%d %H:%M:%f', 'now', (CAST($1 AS integer) / -1000.0) || ' seconds')",
		ahead: "strftime('%Y-%m-%d %H:%M:%f', 'now', (CAST($1 AS integer) / 1000.0) || ' seconds')",
		rows:  "json_each($1)",
		nextID: []string{
			"UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'river_job'",
			"UPDATE river_job SET id = (SELECT seq FROM sqlite_sequence WHERE name = 'river_job') WHERE id = $1 RETURNING id",
		},
		lastBy: "attempted_by ->> -1",
	}
}

// failure tells a full disk. SQLite's errors name nothing secret.
func (s *sqliteStore) failure(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code()&0xff == sqlite3.SQLITE_FULL, e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE, e.Code() == sqlite3.SQLITE_IOERR_WRITE:
		return fmt.Errorf("%w: make room where %s is: %w", ErrFull, s.path, err)
	case e.Code()&0xff == sqlite3.SQLITE_CORRUPT, e.Code()&0xff == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is no database any more: %w; move it away and start again: what it knew is found anew in the forges", s.path, err)
	}
	return err
}

func (s *sqliteStore) again(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func (s *sqliteStore) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// sqliteConn is a database or a transaction.
type sqliteConn struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
}

// numbered makes $1 what SQLite calls a numbered parameter: ?1.
func numbered(query string) string { return strings.ReplaceAll(query, "$", "?") }

func (c sqliteConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := c.db.ExecContext(ctx, numbered(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c sqliteConn) each(ctx context.Context, row func(func(...any) error) error, query string, args ...any) error {
	rows, err := c.db.QueryContext(ctx, numbered(query), args...)
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

type sqliteTx struct {
	sqliteConn
	tx *sql.Tx
}

func (t *sqliteTx) commit(context.Context) error { return t.tx.Commit() }
func (t *sqliteTx) rollback()                    { _ = t.tx.Rollback() }
