package images

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/postgrestest"
)

// subject is a release that is looked at.
type subject struct {
	*scene
	c        *buildahtest.Container
	files    map[string]buildahtest.File
	config   *buildahtest.Config
	packages map[string]bool // Debian's, installed
	postgres *postgrestest.Server
}

// check finds what is wrong with a release, a line for each fault.
type check struct {
	name string
	find func(ctx context.Context, s *subject) []string
}

// checks are all of them; none needs another one.
var checks = []check{
	{"odoo-bin says its version", findVersion},
	{"pip check", findPip},
	{"imports", findImports},
	{"overrides", findOverrides},
	{"build packages are absent", findBuildPackages},
	{"runtime packages are present", findRuntimePackages},
	{"no file of the build", findBuildFiles},
	{"addons path", findAddonsPath},
	{"owners and modes", findOwners},
	{"setuid", findSetuid},
	{"configuration", findConfig},
	{"starts as the image's user", func(ctx context.Context, s *subject) []string { return findStart(ctx, s, "") }},
	{"starts as any user of group 0", func(ctx context.Context, s *subject) []string { return findStart(ctx, s, "54321:0") }},
	{"starts as any user", func(ctx context.Context, s *subject) []string { return findStart(ctx, s, "54321:54321") }},
	{"odoo-init on PostgreSQL", findInit},
}

// look reads what the checks look at.
func (s *scene) look(ctx context.Context, c *buildahtest.Container) (*subject, error) {
	found := &subject{scene: s, c: c}
	var err error
	if found.files, err = c.Files(ctx); err != nil {
		return nil, err
	}
	if found.packages, err = installed(ctx, c); err != nil {
		return nil, err
	}
	found.config, err = c.Config(ctx)
	return found, err
}

// lookAtBase reads what the checks compare with.
func (s *scene) lookAtBase(ctx context.Context) error {
	base, err := s.store.From(ctx, s.base)
	if err != nil {
		return err
	}
	defer base.Remove(ctx)
	if s.before, err = base.Files(ctx); err != nil {
		return err
	}
	s.basePackages, err = installed(ctx, base)
	return err
}

// installed reads which Debian packages are installed.
func installed(ctx context.Context, c *buildahtest.Container) (map[string]bool, error) {
	status, err := c.Read(ctx, "var/lib/dpkg/status")
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for paragraph := range strings.SplitSeq(status, "\n\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(paragraph, "Package: "), "\n")
		if strings.Contains(paragraph, "\nStatus: install ok installed\n") {
			all[name] = true
		}
	}
	return all, nil
}

// packageList reads a list of Debian packages.
func packageList(text string) (names []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		names = append(names, strings.Fields(line)...)
	}
	return names
}

// listed are the packages of an image's lists for one series, or for all.
func listed(image, series string) ([]string, error) {
	pattern := "{common," + series + "}.txt"
	files := []string{"common.txt", series + ".txt"}
	if series == "*" {
		files = []string{"*.txt"}
	}
	var names []string
	for _, file := range files {
		found, err := filepath.Glob(filepath.Join(root, "images", image, "packages", file))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("there is no %s in images/%s/packages: %w", pattern, image, err)
		}
		for _, name := range found {
			data, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			names = append(names, packageList(string(data))...)
		}
	}
	return names, nil
}

func findBuildPackages(_ context.Context, s *subject) (faults []string) {
	build, err := listed("builder", "*")
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range append(build, packageList(releaseFiles["system-build-packages.txt"])...) {
		if s.packages[name] && !s.basePackages[name] {
			faults = append(faults, "the package "+name+" is installed")
		}
	}
	tools := []string{
		"as", "c++", "cc", "g++", "gcc", "git", "gitaggregate", "ld", "lock-repos", "make", "odoo-build-image",
		"odoo-build-python-env", "odyssey-bot", "pip-compile", "uv",
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		if dir := path.Base(path.Dir(name)); (dir == "bin" || dir == "sbin") && slices.Contains(tools, path.Base(name)) {
			faults = append(faults, "/"+name+" is there")
		}
	}
	return faults
}

func findRuntimePackages(_ context.Context, s *subject) (faults []string) {
	names, err := listed("runtime", "17.0")
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range append(names, packageList(releaseFiles["system-runtime-packages.txt"])...) {
		if !s.packages[name] {
			faults = append(faults, "the package "+name+" is not installed")
		}
	}
	return faults
}

// findBuildFiles looks for what belongs into the repository, the source build
// or a secret store.
func findBuildFiles(_ context.Context, s *subject) (faults []string) {
	names := []string{
		".git", ".gitmodules", ".git-credentials", ".netrc", ".pypirc", "Dockerfile", "Dockerfile.source-build", "git-credentials", "git_credentials",
		"id_ed25519", "id_rsa", "repos.lock.yaml", "repos.yaml", "requirements-constraints.in", "requirements-overrides.in",
		"requirements.in", "requirements.lock.txt", "system-build-packages.txt",
	}
	dirs := []string{"build", "var/cache/odyssey", "root/.cache", "run/secrets", "opt/odyssey"}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		switch _, before := s.before[name]; {
		case before:
		case slices.Contains(names, path.Base(name)), slices.Contains(dirs, name),
			strings.HasPrefix(name, "opt/odoo/src/") && path.Base(name) == "__pycache__",
			strings.HasPrefix(name, "tmp/"), strings.HasPrefix(name, "var/lib/apt/lists/") && s.files[name].Type == 'f':
			faults = append(faults, "/"+name+" is there")
		}
	}
	return faults
}

// findOwners looks at what was added to the base: all of it belongs to root and
// may be read, and not written, by others, but for Odoo's data directory.
func findOwners(_ context.Context, s *subject) (faults []string) {
	const data, run = "var/lib/odoo", "run"
	fault := func(name string, f buildahtest.File) {
		faults = append(faults, fmt.Sprintf("/%s: mode %04o, owner %d:%d", name, f.Mode, f.UID, f.GID))
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[name]
		if before, ok := s.before[name]; ok && name != run && before.UID == f.UID && before.GID == f.GID && before.Mode == f.Mode {
			continue
		}
		readable := f.Mode&0o444 == 0o444 && (f.Type != 'd' || f.Mode&0o111 == 0o111)
		switch {
		case name == data:
			if f.Type != 'd' || f.Mode != 0o770 || f.UID != 1000 || f.GID != 0 {
				fault(name, f)
			}
		case name == run:
			if f.Mode != 0o1777 || f.UID != 0 {
				fault(name, f)
			}
		case strings.HasPrefix(name, "var/log/apt/") || strings.HasPrefix(name, "var/cache/apt/"): // APT has owners of its own
		case f.UID != 0 || f.GID != 0, f.Type != 'l' && f.Mode&0o022 != 0:
			fault(name, f)
		case strings.HasPrefix(name, "opt/odoo") || strings.HasPrefix(name, "etc/odoo") || strings.HasPrefix(name, "usr/local"):
			if f.Type != 'l' && !readable {
				fault(name, f)
			}
		}
	}
	for _, name := range []string{data, run} {
		if _, ok := s.files[name]; !ok {
			faults = append(faults, "/"+name+" is not there")
		}
	}
	return faults
}

func findSetuid(_ context.Context, s *subject) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		if f := s.files[name]; f.Mode&0o6000 != 0 && s.before[name].Mode&0o6000 != f.Mode&0o6000 {
			faults = append(faults, fmt.Sprintf("/%s: mode %04o", name, f.Mode))
		}
	}
	return faults
}
