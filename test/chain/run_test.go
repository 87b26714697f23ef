package chain

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/deployment"
	"github.com/nuobit/odyssey/test/standin"
)

// deployed are the images of all containers of Odoo that a branch of the
// deployment repository has, as kustomize gives them.
func (s *stage) deployed(branch string) (images []string) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "deployment")
	cmd := exec.CommandContext(s.t.Context(), "git", "clone", "--quiet", "--depth", "1", "--branch", branch, s.Server.URL+"/"+s.deployment+".git", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("git clone: %v\n%s", err, out)
	}
	for _, c := range deployment.Odoo(s.t, "k8s", dir) {
		images = append(images, c.Image)
	}
	if len(images) == 0 {
		s.t.Fatal("the deployment runs nothing")
	}
	return images
}

// runs starts what the deployment names, makes a database by odoo-init, and
// looks into it.
func (s *stage) runs(image, version string) {
	s.t.Helper()
	ctx := s.t.Context()
	for _, got := range s.deployed("main") {
		if got != image {
			s.t.Errorf("the deployment has %s, and the image is %s", got, image)
		}
	}
	name, digest, _ := strings.Cut(image, "@")
	id, err := s.store.Pull(ctx, name[:strings.LastIndex(name, ":")]+"@"+digest, s.Owner.Login, s.tokens["REGISTRY_TOKEN"])
	s.must(err)
	s.t.Cleanup(func() { _ = s.store.Forget(ctx, id) })
	c, err := s.store.From(ctx, id)
	s.must(err)
	defer c.Remove(ctx)
	config, err := c.Config(ctx)
	s.must(err)
	out, err := c.Run(ctx, buildahtest.Process{Args: append(config.Entrypoint, "--", "--version")})
	if s.must(err); out != "Odoo Server "+standin.Series {
		s.t.Errorf("it says %q", out)
	}

	server, err := postgres()
	s.must(err)
	address, err := server.Database(ctx)
	s.must(err)
	u, err := url.Parse(address)
	s.must(err)
	dir := s.t.TempDir()
	s.must(os.WriteFile(filepath.Join(dir, "db_password"), []byte(server.Password), 0o400))
	_, err = s.store.Root(ctx, "chown", "-R", "1000:1000", dir)
	s.must(err)
	_, err = c.Run(ctx, buildahtest.Process{
		Args: []string{"odoo-init", strings.TrimPrefix(u.Path, "/"), "acme_base"},
		Env: map[string]string{
			"ODOO_DB_HOST": u.Hostname(), "ODOO_DB_PORT": u.Port(), "ODOO_DB_USER": u.User.Username(), "ODOO_DB_PASSWORD_FILE": "/run/secrets/odoo/db_password",
		},
		Volumes: map[string]string{"/run/secrets/odoo": dir},
	})
	s.must(err)

	db, err := pgx.Connect(ctx, address)
	s.must(err)
	defer db.Close(ctx)
	var states, installed string
	s.must(db.QueryRow(ctx, "SELECT string_agg(name || ' ' || state, ', ' ORDER BY name), max(latest_version) FILTER (WHERE name = 'acme_base') FROM ir_module_module").Scan(&states, &installed))
	if states != "acme_base installed, base installed, web installed" || installed != version {
		s.t.Errorf("the modules are %s, and acme_base has the version %s; want %s", states, installed, version)
	}
}
