package database_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuobit/odyssey/internal/odoo/database"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// server returns where a database of its own is, and its name.
func server(t *testing.T, statements ...string) (database.Server, string, *pgx.Conn) {
	t.Helper()
	text := postgrestest.URL(t)
	at, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := at.User.Password()
	c := session(t, text)
	for _, sql := range statements {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return database.Server{Host: at.Hostname(), Port: at.Port(), User: at.User.Username(), Password: secret.New(password), SSLMode: "disable"}, strings.TrimPrefix(at.Path, "/"), c
}

func session(t *testing.T, text string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func connect(t *testing.T, s database.Server, name string) *database.DB {
	t.Helper()
	db, err := s.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(t.Context()) })
	return db
}

func TestConnect_errors(t *testing.T) {
	t.Parallel()
	s, name, _ := server(t)
	_, err := s.Connect(t.Context(), `it's "not" \there`)
	if !errors.Is(err, database.ErrNotExist) || !strings.Contains(err.Error(), `it's "not" \there`) {
		t.Errorf("no such database: %v", err)
	}
	s.Password = secret.New("canary")
	failed := (*database.ConnectError)(nil)
	if _, err := s.Connect(t.Context(), name); !errors.As(err, &failed) || errors.Is(err, database.ErrNotExist) || !strings.Contains(err.Error(), "refuses the user or the password") || strings.Contains(err.Error(), "canary") {
		t.Errorf("a wrong password: %v", err)
	}
	s.SSLMode = "canary"
	if _, err := s.Connect(t.Context(), name); !errors.As(err, &failed) || !strings.Contains(failed.Hint, "db_sslmode") {
		t.Errorf("a wrong sslmode: %v", err)
	}
}

func TestModules(t *testing.T) {
	t.Parallel()
	s, name, _ := server(t,
		"CREATE TABLE ir_module_module (name varchar, state varchar)",
		"INSERT INTO ir_module_module VALUES ('web', 'installed'), ('base', 'to upgrade'), ('sale', 'uninstalled'), ('_x', 'installed'), ('y', 'to install')",
		"CREATE TABLE res_lang (code varchar, active boolean)",
		"INSERT INTO res_lang VALUES ('fr_FR', true), ('de_DE', false), ('en_US', true)",
		"CREATE TABLE ir_config_parameter (key varchar UNIQUE, value text, create_date timestamp, write_date timestamp)")
	db := connect(t, s, name)
	ctx := t.Context()
	content, err := db.Content(ctx)
	if diff := cmp.Diff(database.Content{IsOdoo: true, Tables: 3, Example: "ir_config_parameter"}, content); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	check := func(what string, want []string, ask func() ([]string, error)) {
		t.Helper()
		if got, err := ask(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
	}
	check("installed", []string{"_x", "base", "web"}, func() ([]string, error) { return db.Installed(ctx) })
	check("languages", []string{"en_US", "fr_FR"}, func() ([]string, error) { return db.Languages(ctx) })
	check("unfinished", []string{"base is to upgrade", `q"\,{ is unknown`, "sale is uninstalled"},
		func() ([]string, error) { return db.Unfinished(ctx, []string{"web", "sale", `q"\,{`}) })
	check("exclude", nil, func() ([]string, error) { return db.Exclude(ctx) })
	sums, err := db.Checksums(ctx)
	if err != nil || sums == nil || len(sums) > 0 {
		t.Errorf("no checksums yet: %v, %v", sums, err)
	}
	for _, want := range []map[string]string{{"base": "1", `é"\`: "2"}, {"web": "3"}} {
		if err := db.SaveChecksums(ctx, want); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Checksums(ctx); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	s, name, _ := server(t)
	never := func() { t.Error("it waits") }
	first := connect(t, s, name)
	if err := first.Lock(t.Context(), "a", never); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, s, name).Lock(t.Context(), "b", never); err != nil {
		t.Fatal(err)
	}
	// It waits until the context ends, or the lock is free.
	ctx, cancel := context.WithCancel(t.Context())
	if err := connect(t, s, name).Lock(ctx, "a", cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was canceled", err)
	}
	if err := connect(t, s, name).Lock(t.Context(), "a", func() { first.Close(t.Context()) }); err != nil {
		t.Error(err)
	}
}

// Of the sessions that wait, only those count that came after, by their name.
func TestBlocked(t *testing.T) {
	t.Parallel()
	s, name, holder := server(t, "CREATE TABLE things (id int)")
	text := holder.Config().ConnString()
	tx, err := holder.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SET application_name = 'holder'; LOCK TABLE things"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	wait := func(application string) uint32 {
		c := session(t, text+"&application_name="+application)
		pid := c.PgConn().PID()
		go func() {
			_, err := c.Exec(t.Context(), "TABLE things")
			ended <- err
		}()
		return pid
	}
	before := wait("update")
	db := connect(t, s, name)
	after, other := wait("update"), wait("server")
	var got []database.Blocked
	for start := time.Now(); len(got) == 0; {
		if got, err = db.Blocked(t.Context(), "update", "odoo-1"); err != nil || time.Since(start) > 20*time.Second {
			t.Fatalf("%v, %v", got, err)
		}
	}
	holds := got[0].By
	if len(got) != 1 || uint32(got[0].PID) != after || len(holds) != 1 || holds[0].Application != "holder" || holds[0].State != "idle in transaction" || uint32(holds[0].PID) != holder.PgConn().PID() {
		t.Errorf("%+v; want session %d, not %d or %d", got, after, before, other)
	}
	if err := db.Cancel(t.Context(), got[0].PID); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "57014") {
		t.Errorf("the statement was not cancelled: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
