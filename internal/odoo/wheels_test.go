package odoo_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/test/addonwheels"
)

// loadManifests has one Python process read manifests as Odoo does.
func loadManifests(t *testing.T, files [][]byte) []odoo.Manifest {
	t.Helper()
	in, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-I", "testdata/manifest.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.String())
	}
	var all []odoo.Manifest
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// compareManifests compares what is read here with what Odoo reads.
func compareManifests(t *testing.T, files [][]byte) {
	t.Helper()
	for i, want := range loadManifests(t, files) {
		got, err := odoo.ParseManifest("", files[i])
		if err != nil {
			t.Errorf("%v\n%s", err, files[i])
			continue
		}
		slices.Sort(got.Depends)
		slices.Sort(got.ExternalPython)
		slices.Sort(got.ExternalBin)
		got.AutoInstallOn = slices.Compact(slices.Sorted(slices.Values(got.AutoInstallOn)))
		if diff := cmp.Diff(want, *got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-Odoo +here\n%s\n%s", diff, files[i])
		}
	}
}

// TestWheels puts the manifests of real addons into a tree, as one repository a series, and
// reads them by way of the addons path and by Python.
func TestWheels(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	want := map[string]string{} // module directory, wheel
	series := map[string]bool{}
	for _, wheel := range addonwheels.Wheels(t) {
		r, err := zip.OpenReader(wheel)
		if err != nil {
			t.Fatal(err)
		}
		_, version, _ := strings.Cut(filepath.Base(wheel), "-")
		dest, _, _ := strings.Cut(version, ".")
		for _, addons := range []string{"odoo/addons", "odoo_addons"} {
			sub, err := fs.Sub(r, addons)
			if err != nil {
				t.Fatal(err)
			}
			names, err := fs.Glob(sub, "*/__*__.py")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				data, err := fs.ReadFile(sub, name)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(src, dest, filepath.FromSlash(name))
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
					t.Fatal(err)
				}
				series[dest] = true
				want[filepath.Dir(path)] = wheel
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	var found []string
	var files [][]byte
	// Several series hold one module: each is a path of its own.
	for dest := range series {
		p, err := odoo.AddonsPath(src, []string{dest})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Roots) != 1 || len(p.Warnings) != 0 {
			t.Errorf("%s: %+v", dest, p)
		}
		manifests, faults, err := odoo.CheckModules(t.Context(), p)
		if err != nil || len(faults) > 0 {
			t.Errorf("%v, %v", faults, err)
		}
		for _, m := range manifests {
			found = append(found, filepath.Dir(m.Path))
			data, err := os.ReadFile(m.Path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, data)
		}
	}
	for _, dir := range found {
		delete(want, dir)
	}
	if len(found) == 0 || len(want) > 0 {
		t.Errorf("%d modules found; not found: %v", len(found), want)
	}
	compareManifests(t, files)
}
