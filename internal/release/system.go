package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/oci"
)

// SystemPackages is the list of Debian packages that an image needs beyond its base's.
type SystemPackages []string

var debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?$`)

// ReadSystemPackages reads a list: a package a line, # begins a comment. A
// package may be pinned, as apt-get has it: NAME=VERSION.
func ReadSystemPackages(path string) (SystemPackages, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all SystemPackages
	for i, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(line, "#")
		for word := range strings.FieldsSeq(line) {
			if !debianPackage.MatchString(word) {
				return nil, invalid("%s:%d: %q is no name of a Debian package", path, i+1, word)
			}
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// SystemTag is the tag of a base with these packages: what is there under it is used again, as Debian's
// archive gives other versions another day.
func SystemTag(base oci.Reference, p oci.Platform, packages SystemPackages) string {
	return "base-" + digest(append([]string{"system", "1", base.Digest, p.String()}, packages...)...)[:20]
}

// System says how a base with Debian packages is made.
type System struct {
	Client   *oci.Client
	Base     oci.Reference
	Platform oci.Platform
	Packages SystemPackages
	// Repository is where it is kept.
	Repository string
	// Tool is buildah or docker, a path or a name on PATH; "" for the one that is there.
	Tool string
	// Environ is what the tool sees.
	Environ []string
	// Log is told what the tool says.
	Log func(line string)
}

// Find returns the base with the packages that was made before, or else makes it.
func (s *System) Find(ctx context.Context) (ref oci.Reference, built bool, err error) {
	ref = oci.Reference{Repository: s.Repository, Tag: SystemTag(s.Base, s.Platform, s.Packages)}
	ref.Digest, err = s.Client.Resolve(ctx, ref)
	if !errors.Is(err, oci.ErrNotFound) {
		return ref, false, err
	}
	if err := s.build(ctx, ref); err != nil {
		return ref, false, err
	}
	ref.Digest, err = s.Client.Resolve(ctx, ref)
	return ref, true, err
}

// dockerfile installs the packages, and leaves nothing else behind that need be.
const dockerfile = `ARG BASE
FROM ${BASE}
USER root
RUN set -eu; \
    apt-get -qq update; \
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends %s; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER %s
`

// build has a tool build the base and push it.
func (s *System) build(ctx context.Context, ref oci.Reference) error {
	tool, err := s.tool()
	if err != nil {
		return err
	}
	image, err := s.Client.Image(ctx, s.Base, s.Platform)
	if err != nil {
		return err
	}
	user := image.User()
	if user == "" {
		user = "root"
	}
	if strings.ContainsAny(user, " \t\r\n\\$") {
		return invalid("%s runs as %q, which is no user", s.Base, user)
	}
	dir, err := os.MkdirTemp("", "odyssey-base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	text := fmt.Sprintf(dockerfile, strings.Join(s.Packages, " "), user)
	file := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	base := s.Base
	base.Tag = ""
	name := ref.WithTag(ref.Tag).String()
	for _, args := range s.commands(tool, base.String(), name, file, dir) {
		if err := s.run(ctx, tool, args); err != nil {
			return err
		}
	}
	return nil
}

// commands are the calls that build and push.
func (s *System) commands(tool, base, name, file, dir string) [][]string {
	if strings.HasPrefix(filepath.Base(tool), "docker") {
		return [][]string{
			{"build", "--pull", "--platform", s.Platform.String(), "--build-arg", "BASE=" + base, "--tag", name, "--file", file, dir},
			{"push", name},
		}
	}
	tls := []string{}
	if oci.IsLoopback(name) {
		tls = []string{"--tls-verify=false"}
	}
	return [][]string{
		slices.Concat([]string{"bud", "--isolation", "chroot", "--format", "oci", "--platform", s.Platform.String()}, tls, []string{"--build-arg", "BASE=" + base, "--tag", name, "--file", file, dir}),
		slices.Concat([]string{"push"}, tls, []string{name, "docker://" + name}),
	}
}

func (s *System) tool() (string, error) {
	names := []string{"buildah", "docker"}
	if s.Tool != "" {
		names = []string{s.Tool}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", invalid("the image needs Debian packages (%s), which %s has to install, and there is none here\n  run this where there is one, with the same files and the same output: odoo-build-image base",
		strings.Join(s.Packages, ", "), strings.Join(names, " or "))
}

func (s *System) run(ctx context.Context, tool string, args []string) error {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = s.Environ
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	for line := range strings.Lines(out.String()) {
		s.Log(strings.TrimRight(line, "\n"))
	}
	if err != nil {
		tail := out.Bytes()
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(tool), args[0], err, bytes.ToValidUTF8(tail[max(0, len(tail)-2000):], []byte("?")))
	}
	return nil
}
