package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/standin"
)

// house is a stand-in for Odoo, an addon of ours, and a database.
type house struct {
	dir, url, name string
	server         *url.URL
	env            []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), url: postgrestest.URL(t)}
	var err error
	if h.server, err = url.Parse(h.url); err != nil {
		t.Fatal(err)
	}
	h.name = strings.TrimPrefix(h.server.Path, "/")
	if err := standin.Write(filepath.Join(h.dir, "odoo")); err != nil {
		t.Fatal(err)
	}
	h.write(t, "addons/sale_fix/__manifest__.py", "{'name': 'fix', 'version': '17.0.1.0.0', 'depends': ['sale']}\n")
	h.write(t, "addons/sale_fix/models.py", "1\n")
	h.write(t, "password", postgrestest.New(t).Password+"\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names() {
		if err := os.Symlink(self, filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.env = []string{
		"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "ODOO_RUN_PYTHON=" + standin.Python(t), "ODOO_BIN=" + filepath.Join(h.dir, "odoo", "odoo-bin"),
		"ODOO_RUNTIME_RC=" + filepath.Join(h.dir, "run", "odoo.conf"), "ODOO_DB_HOST=" + h.server.Hostname(), "ODOO_DB_PORT=" + h.server.Port(),
		"ODOO_DB_USER=" + h.server.User.Username(), "ODOO_DB_PASSWORD_FILE=" + filepath.Join(h.dir, "password"),
		"ODOO_ADDONS_PATH=" + filepath.Join(h.dir, "odoo", "odoo", "addons") + "," + filepath.Join(h.dir, "odoo", "addons") + "," + filepath.Join(h.dir, "addons"),
	}
	return h
}

func (h *house) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is what came of a command.
type result struct {
	code           int
	stdout, stderr string
}

func (h *house) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(h.dir, name), args...)
	cmd.Env = h.env
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		r.code = failed.ExitCode()
	} else if err != nil {
		t.Error(err)
	}
	return r
}

// run runs a command that must exit with code and say something.
func (h *house) run(t *testing.T, code int, says, name string, args ...string) result {
	t.Helper()
	r := finish(t, h.command(t.Context(), name, args...))
	if r.code != code || !strings.Contains(r.stderr, says) {
		t.Errorf("%s %q: exit code %d, want %d and %q\n%s%s", name, args, r.code, code, says, r.stdout, r.stderr)
	}
	if strings.Contains(r.stdout+r.stderr, postgrestest.New(t).Password) {
		t.Errorf("%s %q shows the password:\n%s%s", name, args, r.stdout, r.stderr)
	}
	return r
}

func (h *house) exec(t *testing.T, sql string) {
	t.Helper()
	c := h.connect(t)
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func (h *house) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), h.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// texts is the first column of a query.
func (h *house) texts(t *testing.T, sql string) []string {
	t.Helper()
	rows, err := h.connect(t).Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const installed = "SELECT name FROM ir_module_module WHERE state = 'installed' ORDER BY name"

func TestInit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 2, `there is no module "sale_fixx" on the addons path`, "odoo-init", h.name, "base,sale_fixx")
	if r := h.run(t, 0, "", "odoo-init", h.name, "sale_fix", "--check"); !strings.HasSuffix(r.stdout, "-d "+h.name+" -i sale_fix --stop-after-init --without-demo=all\n") {
		t.Errorf("--check: %s", r.stdout)
	}
	if got := h.texts(t, "SELECT relname::text FROM pg_class WHERE relname = 'ir_module_module'"); len(got) > 0 {
		t.Error("something was done")
	}
	if r := h.run(t, 0, "initialising "+h.name, "odoo-init", h.name, "sale_fix"); r.stdout != "" {
		t.Errorf("stdout: %s", r.stdout)
	}
	if diff := cmp.Diff([]string{"account", "base", "sale", "sale_fix", "web"}, h.texts(t, installed)); diff != "" {
		t.Error(diff)
	}
	if got := h.texts(t, "SELECT name FROM ir_module_module WHERE demo"); len(got) > 0 {
		t.Errorf("with demonstration data: %q", got)
	}
	h.run(t, 3, "is a database of Odoo already", "odoo-init", h.name)
	// What was installed is known: nothing has changed.
	h.run(t, 0, "no addon of "+h.name+" has changed", "odoo-update", h.name, "--changed")
}

