package images

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
)

func TestRuntime(t *testing.T) {
	s := built(t)
	found := see(t, s, from(t, s, s.runtime))
	for _, find := range []func(context.Context, *subject) []string{findBuildPackages, findBuildFiles, findOwners, findSetuid, findConfig} {
		for _, fault := range find(t.Context(), found) {
			t.Error(fault)
		}
	}
	for name, f := range found.files {
		if strings.HasPrefix(name, "opt/odoo/") || strings.HasPrefix(name, "etc/odoo/") || strings.Contains(name, "wkhtmlto") {
			t.Errorf("/%s (%c) is there", name, f.Type)
		}
	}
	for label, want := range map[string]string{
		"org.opencontainers.image.title": "Odoo 17.0 runtime", "org.opencontainers.image.version": buildahtest.Version, "org.opencontainers.image.revision": buildahtest.Revision,
	} {
		if got := found.config.Labels[label]; got != want {
			t.Errorf("%s is %q, want %q", label, got, want)
		}
	}
	for _, name := range []string{"odoo-run", "odoo-init", "odoo-update", "odoo-shell", "odoo-neutralize"} {
		out, err := found.c.Run(t.Context(), buildahtest.Process{Args: []string{name, "--version"}})
		if want := name + " version " + buildahtest.Version + " "; err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("%v: %q, want %q", err, out, want)
		}
	}
}

func TestBuilder(t *testing.T) {
	s := built(t)
	c := from(t, s, s.builder)
	config, err := c.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Entrypoint) > 0 || config.User != "0:0" || config.Labels["org.opencontainers.image.title"] != "Odoo 17.0 builder" {
		t.Errorf("%+v", config)
	}
	pins, err := os.ReadFile(filepath.Join(root, "images", "builder", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, uv, _ := strings.Cut(string(pins), "\nuv==")
	uv, _, _ = strings.Cut(uv, " ")
	for command, want := range map[string]string{
		"uv --version":                         "uv " + uv,
		"git --version":                        "git version 2.",
		"gcc --version":                        "gcc ",
		"odoo-build-image --version":           "odoo-build-image version " + buildahtest.Version,
		"odoo-generate-addons-path --help":     "",
		"odoo-build-python-env --help":         "",
		"odoo-normalize-requirements --help":   "",
		"odyssey-bot --version":                "odyssey-bot version " + buildahtest.Version,
		"lock-repos --help":                    "",
		"odoo-run --version":                   "odoo-run version " + buildahtest.Version,
		"python3 -c 'import ensurepip, venv'":  "",
		"test -e /run/secrets && exit 1; true": "",
	} {
		out, err := c.Run(t.Context(), buildahtest.Process{Args: []string{"sh", "-c", command}})
		if err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("%s: %v: %q, want %q", command, err, out, want)
		}
	}
	found, err := installed(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	names, err := listed("builder", "17.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !found[name] {
			t.Errorf("the package %s is not installed", name)
		}
	}
}

