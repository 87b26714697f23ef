// Package database asks and tells PostgreSQL what has to be known of an Odoo
// database from outside of Odoo: whether there is one, what is installed in it
// and from which files, and who waits for whose lock.
//
// It uses pgconn alone, the lower half of pgx: odoo-run must stay small.
package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuobit/odyssey/internal/secret"
)

// Server is where the databases are. What is empty is as libpq has it.
type Server struct {
	Host     string // or a directory of sockets
	Port     string
	User     string
	Password secret.Text
	SSLMode  string
}

// DB is a connection to a database.
type DB struct {
	Name string
	conn *pgconn.PgConn
}

// ErrNotExist is what an error is when there is no such database.
var ErrNotExist = errors.New("does not exist")

// ConnectError says why a database cannot be used. It shows no password.
type ConnectError struct {
	Database string
	Err      error
	Hint     string // what to do next; may be empty
}

func (e *ConnectError) Error() string {
	text := fmt.Sprintf("database %s: %v", e.Database, e.Err)
	if e.Hint != "" {
		text += "\n  " + e.Hint
	}
	return text
}

func (e *ConnectError) Unwrap() error { return e.Err }

const connectTimeout = 15 * time.Second

// Connect connects to a database. Errors are *ConnectError; that of a database
// which is not there is ErrNotExist, too.
func (s Server) Connect(ctx context.Context, name string) (*DB, error) {
	config, err := s.config(name)
	if err != nil {
		return nil, &ConnectError{Database: name, Err: err, Hint: "see db_host, db_port, db_user and db_sslmode in the configuration"}
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(name, err)
	}
	return &DB{Name: name, conn: conn}, nil
}

func (s Server) config(name string) (*pgconn.Config, error) {
	words := []string{"application_name=odoo-run", "connect_timeout=" + strconv.Itoa(int(connectTimeout.Seconds()))}
	for _, w := range []struct{ key, value string }{
		{"dbname", name}, {"host", s.Host}, {"port", s.Port}, {"user", s.User}, {"sslmode", s.SSLMode},
	} {
		if w.value != "" {
			words = append(words, w.key+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w.value)+"'")
		}
	}
	config, err := pgconn.ParseConfig(strings.Join(words, " "))
	if err != nil {
		return nil, err
	}
	if password := s.Password.Reveal(); password != "" {
		config.Password = password
	}
	return config, nil
}

// connectError says what the server meant.
func connectError(name string, err error) error {
	e := &ConnectError{Database: name, Err: err}
	refused := (*pgconn.PgError)(nil)
	if !errors.As(err, &refused) {
		e.Hint = "is the server up, and are db_host and db_port those of it?"
		return e
	}
	switch refused.Code {
	case "3D000":
		e.Err = ErrNotExist
	case "28P01", "28000":
		e.Err, e.Hint = errors.New("the server refuses the user or the password: "+refused.Message), "see db_user, and the secret with the password"
	case "42501":
		e.Err, e.Hint = errors.New(refused.Message), "grant CONNECT on it to the user"
	case "57P03", "53300":
		e.Err, e.Hint = errors.New(refused.Message), "try again later"
	default:
		e.Err = errors.New(refused.Message)
	}
	return e
}

// Close ends the connection.
func (d *DB) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	_ = d.conn.Close(ctx)
}

// Content is what is in a database.
type Content struct {
	IsOdoo     bool
	IsTemplate bool
	Tables     int    // that belong to no extension
	Example    string // a table's name
}

// Content looks at the tables in all schemas but the system's.
func (d *DB) Content(ctx context.Context) (Content, error) {
	const query = `
		SELECT coalesce(bool_or(relname = 'ir_module_module'), false), count(relname), coalesce(min(relname), ''),
			(SELECT datistemplate FROM pg_database WHERE datname = current_database())
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
			AND nspname !~ '^pg_' AND nspname <> 'information_schema'
			AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')`
	rows, err := d.query(ctx, query)
	if err == nil && len(rows) == 1 {
		c := Content{IsOdoo: rows[0].truth(0), Example: rows[0].text(2), IsTemplate: rows[0].truth(3)}
		if c.Tables, err = strconv.Atoi(rows[0].text(1)); err == nil {
			return c, nil
		}
	}
	return Content{}, fmt.Errorf("look into database %s: %w", d.Name, err)
}

// Lock takes a lock that no other session has at a time, waiting for it until
// ctx ends. wait is called when it must wait. It is held until the connection is
// closed.
func (d *DB) Lock(ctx context.Context, name string, wait func()) error {
	const key = "hashtextextended($1, 0)"
	rows, err := d.query(ctx, "SELECT pg_try_advisory_lock("+key+")", name)
	if err == nil && !rows[0].truth(0) {
		wait()
		_, err = d.query(ctx, "SELECT pg_advisory_lock("+key+")", name)
	}
	if err != nil {
		return fmt.Errorf("lock %s in database %s: %w", name, d.Name, err)
	}
	return nil
}

// row is the columns of a row as PostgreSQL writes them; nil for NULL.
type row [][]byte

func (r row) text(i int) string { return string(r[i]) }

func (r row) truth(i int) bool { return r.text(i) == "t" }

// query runs a statement with text parameters.
func (d *DB) query(ctx context.Context, sql string, args ...string) ([]row, error) {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	result := d.conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	rows := make([]row, len(result.Rows))
	for i, columns := range result.Rows {
		rows[i] = columns
	}
	return rows, nil
}

// array writes an array of texts.
func array(texts []string) string {
	var quoted []string
	for _, text := range texts {
		quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`)
	}
	return "{" + strings.Join(quoted, ",") + "}"
}
