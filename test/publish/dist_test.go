package publish

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const release = "v1.2.3"

// copyTree copies what git knows of the work tree, as it is now, without git.
func copyTree(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		info, statErr := os.Stat(filepath.Join(root, name))
		if err := errors.Join(err, statErr); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, info.Mode())); err != nil {
			t.Fatal(err)
		}
	}
}

// dist has make build what a tag publishes, from a copy of the work tree.
func dist(t *testing.T, umask, architectures string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "odyssey")
	copyTree(t, dir)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `umask "$1"; exec make dist VERSION="$2" ARCHITECTURES="$3"`, "bash", umask, release, architectures)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make dist: %v\n%s", err, out)
	}
	return filepath.Join(dir, "dist")
}

// The programs are static, of their architecture, and say their version; the
// checksums are right; the archive is the same from another directory.
func TestDist(t *testing.T) {
	t.Parallel()
	dir := dist(t, "022", "amd64 arm64")
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	sums := read(t, filepath.Join(dir, "SHA256SUMS"))
	if n := bytes.Count(sums, []byte("\n")); n != 8 {
		t.Errorf("%d files have a checksum:\n%s", n, sums)
	}
	for name, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		files := unpack(t, filepath.Join(dir, "odyssey-"+release+"-linux-"+name+".tar.gz"))
		want := []string{"LICENSE", "NOTICE", "odoo-build-image", "odoo-run", "odyssey-bot"}
		if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
			t.Errorf("%s has %v", name, got)
		}
		for _, program := range want[2:] {
			file, err := elf.NewFile(bytes.NewReader(files[program]))
			if err != nil {
				t.Fatal(err)
			}
			libraries, err := file.ImportedLibraries()
			if err != nil || len(libraries) > 0 || file.Machine != machine || !bytes.Contains(files[program], []byte(release)) {
				t.Errorf("%s for %s: %v, it links %v and is for %s", program, name, err, libraries, file.Machine)
			}
			checkSBOM(t, filepath.Join(dir, program+"-"+release+"-linux-"+name+".cdx.json"), program)
		}
	}
	again := filepath.Join(dist(t, "077", "amd64"), "odyssey-"+release+"-linux-amd64.tar.gz")
	if !bytes.Equal(read(t, again), read(t, filepath.Join(dir, filepath.Base(again)))) {
		t.Error("the archive is another one from another directory")
	}
}

// checkSBOM looks for what a program is known to be made of.
func checkSBOM(t *testing.T, file, program string) {
	t.Helper()
	var bom struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version string
			Purl          string
		}
	}
	if err := json.Unmarshal(read(t, file), &bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || c.Name != "github.com/nuobit/odyssey" || c.Version != release {
		t.Errorf("%s is of %+v", file, c)
	}
	found := map[string]bool{}
	for _, c := range bom.Components {
		found[c.Name] = c.Version != "" && strings.HasPrefix(c.Purl, "pkg:golang/")
	}
	module := map[string]string{
		"odyssey-bot": "github.com/riverqueue/river", "odoo-build-image": "github.com/google/go-containerregistry", "odoo-run": "github.com/spf13/cobra",
	}[program]
	if !found[module] || !found["std"] {
		t.Errorf("%s has no %s, or no standard library", file, module)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unpack reads the files of an archive, each below its one directory.
func unpack(t *testing.T, file string) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		dir, name := filepath.Split(h.Name)
		if dir != strings.TrimSuffix(filepath.Base(file), ".tar.gz")+"/" || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 || h.Mode&0o022 != 0 || h.Mode&0o444 != 0o444 {
			t.Errorf("%s: %+v", file, h)
		}
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
