package requirements_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

var update = flag.Bool("update", false, "write testdata/*/want anew")

// environment is that of CPython on Linux, for a minor version.
func environment(minor string) pep508.Environment {
	return pep508.Environment{
		"python_version": minor, "python_full_version": minor + ".3", "implementation_version": minor + ".3",
		"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "platform_release": "6.12.48", "platform_version": "#1 SMP",
		"platform_python_implementation": "CPython", "implementation_name": "cpython",
	}
}

// golden is a directory testdata/NAME. Its in holds requirements.txt (as
// Odoo's, in odoo/), requirements.in, constraints.in, overrides.in, each if
// it is there; NAME ends in the version of Python.
func golden(t *testing.T, dir string) requirements.Input {
	t.Helper()
	in := filepath.Join(dir, "in")
	there := func(names ...string) []string {
		var paths []string
		for _, name := range names {
			path := filepath.Join(in, name)
			if _, err := os.Stat(path); err == nil {
				paths = append(paths, path)
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		return paths
	}
	_, version, _ := strings.Cut(filepath.Base(dir), "-py")
	return requirements.Input{
		Files: there("odoo/requirements.txt", "requirements.in"), Constraints: there("constraints.in"), Overrides: strings.Join(there("overrides.in"), ""),
		Env: environment(version), Environ: []string{"VERSION=1.0", "EMPTY=", "LINES=a\nb", "API_TOKEN=s3cr3t", "HIDDEN=s3cr3t"}, Root: in,
	}
}

func goldenDirs(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*-py*")
	if err != nil || len(dirs) < 5 {
		t.Fatal(dirs, err)
	}
	return dirs
}

func TestNormalize_Golden(t *testing.T) {
	t.Parallel()
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			result, err := requirements.Normalize(golden(t, dir))
			got := map[string]string{"error.txt": "", "requirements.txt": "", "constraints.txt": "", "report.md": ""}
			if err != nil {
				got["error.txt"] = strings.ReplaceAll(err.Error(), filepath.Join(dir, "in")+"/", "") + "\n"
			} else {
				got["requirements.txt"], got["constraints.txt"], got["report.md"] = result.Text(), result.ConstraintsText(), result.Markdown()
			}
			for name, text := range got {
				compareGolden(t, filepath.Join(dir, "want", name), []byte(text))
			}
		})
	}
}

// compareGolden compares a file; one that is not there is empty.
func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	if !*update {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", path, got, want)
		return
	}
	if len(got) == 0 {
		err = os.Remove(path)
	} else if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
		err = os.WriteFile(path, got, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAgree_PipGolden: without overrides, pip makes the same of the golden
// files; and what comes out of them, pip reads as the same once more.
func TestAgree_PipGolden(t *testing.T) {
	t.Parallel()
	var cases []pipCase
	var results []*requirements.Result
	var roots []string
	for _, dir := range goldenDirs(t) {
		in := golden(t, dir)
		in.Overrides = ""
		result, err := requirements.Normalize(in)
		if err != nil {
			continue
		}
		again := requirements.Input{Env: in.Env, Root: t.TempDir()}
		again.Files, again.Constraints = []string{filepath.Join(again.Root, "requirements.txt")}, []string{filepath.Join(again.Root, "constraints.txt")}
		writeFile(t, again.Files[0], result.Text())
		writeFile(t, again.Constraints[0], result.ConstraintsText())
		second, err := requirements.Normalize(again)
		if err != nil {
			t.Fatalf("%s, once more: %v", dir, err)
		}
		if second.Text() != result.Text() || second.ConstraintsText() != result.ConstraintsText() {
			t.Errorf("%s, once more:\n%s%s", dir, second.Text(), second.ConstraintsText())
		}
		cases = append(cases,
			pipCase{Files: in.Files, Constraints: in.Constraints, Environ: map[string]string{"VERSION": "1.0"}, Environment: in.Env},
			pipCase{Files: again.Files, Constraints: again.Constraints, Environment: in.Env})
		results, roots = append(results, result, second), append(roots, absolute(t, in.Root), again.Root)
	}
	for i := range cases {
		for _, list := range [][]string{cases[i].Files, cases[i].Constraints} {
			for j := range list {
				list[j] = absolute(t, list[j])
			}
		}
	}
	if len(cases) < 8 {
		t.Fatal("too few cases")
	}
	for i, want := range askPip(t, cases) {
		checkPip(t, strings.Join(cases[i].Files, " "), roots[i], results[i], want)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
