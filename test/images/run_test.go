package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/standin"
)

const python = "/opt/odoo/venv/bin/python"

// entry is a call of the image as it is meant: its entry point with arguments.
func (s *subject) entry(args ...string) []string { return slices.Concat(s.config.Entrypoint, args) }

// failed is a fault for an error.
func failed(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}

func findVersion(ctx context.Context, s *subject) []string {
	out, err := s.c.Run(ctx, buildahtest.Process{Args: s.entry("--", "--version")})
	if err == nil && out != "Odoo Server "+standin.Series {
		err = fmt.Errorf("it says %q", out)
	}
	return failed(err)
}

func findPip(ctx context.Context, s *subject) []string {
	_, err := s.c.Run(ctx, buildahtest.Process{Args: []string{python, "-m", "pip", "check"}})
	return failed(err)
}

// findImports imports what Odoo and the repository ask for: pure packages,
// those with extensions that link Debian's libraries, and Odoo itself.
func findImports(ctx context.Context, s *subject) (faults []string) {
	for _, name := range []string{"cups", "dateutil", "idna", "passlib", "polib", "psycopg2", "six", "odoo"} {
		_, err := s.c.Run(ctx, buildahtest.Process{
			Args: []string{python, "-c", "import " + name}, Env: map[string]string{"PYTHONPATH": "/opt/odoo/src/odoo"},
		})
		faults = append(faults, failed(err)...)
	}
	return faults
}

func findOverrides(ctx context.Context, s *subject) (faults []string) {
	for _, want := range packageList(releaseFiles["requirements-overrides.in"]) {
		name, version, _ := strings.Cut(want, "==")
		out, err := s.c.Run(ctx, buildahtest.Process{Args: []string{python, "-c", "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))", name}})
		faults = append(faults, failed(err)...)
		if err == nil && out != version {
			faults = append(faults, fmt.Sprintf("%s has the version %s, and not %s", name, out, version))
		}
		if !strings.Contains(s.lock, "\n"+want) {
			faults = append(faults, "the lock has no "+want)
		}
	}
	return faults
}

func findAddonsPath(ctx context.Context, s *subject) (faults []string) {
	const want = "/opt/odoo/src/odoo/odoo/addons,/opt/odoo/src/odoo/addons,/opt/odoo/src/acme,/opt/odoo/src/empty"
	got, err := s.c.Read(ctx, "etc/odoo/addons_path")
	if err != nil {
		return failed(err)
	}
	if strings.TrimSpace(got) != want {
		faults = append(faults, fmt.Sprintf("it is %q, and not %q", got, want))
	}
	for dir := range strings.SplitSeq(strings.TrimSpace(got), ",") {
		if s.files[strings.TrimPrefix(dir, "/")].Type != 'd' {
			faults = append(faults, dir+" is no directory")
		}
	}
	return faults
}

func findConfig(ctx context.Context, s *subject) (faults []string) {
	expect := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			faults = append(faults, fmt.Sprintf("%s: %v, and not %v", what, got, want))
		}
	}
	expect("user", s.config.User, "1000:1000")
	expect("entry point", s.config.Entrypoint, []string{"odoo-run"})
	expect("command", s.config.Cmd, []string(nil))
	expect("ports", s.config.ExposedPorts, map[string]struct{}{"8069/tcp": {}, "8072/tcp": {}})
	for _, kv := range []string{"HOME=/nonexistent", "LANG=C.UTF-8", "ODOO_SERIES=17.0"} {
		expect(kv, slices.Contains(s.config.Env, kv), true)
	}
	for _, kv := range s.config.Env {
		name, _, _ := strings.Cut(kv, "=")
		// Any other setting of odoo-run would stand in a deployment's way.
		expect(kv, strings.HasPrefix(name, "ODOO_") && name != "ODOO_SERIES", false)
	}
	expect("series", s.config.Labels["io.github.nuobit.odyssey.series"], "17.0")
	expect("source", s.config.Labels["org.opencontainers.image.source"], "https://github.com/nuobit/odyssey")
	passwd, err := s.c.Read(ctx, "etc/passwd")
	if err != nil {
		return append(faults, err.Error())
	}
	expect("the user odoo", strings.Contains(passwd, "\nodoo:x:1000:1000::/nonexistent:/usr/sbin/nologin\n"), true)
	return faults
}

