// Package images tests the images of images/ and a release made with them by
// scaffolds/derived-image: it builds all with buildah, on Debian 13, and looks
// at what comes out. It is the validation suite that no image is published
// without.
package images

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/standin"
)

const (
	root     = "../.."
	scaffold = root + "/scaffolds/derived-image"
	gitUser  = "reader"
)

// scene is all that is built once.
type scene struct {
	store        *buildahtest.Store
	base, golang string
	// runtime, builder, sourceBuild and release are names of images.
	runtime, builder, sourceBuild, release string
	packed                                 string // what pack makes of the same source build
	run                                    string // part of the names of what is not shared
	gitPassword                            string
	lock                                   string                      // requirements.lock.txt as the first source build made it
	log                                    string                      // of the builds
	before                                 map[string]buildahtest.File // the base's
	basePackages                           map[string]bool
}

var theScene struct {
	once sync.Once
	scene
	err error
}

// built returns the scene, and builds it the first time.
func built(t *testing.T) *scene {
	t.Helper()
	s := &theScene
	s.once.Do(func() { s.err = s.build(context.Background()) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return &s.scene
}

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	if s := theScene.store; s != nil {
		// The foundations stay, as their layers are what takes long.
		for _, image := range []string{theScene.release, theScene.sourceBuild, theScene.packed} {
			if image != "" {
				_ = s.Forget(context.Background(), image)
			}
		}
		_ = s.Close()
	}
	os.Exit(code)
}

func (s *scene) build(ctx context.Context) error {
	var err error
	if s.store, err = buildahtest.Open(ctx); err != nil {
		return err
	}
	if s.base, err = s.store.Base(ctx); err != nil {
		return err
	}
	if s.golang, err = s.store.Go(ctx); err != nil {
		return err
	}
	if err := s.lookAtBase(ctx); err != nil {
		return err
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	s.run = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(dir))) // each work tree has images of its own
	s.gitPassword = "pw-" + rand.Text()
	if s.runtime, err = s.store.Runtime(ctx); err != nil {
		return err
	}
	if s.builder, err = s.store.Builder(ctx); err != nil {
		return err
	}
	return s.buildRelease(ctx)
}

// make builds an image and notes its name.
func (s *scene) make(ctx context.Context, name *string, b buildahtest.Build) error {
	out, err := s.store.Build(ctx, b)
	s.log += out
	if err == nil {
		*name = b.Image
	}
	return err
}

// The repository of the release: what the scaffold has, and these.
var releaseFiles = map[string]string{
	"requirements.in": `psycopg2==2.9.13 # compiled, with what the builder has
pycups==2.0.4 # compiled, with what system-build-packages.txt adds
python-dateutil==2.9.0.post0
`,
	"requirements-overrides.in":   "idna==3.10\n",
	"system-build-packages.txt":   "# what pycups is compiled with\nlibcups2-dev\n",
	"system-runtime-packages.txt": "# what it links\nlibcups2t64 # since trixie\n",
}