func TestInit_refuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.exec(t, "CREATE SCHEMA other; CREATE TABLE other.customers (id int)")
	h.run(t, 4, "it has the table customers", "odoo-init", h.name)
	h.exec(t, "CREATE VIEW looks AS SELECT 1")
	h.run(t, 4, "it has 2 tables, such as customers", "odoo-init", h.name)
	if got := h.texts(t, "SELECT relname::text FROM pg_class WHERE relname = 'ir_module_module'"); len(got) > 0 {
		t.Error("something was done")
	}
	for _, name := range []string{"postgres", "template0", "template1"} {
		h.run(t, 2, "is not for Odoo", "odoo-init", name)
	}
	template := newHouse(t)
	template.exec(t, "UPDATE pg_database SET datistemplate = true WHERE datname = current_database()")
	template.run(t, 2, "it is a template", "odoo-init", template.name)
	template.exec(t, "UPDATE pg_database SET datistemplate = false WHERE datname = current_database()")
	// What belongs to an extension is no table of somebody's.
	template.exec(t, "CREATE TABLE of_extension (id int); ALTER EXTENSION plpgsql ADD TABLE of_extension")
	template.run(t, 0, "", "odoo-init", template.name)
}

func TestInit_createsDatabase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	name := h.name + "-new"
	h.run(t, 0, "initialising", "odoo-init", name)
	defer h.exec(t, `DROP DATABASE "`+name+`"`)
	h.run(t, 3, "already", "odoo-init", name)
	h.run(t, 1, "does not exist", "odoo-update", h.name+"-none", "all")
}

func TestInit_serverFaults(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	with := func(kv string) *house {
		other := *h
		name, _, _ := strings.Cut(kv, "=")
		other.env = append(slices.DeleteFunc(slices.Clone(h.env), func(have string) bool { return strings.HasPrefix(have, name+"=") }), kv)
		return &other
	}
	with("ODOO_DB_PORT=1").run(t, 1, "is the server up, and are db_host and db_port those of it?", "odoo-init", h.name)
	h.write(t, "wrong", "canary")
	r := with("ODOO_DB_PASSWORD_FILE="+filepath.Join(h.dir, "wrong")).run(t, 1, "refuses the user or the password", "odoo-init", h.name)
	if strings.Contains(r.stderr, "canary") {
		t.Error(r.stderr)
	}
	with("ODOO_DB_PORT=1").run(t, 1, "database "+h.name+": ", "odoo-update", h.name, "all")
}

// Two jobs that begin at once: one does it, the other one sees it done.
func TestInit_twice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, name := range []string{h.name, h.name + "-race"} {
		codes := make(chan int)
		const jobs = 4
		for range jobs {
			go func() { codes <- finish(t, h.command(t.Context(), "odoo-init", name)).code }()
		}
		var all []int
		for range jobs {
			all = append(all, <-codes)
		}
		slices.Sort(all)
		if !slices.Equal(all, []int{0, 3, 3, 3}) {
			t.Errorf("%s: exit codes %v", name, all)
		}
	}
	h.exec(t, `DROP DATABASE "`+h.name+`-race"`)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 1, "is no database of Odoo", "odoo-update", h.name, "all")
	h.run(t, 0, "", "odoo-init", h.name, "sale_fix,stock")
	for _, args := range [][]string{{h.name}, {h.name, "all", "--changed"}, {h.name, "--changed", "--lock-timeout=-1s"}, {h.name, "all", "--lock-timeout", "x"}} {
		h.run(t, 2, "error: ", "odoo-update", args...)
	}
	h.run(t, 2, "did you mean sale", "odoo-update", h.name, "sale,salle")

	changed := func(code int, want string, args ...string) {
		t.Helper()
		r := h.run(t, code, "", "odoo-update", append([]string{h.name, "--changed", "--detailed-exitcode"}, args...)...)
		if r.stdout != want {
			t.Errorf("updated %q, want %q", r.stdout, want)
		}
	}
	changed(0, "")
	h.write(t, "addons/sale_fix/models.py", "2\n")
	h.write(t, "odoo/addons/stock/new.py", "")
	h.write(t, "odoo/addons/web/static/src/new.js", "") // needs no update
	h.write(t, "addons/not_installed/__manifest__.py", "{}")
	r := h.run(t, 0, "", "odoo-update", h.name, "--changed", "--check")
	if !strings.Contains(r.stdout, "-d "+h.name+" -u sale_fix,stock --stop-after-init\n") {
		t.Errorf("--check: %s", r.stdout)
	}
	changed(5, "sale_fix\nstock\n")
	changed(0, "")

	// Named ones are updated, and the others' changes are not forgotten.
	h.write(t, "addons/sale_fix/models.py", "3\n")
	h.write(t, "odoo/addons/stock/new.py", "1\n")
	h.run(t, 0, "updating "+h.name+": stock", "odoo-update", h.name, "stock")
	changed(5, "sale_fix\n", "--neutralize")
	h.write(t, "addons/sale_fix/models.py", "4\n")
	h.run(t, 5, "", "odoo-update", "--detailed-exitcode", h.name, "all")
	changed(0, "")

	// A broken update leaves it to be done.
	h.write(t, "addons/sale_fix/__manifest__.py", "{'depends': ['missing']}\n")
	h.run(t, 1, "update "+h.name+": Odoo ended with exit code 1", "odoo-update", h.name, "--changed")
	h.write(t, "addons/sale_fix/__manifest__.py", "{'depends': ['sale'], 'version': '17.0.2.0.0'}\n")
	changed(5, "sale_fix\n")
	h.exec(t, "UPDATE ir_config_parameter SET value = 'nonsense' WHERE key = 'module_auto_update.installed_checksums'")
	h.run(t, 1, "module_auto_update.installed_checksums is not what odoo-update wrote", "odoo-update", h.name, "--changed")
}

