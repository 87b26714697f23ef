package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/registrytest"
)

// pack makes an image of the source build without a daemon: the runtime image
// and a base with the repository's Debian packages are in a registry, and pack
// runs in the source build, where there is no buildah.
func (s *scene) pack(ctx context.Context, work, dir, secrets string) error {
	registry, err := registrytest.StartDaemon(ctx, filepath.Join(work, "registry"))
	if err != nil {
		return err
	}
	defer registry.Stop()
	runtime := registry.Host + "/nuobit/oci-odoo:" + buildahtest.Version
	digest, err := s.store.Push(ctx, s.runtime, runtime, "", "")
	if err != nil {
		return err
	}
	runtime += "@" + digest
	output := "docker://" + registry.Host + "/acme/odoo"
	list := filepath.Join(dir, "system-runtime-packages.txt")
	if err := s.thinBase(ctx, work, runtime, list, output); err != nil {
		return err
	}

	c, err := s.store.From(ctx, s.sourceBuild)
	if err != nil {
		return err
	}
	defer c.Remove(ctx)
	packages, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	if err := c.Write(ctx, "/build/system-runtime-packages.txt", string(packages), 0o644); err != nil {
		return err
	}
	if _, err := c.Shell(ctx, compile); err != nil {
		return err
	}
	image, err := c.Run(ctx, buildahtest.Process{
		Args: []string{
			"odoo-build-image", "pack", "--base", runtime, "--system-packages", "/build/system-runtime-packages.txt", "--output", output,
			"--next-tag", "17.0-py313-trixie-r", "/build/repos.lock.yaml",
		},
		Volumes: map[string]string{"/run/secrets": secrets},
	})
	if err != nil {
		return err
	}
	name, digest, _ := strings.Cut(image, "@")
	if name != registry.Host+"/acme/odoo:17.0-py313-trixie-r0001" {
		return fmt.Errorf("pack prints %q", image)
	}
	s.packed, err = s.store.Pull(ctx, registry.Host+"/acme/odoo@"+digest, "", "")
	return err
}

// compile compiles the environment as one does for an image, and leaves one file
// as it is left by who just runs Python.
const compile = `
site=/opt/odoo/venv/lib/python3.13/site-packages
PYTHONHASHSEED=0 /opt/odoo/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash "$site"
/opt/odoo/venv/bin/python -O -m compileall -q --invalidation-mode timestamp "$site/six.py"`

// thinBase has odoo-build-image make a base with Debian packages by the buildah
// of this machine, and take it when it is there.
func (s *scene) thinBase(ctx context.Context, work, runtime, list, output string) error {
	program := filepath.Join(work, "odoo-build-image")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/nuobit/odyssey/cmd/odoo-build-image").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	environ, err := s.store.Environ(filepath.Join(work, "storage.conf"))
	if err != nil {
		return err
	}
	var bases []string
	for range 2 {
		out, err := s.store.Root(ctx, slices.Concat([]string{"env"}, environ, []string{program, "base", "--base", runtime, "--system-packages", list, "--output", output, "--tool", "buildah"})...)
		if err != nil {
			return err
		}
		bases = append(bases, strings.TrimSpace(string(out)))
	}
	if bases[0] != bases[1] || !strings.HasPrefix(bases[0], strings.TrimPrefix(output, "docker://")+":base-") {
		return fmt.Errorf("base prints %q", bases)
	}
	return nil
}

// What pack assembles passes all that a release built by the Dockerfiles does.
func TestPacked(t *testing.T) {
	s := built(t)
	subject := see(t, s, from(t, s, s.packed))
	for _, check := range checks {
		t.Run(strings.ReplaceAll(check.name, " ", "_"), func(t *testing.T) {
			for _, fault := range check.find(t.Context(), subject) {
				t.Error(fault)
			}
		})
	}
}

// compiled prints what is wrong with the compiled files of the environment, and
// how many there are.
const compiled = `
import importlib.util as u, marshal, os, sys
count = 0
for top, _, names in os.walk("/opt/odoo/venv"):
    for name in names:
        path = os.path.join(top, name)
        if name.endswith(".pyc"):
            if not os.path.exists(u.source_from_cache(path)):
                print(path, "has no source")
            if open(path, "rb").read(8)[4:] != bytes([1, 0, 0, 0]):
                print(path, "is to be checked")
        if not name.endswith(".py"):
            continue
        source = open(path, "rb").read()
        try:
            compile(source, path, "exec")
        except SyntaxError:
            continue
        try:
            data = open(u.cache_from_source(path), "rb").read()
        except FileNotFoundError:
            print(path, "is not compiled")
            continue
        if data[:4] != u.MAGIC_NUMBER:
            print(path, "was compiled by another Python")
        elif data[8:16] != u.source_hash(source):
            print(path, "was compiled from another source")
        elif marshal.loads(data[16:]).co_filename != path:
            print(path, "was compiled elsewhere")
        count += 1
print(count)
`

// All of the environment is compiled by the Python that runs it, where it is, and
// needs no check of times, which an image does not keep.
func TestPacked_compiled(t *testing.T) {
	s := built(t)
	c := from(t, s, s.packed)
	find := func() (faults []string, count int) {
		t.Helper()
		out, err := c.Run(t.Context(), buildahtest.Process{Args: []string{python, "-c", compiled}})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out, "\n")
		if _, err := fmt.Sscan(lines[len(lines)-1], &count); err != nil {
			t.Fatal(err)
		}
		return lines[:len(lines)-1], count
	}
	faults, count := find()
	if len(faults) > 0 || count < 100 {
		t.Errorf("%d files are compiled: %s", count, strings.Join(faults, "\n"))
	}
	for _, script := range []string{
		"echo 'x = 1' >>/opt/odoo/venv/lib/python3.13/site-packages/six.py",
		"rm /opt/odoo/venv/lib/python3.13/site-packages/__pycache__/polib.*",
		"/opt/odoo/venv/bin/python -m compileall -q -f --invalidation-mode timestamp /opt/odoo/venv/lib/python3.13/site-packages/idna/core.py",
		"mv /opt/odoo/venv/lib/python3.13/site-packages/passlib/pwd.py /tmp",
	} {
		if _, err := c.Shell(t.Context(), script); err != nil {
			t.Fatal(err)
		}
		if now, _ := find(); len(now) <= len(faults) {
			t.Errorf("what %q does is not found", script)
		} else {
			faults = now
		}
	}
}