// variant is the build of a foundation image with other arguments, as an image
// of a kind that is kept.
func variant(t *testing.T, s *scene, name, kind string, args map[string]string) buildahtest.Build {
	t.Helper()
	b, err := s.store.Foundation(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	b.Image = "localhost/odyssey-test/" + kind + ":" + s.run
	maps.Copy(b.Args, args)
	if err := s.store.Keep(b.Image); err != nil {
		t.Fatal(err)
	}
	return b
}

// The programs are built for the other architecture, on this one.
func TestPrograms_arm64(t *testing.T) {
	s := built(t)
	b := variant(t, s, "runtime", "runtime-arm64", nil)
	b.Target = "programs"
	b.Args["TARGETARCH"] = "arm64" // as --platform linux/arm64 does, which needs arm64's base, too
	if out, err := s.store.Build(t.Context(), b); err != nil {
		t.Fatal(err, out)
	}
	c := from(t, s, b.Image)
	program, err := c.Read(t.Context(), "odoo-run")
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.NewFile(strings.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := file.ImportedLibraries()
	if err != nil || file.Machine != elf.EM_AARCH64 || len(libraries) > 0 {
		t.Errorf("%v: %v, %v", err, file.Machine, libraries)
	}
}

// seriesOf are the Odoo series that the runtime's Dockerfile has a base for,
// with its image.
func seriesOf(t *testing.T) map[string]string {
	t.Helper()
	series := map[string]string{}
	for name, value := range arguments(t, "runtime") {
		if major, ok := strings.CutPrefix(name, "BASE_"); ok {
			series[strings.ReplaceAll(major, "_", ".")] = value
		}
	}
	return series
}

// baseArgument is the ARG of a series' base.
func baseArgument(series string) string { return "BASE_" + strings.ReplaceAll(series, ".", "_") }

// APT can install what the lists of each series name together, and there is
// all of it for the other architecture.
func TestPackages(t *testing.T) {
	s := built(t)
	c := from(t, s, s.base)
	own, err := c.Shell(t.Context(), "dpkg --print-architecture")
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[own]
	out, err := c.Shell(t.Context(), "dpkg --add-architecture "+other+"; apt-get update >&2; sed -n 's/^Package: //p' /var/lib/apt/lists/*_binary-"+other+"_Packages")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for name := range strings.Lines(out) {
		there[strings.TrimSpace(name)] = true
	}
	simulate := func(names ...string) error {
		_, err := c.Shell(t.Context(), "apt-get install --simulate --no-install-recommends "+strings.Join(names, " "))
		return err
	}
	if err := simulate("libfreetype6", "no-such-package"); err == nil || there["no-such-package"] {
		t.Error("APT finds what is not there")
	}
	series := seriesOf(t)
	if got := slices.Sorted(maps.Keys(series)); !slices.Equal(got, []string{"16.0", "17.0", "18.0", "19.0"}) {
		t.Errorf("the Dockerfile has the series %v", got)
	}
	for name := range series {
		var names []string
		for _, image := range []string{"runtime", "builder"} {
			found, err := listed(image, name)
			if err != nil {
				t.Error(err)
			}
			names = append(names, found...)
		}
		if err := simulate(names...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, of := range names {
			if !there[of] {
				t.Errorf("%s: there is no %s for %s", name, of, other)
			}
		}
	}
}

// debian makes a Debian package with a wkhtmltopdf that only says its version.
func debian(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const control = "Package: wkhtmltox\nVersion: 1:0.12.6.1-3.bookworm\nArchitecture: amd64\nMaintainer: nobody <nobody@example.com>\nDescription: stand-in\n"
	for name, file := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"DEBIAN/control":                {control, 0o644},
		"usr/local/bin/wkhtmltopdf":     {"#!/bin/sh\necho 'wkhtmltopdf 0.12.6.1 (with patched qt)'\n", 0o755},
		"usr/local/lib/libwkhtmltox.so": {"", 0o644},
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(file.content), file.mode)); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(t.TempDir(), "wkhtmltox.deb")
	if out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "--build", dir, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	return deb
}

func TestWkhtmltopdf(t *testing.T) {
	s := built(t)
	deb := debian(t)
	data, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	right := hex.EncodeToString(sum[:])
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(deb))))
	defer server.Close()
	build := func(t *testing.T, target string, args map[string]string) (*buildahtest.Container, error) {
		t.Helper()
		b := variant(t, s, "runtime", "runtime-wkhtmltopdf", args)
		b.Target = target
		if out, err := s.store.Build(t.Context(), b); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		return from(t, s, b.Image), nil
	}

	for name, test := range map[string]struct {
		url, sum, want string
	}{
		"another content": {server.URL + "/wkhtmltox.deb", strings.Repeat("0", 64), "has the SHA-256 " + right},
		"no checksum":     {server.URL + "/wkhtmltox.deb", "", "--build-arg WKHTMLTOPDF_URL="},
		"no SHA-256":      {server.URL + "/wkhtmltox.deb", "sha256:0", "64 hexadecimal digits"},
		"not there":       {server.URL + "/absent.deb", right, "404"},
		"nobody answers":  {"http://127.0.0.1:1/x.deb", right, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := build(t, "wkhtmltopdf", map[string]string{"WKHTMLTOPDF_URL": test.url, "WKHTMLTOPDF_SHA256_AMD64": test.sum, "WKHTMLTOPDF_SHA256_ARM64": test.sum})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}

	c, err := build(t, "", map[string]string{"WKHTMLTOPDF_URL": server.URL + "/wkhtmltox.deb", "WKHTMLTOPDF_SHA256_AMD64": right, "WKHTMLTOPDF_SHA256_ARM64": right})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Run(t.Context(), buildahtest.Process{Args: []string{"wkhtmltopdf", "--version"}})
	if err != nil || out != "wkhtmltopdf 0.12.6.1 (with patched qt)" {
		t.Errorf("%v: %q", err, out)
	}
	for _, fault := range findOwners(t.Context(), see(t, s, c)) {
		t.Error(fault)
	}
}