// The parameter is the one that click-odoo-update reads and writes.
func TestUpdate_clickOdooUpdate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	const parameter = "SELECT value FROM ir_config_parameter WHERE key = 'module_auto_update.installed_checksums'"
	if got := h.texts(t, parameter); len(got) != 1 || !strings.HasPrefix(got[0], `{"base":"`) {
		t.Errorf("%q", got)
	}
	h.exec(t, `UPDATE ir_config_parameter SET value = '{"base": false, "gone": false}' WHERE key = 'module_auto_update.installed_checksums'`)
	h.exec(t, "INSERT INTO ir_config_parameter (key, value) VALUES ('module_auto_update.exclude_patterns', '*.pyc, *.txt')")
	if r := h.run(t, 0, "", "odoo-update", h.name, "--changed"); r.stdout != "base\n" {
		t.Errorf("%q", r.stdout)
	}
	h.write(t, "odoo/odoo/addons/base/notes.txt", "does not count")
	if r := h.run(t, 0, "no addon", "odoo-update", h.name, "--changed"); r.stdout != "" {
		t.Errorf("%q", r.stdout)
	}
}

func TestNeutralize(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	const payment = "INSERT INTO ir_module_module (name, state) VALUES ('payment_x', 'installed') ON CONFLICT (name) DO UPDATE SET state = 'installed'"
	h.exec(t, payment)
	if r := h.run(t, 0, "", "odoo-neutralize", h.name, "--stdout"); !strings.HasPrefix(r.stdout, "BEGIN;\n") {
		t.Errorf("stdout: %s", r.stdout)
	}
	if got := h.texts(t, installed); !slices.Contains(got, "payment_x") {
		t.Error("--stdout did it")
	}
	h.run(t, 0, "", "odoo-neutralize", h.name)
	if got := h.texts(t, installed); slices.Contains(got, "payment_x") {
		t.Error("it was not done")
	}
	h.exec(t, payment)
	h.run(t, 0, "neutralizing "+h.name, "odoo-update", h.name, "--changed", "--neutralize")
	if got := h.texts(t, installed); slices.Contains(got, "payment_x") {
		t.Error("it was not done after an update with nothing to do")
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	cmd := h.command(t.Context(), "odoo-shell", h.name)
	cmd.Stdin = strings.NewReader("cr.execute('SELECT count(*) FROM ir_module_module')\nprint(cr.fetchone())\n")
	if r := finish(t, cmd); r.code != 0 || r.stdout != "(1,)\n" {
		t.Errorf("%+v", r)
	}
}

// Another session holds a lock: it is named, and the update is ended, of which
// nothing is left.
func TestUpdate_lock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	holder, err := h.connect(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SET application_name = 'report'; LOCK TABLE ir_module_module"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := h.run(t, 1, "waited too long for a lock", "odoo-update", h.name, "all", "--lock-timeout=1s")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if !strings.Contains(r.stderr, `application "report", idle in transaction`) {
		t.Errorf("the holder is not named:\n%s", r.stderr)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.run(t, 0, "", "odoo-update", h.name, "all", "--lock-timeout=1s")
}
