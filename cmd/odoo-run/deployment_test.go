package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/deployment"
	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/standin"
)

const deployments = "../../scaffolds/deployment"

// inside puts what a container mounts into a directory of its own, and gives its
// variables with paths there.
func (h *house) inside(t *testing.T, c *deployment.Container, secret string) {
	t.Helper()
	h.dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names() {
		if err := os.Symlink(self, filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := standin.Write(filepath.Join(h.dir, "odoo")); err != nil {
		t.Fatal(err)
	}
	h.write(t, "addons_path", filepath.Join(h.dir, "odoo", "odoo", "addons")+","+filepath.Join(h.dir, "odoo", "addons")+"\n")
	h.env = []string{
		"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "ODOO_STRICT_SECRETS=1", "ODOO_RUN_PYTHON=" + standin.Python(t),
		"ODOO_BIN=" + filepath.Join(h.dir, "odoo", "odoo-bin"), "ODOO_RUNTIME_RC=" + filepath.Join(h.dir, "run", "odoo", "odoo-runtime.conf"),
		"ODOO_ADDONS_PATH_FILE=" + filepath.Join(h.dir, "addons_path"), // the image has it where odoo-run looks by itself
	}
	for path, text := range c.Files {
		h.write(t, path, text)
	}
	for _, path := range c.Secrets {
		h.write(t, path, secret+"\n")
	}
	for key, value := range c.Env {
		if strings.HasPrefix(value, "/") {
			value = filepath.Join(h.dir, value)
		}
		h.env = append(h.env, key+"="+value)
	}
}

// Every container of the deployment scaffolds that runs Odoo gives odoo-run what
// it takes, and is called as it can be. (An update asks the database even then; it
// is run below.)
func TestDeployment_check(t *testing.T) {
	t.Parallel()
	const secret = "canary-of-a-password"
	for _, kind := range []string{"k8s", "compose", "podman"} {
		for _, c := range deployment.Odoo(t, kind, filepath.Join(deployments, kind)) {
			words := c.Command
			switch {
			case len(words) == 0:
				words = []string{"odoo-run"} // the image's entrypoint
			case words[0] == "odoo-update":
				continue
			}
			h := &house{}
			h.inside(t, &c, secret)
			r := finish(t, h.command(t.Context(), words[0], append([]string{"--check"}, words[1:]...)...))
			said := r.stdout + r.stderr
			if r.code != 0 || !strings.Contains(said, "odoo.conf") || !strings.Contains(said, "db_password = [redacted]") || !strings.Contains(said, "admin_passwd = [redacted]") {
				t.Errorf("%s: %q exits with %d\n%s", c.Name, words, r.code, said)
			}
			if strings.Contains(said, secret) || strings.Contains(said, "warning") {
				t.Errorf("%s: %q says\n%s", c.Name, words, said)
			}
		}
	}
}

// The role that initdb makes can do what init and update need, and no more, and
// the database that they make and update is the one of odoo.conf.
func TestDeployment_database(t *testing.T) {
	t.Parallel()
	admin := newHouse(t)
	const secret = `pass'word "of" $(odoo) \ %s;#`
	admin.write(t, "db-password", secret+"\n")
	script := exec.CommandContext(t.Context(), "sh", filepath.Join(deployments, "compose", "initdb", "odoo.sh"))
	script.Env = []string{
		"PATH=" + postgrestest.New(t).Programs() + ":" + os.Getenv("PATH"), "PGHOST=" + admin.server.Hostname(), "PGPORT=" + admin.server.Port(),
		"PGPASSWORD=" + postgrestest.New(t).Password, "POSTGRES_USER=" + admin.server.User.Username(),
		"ODOO_DB_PASSWORD_FILE=" + filepath.Join(admin.dir, "db-password"),
	}
	if out, err := script.CombinedOutput(); err != nil || strings.Contains(string(out), secret) {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	roles := admin.texts(t, "SELECT rolcreatedb::text || ' ' || (rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls)::text FROM pg_roles WHERE rolname = 'odoo'")
	if len(roles) != 1 || roles[0] != "true false" {
		t.Errorf("the role may create databases, and more: %q", roles)
	}
	all := deployment.Odoo(t, "compose", filepath.Join(deployments, "compose"))
	for _, kind := range []string{"podman", "k8s"} {
		all = append(all, deployment.Odoo(t, kind, filepath.Join(deployments, kind))...)
	}
	for i, word := range []string{"odoo-init", "odoo-update"} {
		for _, c := range all {
			if len(c.Command) == 0 || c.Command[0] != word {
				continue
			}
			h := &house{}
			h.inside(t, &c, secret)
			h.env = append(h.env, "ODOO_DB_HOST="+admin.server.Hostname(), "ODOO_DB_PORT="+admin.server.Port())
			if r := finish(t, h.command(t.Context(), word, c.Command[1:]...)); r.code != 0 {
				t.Errorf("%s: %q exits with %d\n%s%s", c.Name, c.Command, r.code, r.stdout, r.stderr)
			}
			if i == 0 {
				break // there is one database
			}
		}
	}
	if names := admin.texts(t, "SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE rolname = 'odoo'"); len(names) != 1 || names[0] != "odoo" {
		t.Errorf("the databases of odoo are %q", names)
	}
}
