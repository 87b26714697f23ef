// Package postgrestest runs a real PostgreSQL on a loopback port, with its
// data in a temporary directory, for tests and benchmarks. test/setup.sh
// installs it if it is missing.
//
// A test binary shares one server:
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
//
//	func TestX(t *testing.T) {
//		url := postgrestest.URL(t) // of an empty database
//		…
//	}
//
// A program starts one itself:
//
//	srv, err := postgrestest.Start(ctx, dir)
//	defer srv.Stop()
//	url, err := srv.Database(ctx)
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuobit/odyssey/test/setup"
)

const (
	login        = "odyssey"
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
)

// Server is a running PostgreSQL.
type Server struct {
	// Password is that of every URL; a test looks for it where it must not be.
	Password string
	// Log is the path of what the server writes.
	Log string

	bin, dir  string
	port      int
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
	stop      sync.Once
	databases atomic.Int64
}

// Start runs a server and returns when it answers. Its data go to a new
// directory in dir, which Stop removes. Root gives the server to the user
// postgres, as PostgreSQL refuses to run as root; dir must be open to it.
func Start(ctx context.Context, dir string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, Password: "pw-" + rand.Text()}
	if s.dir, err = os.MkdirTemp(dir, "postgrestest-"); err != nil {
		return nil, err
	}
	s.Log = filepath.Join(s.dir, "log")
	if err := s.start(ctx); err != nil {
		log, _ := os.ReadFile(s.Log)
		s.Stop()
		return nil, fmt.Errorf("start PostgreSQL: %w\n%s", err, log)
	}
	return s, nil
}

// programs returns the directory of PostgreSQL's programs.
func programs() (string, error) {
	if _, err := setup.Part("postgres", ""); err != nil {
		return "", err
	}
	if bin := os.Getenv("POSTGRES_BIN"); bin != "" {
		return bin, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", err
	}
	return filepath.Dir(path), nil
}

// version is the number in /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// Programs is the directory of the server's programs, psql among them.
func (s *Server) Programs() string { return s.bin }

func (s *Server) start(ctx context.Context) error {
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.Password), 0o600); err != nil {
		return err
	}
	if err := giveAway(s.dir, password); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	init := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata="+data, "--username="+login,
		"--pwfile="+password, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync")
	var out bytes.Buffer
	init.Stdout, init.Stderr = &out, &out
	if err := s.prepare(init); err != nil {
		return err
	}
	if err := init.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, out.String())
	}
	const tries = 3 // somebody may take the free port meanwhile
	var err error
	for range tries {
		if err = s.run(ctx, data); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// run starts the process and waits until it answers.
func (s *Server) run(ctx context.Context, data string) (err error) {
	if s.port, err = freePort(); err != nil {
		return err
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), "-D", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(s.port), "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "lc_messages=C")
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.prepare(s.cmd); err != nil {
		return err
	}
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func() {
		defer close(exited)
		_ = s.cmd.Wait()
	}()
	return s.await(ctx)
}

// prepare gives a command a small environment and the right user.
func (s *Server) prepare(cmd *exec.Cmd) error {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC"}
	return asPostgres(cmd)
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-tick.C:
		}
	}
}

func (s *Server) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, s.Password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Database makes an empty database and returns its URL, password included.
func (s *Server) Database(ctx context.Context) (string, error) {
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	if err := s.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return s.url(name), nil
}

// Drop removes a database that Database made, whoever is connected to it.
func (s *Server) Drop(ctx context.Context, databaseURL string) error {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return err
	}
	return s.Exec(ctx, "DROP DATABASE IF EXISTS "+strings.TrimPrefix(u.Path, "/")+" WITH (FORCE)")
}

// Exec runs a statement in the server's own database.
func (s *Server) Exec(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	s.stop.Do(func() {
		if s.cmd != nil && s.exited != nil {
			_ = s.cmd.Process.Signal(os.Interrupt) // PostgreSQL's fast shutdown
			select {
			case <-s.exited:
			case <-time.After(stopTimeout):
				_ = s.cmd.Process.Kill()
				<-s.exited
			}
		}
		_ = os.RemoveAll(s.dir)
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%s has no port", l.Addr())
	}
	return addr.Port, nil
}
