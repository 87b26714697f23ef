package images

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/postgrestest"
)

// from makes a container that goes with the test.
func from(t *testing.T, s *scene, image string) *buildahtest.Container {
	t.Helper()
	c, err := s.store.From(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Remove(t.Context()) })
	return c
}

// see returns a container as it is now.
func see(t *testing.T, s *scene, c *buildahtest.Container) *subject {
	t.Helper()
	found, err := s.look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	found.postgres = postgrestest.New(t)
	return found
}

func TestRelease(t *testing.T) {
	s := built(t)
	subject := see(t, s, from(t, s, s.release))
	for _, check := range checks {
		t.Run(strings.ReplaceAll(check.name, " ", "_"), func(t *testing.T) {
			for _, fault := range check.find(t.Context(), subject) {
				t.Error(fault)
			}
		})
	}
}

// mutations break a release, each in a way that the named check must find.
var mutations = []struct{ check, script string }{
	{"odoo-bin says its version", "sed -i 's/17/16/' /opt/odoo/src/odoo/odoo/release.py"},
	{"odoo-bin says its version", "rm /usr/local/bin/odoo-run"},
	{"pip check", "rm -r /opt/odoo/venv/lib/python3.*/site-packages/six*"},
	{"imports", "dpkg --purge --force-depends libcups2t64"},
	{"imports", "dpkg --purge --force-depends libpq5"},
	{"imports", "rm /opt/odoo/src/odoo/odoo/__init__.py; echo 'raise ImportError' >/opt/odoo/src/odoo/odoo/__init__.py"},
	{"overrides", "sed -i 's/^Version: .*/Version: 3.7/' /opt/odoo/venv/lib/python3.*/site-packages/idna-*/METADATA"},
	{"build packages are absent", `printf 'Package: gcc\nStatus: install ok installed\n' >>/var/lib/dpkg/status`},
	{"build packages are absent", `printf 'Package: libcups2-dev\nStatus: install ok installed\n' >>/var/lib/dpkg/status`},
	{"build packages are absent", "touch /usr/bin/git"},
	{"build packages are absent", "mkdir -p /opt/tools/bin; ln -s /nowhere /opt/tools/bin/uv"},
	{"runtime packages are present", "dpkg --purge --force-depends libcups2t64"},
	{"runtime packages are present", "dpkg --purge --force-depends postgresql-client"},
	{"no file of the build", "touch /opt/odoo/requirements.lock.txt"},
	{"no file of the build", "touch /repos.lock.yaml"},
	{"no file of the build", "mkdir /opt/odoo/src/acme/.git"},
	{"no file of the build", "mkdir /opt/odoo/src/odoo/odoo/__pycache__"},
	{"no file of the build", "mkdir -p /run/secrets; touch /run/secrets/git_credentials"},
	{"addons path", "printf ,/opt/odoo/src/other >>/etc/odoo/addons_path"},
	{"addons path", "rm -r /opt/odoo/src/empty"},
	{"owners and modes", "chown 1000 /opt/odoo/src/acme/acme_base/__manifest__.py"},
	{"owners and modes", "chmod o+w /opt/odoo/venv/bin"},
	{"owners and modes", "chmod 0600 /etc/odoo/addons_path"},
	{"owners and modes", "chmod 0755 /var/lib/odoo"},
	{"owners and modes", "mkdir -m 0777 /srv/open"},
	{"setuid", "cp /usr/bin/true /usr/local/bin/x; chmod u+s /usr/local/bin/x"},
	{"setuid", "chmod g+s /usr/bin/python3.13"},
	{"configuration", "sed -i s/odoo:x:1000/odoo:x:1001/ /etc/passwd"},
	{"starts as the image's user", "chmod 0755 /run"},
	{"starts as any user of group 0", "chmod 0700 /opt/odoo/src"},
	{"starts as any user", "chmod 0750 /opt/odoo"},
	{"starts as any user", "chmod 0775 /run"},
	{"odoo-init on PostgreSQL", "rm -r /opt/odoo/src/acme/acme_base"},
	{"odoo-init on PostgreSQL", "rm -r /opt/odoo/venv/lib/python3.*/site-packages/psycopg2"},
}

// Each check finds what it is there for.
func TestRelease_mutated(t *testing.T) {
	s := built(t)
	covered := map[string]bool{}
	for _, m := range mutations {
		covered[m.check] = true
		t.Run(m.script, func(t *testing.T) {
			c := from(t, s, s.release)
			if _, err := c.Shell(t.Context(), m.script); err != nil {
				t.Fatal(err)
			}
			mustFind(t, see(t, s, c), m.check)
		})
	}
	for _, check := range checks {
		if !covered[check.name] {
			t.Errorf("nothing shows that the check %q can fail", check.name)
		}
	}
}

func mustFind(t *testing.T, subject *subject, name string) {
	t.Helper()
	for _, check := range checks {
		if check.name != name {
			continue
		}
		if len(check.find(t.Context(), subject)) == 0 {
			t.Errorf("%s: not found", name)
		}
		return
	}
	t.Fatalf("there is no check %q", name)
}

// So does that of the configuration, which is no file.
func TestRelease_mutatedConfiguration(t *testing.T) {
	s := built(t)
	for _, flag := range []string{"--user=0", "--entrypoint=[\"sh\"]", "--cmd=--dev=all", "--port=22", "--env=ODOO_LIST_DB=true", "--env=HOME=/", "--label=io.github.nuobit.odyssey.series=18.0"} {
		t.Run(flag, func(t *testing.T) {
			c := from(t, s, s.release)
			if err := c.Configure(t.Context(), flag); err != nil {
				t.Fatal(err)
			}
			mustFind(t, see(t, s, c), "configuration")
		})
	}
}

// contains reports whether a file has the text in it.
func contains(t *testing.T, file, text string) bool {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	window := make([]byte, 0, 2<<20)
	block := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(r, block)
		window = append(window, block[:n]...)
		if bytes.Contains(window, []byte(text)) {
			return true
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return false
		}
		window = append(window[:0], window[max(0, len(window)-len(text)):]...)
	}
}

// The password that the sources were fetched with is in no layer, whatever a
// later one hides, in no configuration, and not in what the builds said.
func TestFault_T1_ImageLayers(t *testing.T) {
	s := built(t)
	if strings.Contains(s.log, s.gitPassword) {
		t.Error("the builds have printed the password")
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	leaks := func(image string) bool {
		t.Helper()
		if err := s.store.Archive(t.Context(), image, file); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file)
		return contains(t, file, s.gitPassword)
	}
	for name, image := range map[string]string{"release": s.release, "source build": s.sourceBuild} {
		if leaks(image) {
			t.Errorf("a layer of the %s has the password", name)
		}
	}

	// A layer that has it under one that removes it is found.
	leak := s.release + "-leak"
	defer func() { _ = s.store.Forget(context.WithoutCancel(t.Context()), leak) }()
	c := from(t, s, s.release)
	for _, script := range []string{"echo " + s.gitPassword + " >/opt/odoo/token", "rm /opt/odoo/token"} {
		if _, err := c.Shell(t.Context(), script); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(t.Context(), leak); err != nil {
			t.Fatal(err)
		}
		c = from(t, s, leak)
	}
	if _, err := c.Read(t.Context(), "opt/odoo/token"); err == nil {
		t.Error("the leak is not hidden")
	}
	if !leaks(leak) {
		t.Error("a password in a layer below is not found")
	}
}