// buildRelease makes a release as the scaffold's documents say: locks, the
// source build that resolves the Python lock, the source build that uses it, the
// final image.
func (s *scene) buildRelease(ctx context.Context) (err error) {
	work, err := os.MkdirTemp("", "images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	git, err := gitserver.Start(work)
	if err != nil {
		return err
	}
	defer git.Stop()
	dir := filepath.Join(work, "release")
	if err := os.CopyFS(dir, os.DirFS(scaffold)); err != nil {
		return err
	}
	for name, content := range releaseFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	credentials := filepath.Join(work, "secrets", "git-credentials")
	if err := s.serveSources(git, credentials); err != nil {
		return err
	}
	if err := s.lockRepos(ctx, dir, filepath.Dir(credentials), reposYAML(git.URL)); err != nil {
		return err
	}
	if err := s.buildDerived(ctx, dir, credentials); err != nil {
		return err
	}
	return s.pack(ctx, work, dir, filepath.Dir(credentials))
}

func reposYAML(server string) string {
	text := ""
	for _, name := range []string{"odoo", "acme", "empty"} {
		text += fmt.Sprintf("./%[1]s:\n  remotes:\n    origin: %[2]s/%[1]s.git\n  target: origin 17.0\n  merges:\n    - origin 17.0\n", name, server)
	}
	return text
}

// serveSources fills the server, closes it to those without the password, and
// writes that for git's credential-store.
func (s *scene) serveSources(git *gitserver.Server, credentials string) error {
	t := &failing{}
	git.Repo(t, "odoo").Add(t, standin.Commit("17.0"))
	git.Repo(t, "acme").Commit(t, "17.0", map[string]string{
		"acme_base/__init__.py":     "",
		"acme_base/__manifest__.py": "{'name': 'Acme', 'version': '17.0.1.0.0', 'depends': ['web'], 'license': 'LGPL-3'}\n",
	})
	git.Repo(t, "empty").Commit(t, "17.0", map[string]string{"README.md": "no addon yet\n"})
	git.RequirePassword(gitUser, s.gitPassword)
	u, err := url.Parse(git.URL)
	if err != nil {
		return err
	}
	u.User = url.UserPassword(gitUser, s.gitPassword)
	return errors.Join(t.err, os.Mkdir(filepath.Dir(credentials), 0o755), os.WriteFile(credentials, []byte(u.String()+"\n"), 0o600))
}

// failing keeps the first failure of what needs a test and has none.
type failing struct{ err error }

func (f *failing) Fatalf(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// lockRepos writes repos.yaml and its lock, by the builder's lock-repos.
func (s *scene) lockRepos(ctx context.Context, dir, secrets, repos string) error {
	c, err := s.store.From(ctx, s.builder)
	if err != nil {
		return err
	}
	defer c.Remove(ctx)
	if err := c.Write(ctx, "/tmp/repos.yaml", repos, 0o644); err != nil {
		return err
	}
	_, err = c.Run(ctx, buildahtest.Process{
		Args:    []string{"lock-repos", "--repos", "/tmp/repos.yaml", "--lock", "/tmp/repos.lock.yaml"},
		Volumes: map[string]string{"/run/secrets": secrets},
	})
	if err != nil {
		return err
	}
	lock, err := c.Read(ctx, "/tmp/repos.lock.yaml")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "repos.yaml"), []byte(repos), 0o644),
		os.WriteFile(filepath.Join(dir, "repos.lock.yaml"), []byte(lock), 0o644))
}

func (s *scene) buildDerived(ctx context.Context, dir, credentials string) error {
	source := buildahtest.Build{
		Context: dir, File: filepath.Join(dir, "Dockerfile.source-build"), Image: "localhost/odyssey-test/source-build:" + s.run,
		Args:    map[string]string{"ODOO_BUILDER_IMAGE": s.builder, "REFRESH_REQUIREMENTS_LOCK": "1"},
		Secrets: map[string]string{"git_credentials": credentials}, Cache: true,
	}
	if err := s.make(ctx, &s.sourceBuild, source); err != nil {
		return err
	}
	c, err := s.store.From(ctx, s.sourceBuild)
	if err != nil {
		return err
	}
	defer c.Remove(ctx)
	if s.lock, err = c.Read(ctx, "build/requirements.lock.txt"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "requirements.lock.txt"), []byte(s.lock), 0o644); err != nil {
		return err
	}
	delete(source.Args, "REFRESH_REQUIREMENTS_LOCK")
	if err := s.make(ctx, &s.sourceBuild, source); err != nil {
		return err
	}
	return s.make(ctx, &s.release, buildahtest.Build{
		Context: dir, Image: "localhost/odyssey-test/release:" + s.run, Cache: true,
		Args: map[string]string{"ODOO_RUNTIME_IMAGE": s.runtime, "ODOO_SOURCE_BUILD_IMAGE": s.sourceBuild},
	})
}