// health is what a deployment's health check runs; there is no curl.
const health = "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ODOO_HTTP_PORT'] + '/web/health', timeout=4)"

// findStart starts Odoo, asks for its health from outside and from inside, and
// ends it.
func findStart(ctx context.Context, s *subject, user string) []string {
	port, err := freePort()
	if err != nil {
		return failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.renew(ctx); err != nil {
		return failed(err)
	}
	env := map[string]string{"ODOO_HTTP_PORT": strconv.Itoa(port)}
	odoo, err := s.c.Start(ctx, buildahtest.Process{Args: s.entry(), User: user, Env: env})
	if err != nil {
		return failed(err)
	}
	defer odoo.Close()
	ended := make(chan error, 1)
	go func() { ended <- odoo.Wait() }()
	err = answers(ctx, port, ended)
	if err == nil {
		_, err = s.c.Run(ctx, buildahtest.Process{Args: []string{"python", "-c", health}, User: user, Env: env})
		err = errors.Join(err, odoo.Signal(ctx, "TERM"), <-ended)
	} else {
		_ = odoo.Signal(context.WithoutCancel(ctx), "KILL") // if it runs at all
	}
	return failed(err)
}

// renew takes away what a start has made that other users cannot.
func (s *subject) renew(ctx context.Context) error {
	_, err := s.c.Shell(ctx, "rm -rf /run/odoo")
	return err
}

// answers waits until Odoo says that it is well.
func answers(ctx context.Context, port int, ended <-chan error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(port)+"/web/health", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			body, err := io.ReadAll(answer.Body)
			if err := errors.Join(err, answer.Body.Close()); err != nil {
				return err
			}
			if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"pass"`) {
				return fmt.Errorf("/web/health answers %s: %s", answer.Status, body)
			}
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended before it answered: %w", err)
		case <-ctx.Done():
			return errors.New("it does not answer")
		case <-tick.C:
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// findInit initialises a database with a password from a file, and is refused
// the second time.
func findInit(ctx context.Context, s *subject) []string {
	if err := s.renew(ctx); err != nil {
		return failed(err)
	}
	address, err := s.postgres.Database(ctx)
	if err != nil {
		return failed(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		return failed(err)
	}
	dir, err := os.MkdirTemp("", "images-secret-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "db_password")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, []byte(s.postgres.Password), 0o400)); err != nil {
		return failed(err)
	}
	if _, err := s.store.Root(ctx, "chown", "1000:1000", file); err != nil {
		return failed(err)
	}
	p := buildahtest.Process{
		Args: []string{"odoo-init", strings.TrimPrefix(u.Path, "/"), "acme_base"},
		Env: map[string]string{
			"ODOO_DB_HOST": u.Hostname(), "ODOO_DB_PORT": u.Port(), "ODOO_DB_USER": u.User.Username(), "ODOO_DB_PASSWORD_FILE": "/run/secrets/odoo/db_password",
		},
		Volumes: map[string]string{"/run/secrets/odoo": dir},
	}
	if _, err := s.c.Run(ctx, p); err != nil {
		return failed(err)
	}
	states, err := moduleStates(ctx, address)
	if err != nil {
		return failed(err)
	}
	if want := "acme_base installed, base installed, web installed"; states != want {
		return []string{"the modules are " + states + ", and not " + want}
	}
	_, err = s.c.Run(ctx, p)
	if refused := (*buildahtest.Error)(nil); !errors.As(err, &refused) || refused.ExitCode() != 3 {
		return []string{fmt.Sprintf("a second odoo-init ends with %v, and not with exit code 3", err)}
	}
	return nil
}

// moduleStates are the modules of a database, by name.
func moduleStates(ctx context.Context, address string) (string, error) {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var states string
	err = c.QueryRow(ctx, "SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM ir_module_module").Scan(&states)
	return states, err
}
