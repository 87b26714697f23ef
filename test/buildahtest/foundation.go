package buildahtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Version and Revision are what the foundation images say of themselves.
const (
	Version  = "17.0-py313-trixie-r0042"
	Revision = "6054e2d0c1b2a3948576605142332415a6b7c8d9"
)

// Foundation is the build of images/NAME as a user would ask for it, with the
// bases replaced by those that are to be had here. It has no name yet.
func (s *Store) Foundation(ctx context.Context, name string) (Build, error) {
	base, err := s.Base(ctx)
	if err != nil {
		return Build{}, err
	}
	golang, err := s.Go(ctx)
	if err != nil {
		return Build{}, err
	}
	b := Build{
		Context: s.tree, File: filepath.Join(s.tree, "images", name, "Dockerfile"), Cache: true,
		Args: map[string]string{"GO_IMAGE": golang, "VERSION": Version, "REVISION": Revision},
	}
	switch name {
	case "runtime":
		b.AllStages = true
		b.Args["WKHTMLTOPDF_URL"] = "" // GitHub cannot be reached
		for _, series := range []string{"16_0", "17_0", "18_0", "19_0"} {
			b.Args["BASE_"+series] = base
		}
	case "bot":
		b.Args["BASE_IMAGE"] = base
	}
	if proxy := os.Getenv("GOPROXY"); proxy != "" {
		b.Args["GOPROXY"] = proxy
	}
	return b, nil
}

// Runtime returns the name of the runtime image for 17.0. It is made once for
// each content of what it is built of.
func (s *Store) Runtime(ctx context.Context) (string, error) { return s.made(ctx, "runtime", nil) }

// Builder returns the name of the builder image on that runtime image.
func (s *Store) Builder(ctx context.Context) (string, error) {
	runtime, err := s.Runtime(ctx)
	if err != nil {
		return "", err
	}
	return s.made(ctx, "builder", map[string]string{"ODOO_RUNTIME_IMAGE": runtime})
}

// Bot returns the name of the bot's image.
func (s *Store) Bot(ctx context.Context) (string, error) { return s.made(ctx, "bot", nil) }

// made returns the name of a foundation image, and builds it where there is none.
func (s *Store) made(ctx context.Context, name string, args map[string]string) (string, error) {
	b, err := s.Foundation(ctx, name)
	if err != nil {
		return "", err
	}
	for key, value := range args {
		b.Args[key] = value
	}
	key, err := s.key(name, b)
	if err != nil {
		return "", err
	}
	b.Image = repository + name + ":" + key
	return b.Image, s.once(ctx, b.Image, func() error {
		_, err := s.Build(ctx, b)
		return err
	})
}

// key is a short hash of what a foundation image is built of: its arguments, and
// what .dockerignore leaves of the work tree.
func (s *Store) key(name string, b Build) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, b.Args)
	for _, part := range []string{"Makefile", "go.mod", "go.sum", "cmd", "images/" + name, "internal", "scaffolds"} {
		err := filepath.WalkDir(filepath.Join(s.tree, part), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "__pycache__"):
				return fs.SkipDir
			case entry.IsDir(), strings.HasSuffix(path, "_test.go"):
				return nil
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			fmt.Fprintf(sum, "%s %o %d %s", strings.TrimPrefix(path, s.tree), info.Mode(), len(data), data)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// Push brings an image to a registry without TLS, under a name there, and
// returns its digest. user and password may be empty.
func (s *Store) Push(ctx context.Context, image, name, user, password string) (digest string, err error) {
	dir, err := s.login(name, user, password)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "digest")
	_, err = s.buildah(ctx, "push", "--quiet", "--tls-verify=false", "--authfile", filepath.Join(dir, "auth.json"), "--digestfile", file, image, "docker://"+name)
	if err != nil {
		return "", err
	}
	out, err := s.Root(ctx, "cat", file)
	return strings.TrimSpace(string(out)), err
}

// Pull brings an image, NAME@DIGEST, of a registry without TLS here, and returns
// its id.
func (s *Store) Pull(ctx context.Context, name, user, password string) (id string, err error) {
	dir, err := s.login(name, user, password)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	return s.buildah(ctx, "pull", "--quiet", "--tls-verify=false", "--authfile", filepath.Join(dir, "auth.json"), "docker://"+name)
}

// Digest is that of an image's manifest in the storage.
func (s *Store) Digest(ctx context.Context, image string) (string, error) {
	return s.buildah(ctx, "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", image)
}
