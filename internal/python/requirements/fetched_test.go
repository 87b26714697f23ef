package requirements_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/python/requirements"
)

// A file of fetched sources learns nothing of the environment, and sends nobody
// to a server; nor does a variable that may hold credentials in any file.
func TestFault_T1_FetchedRequirements(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	environ := []string{"PIP_INDEX_URL=https://u:canary@h/", "DATABASE_URL=postgres://u:canary@h/x", "VERSION=1.0", "PLAIN=canary"}
	for _, test := range []struct{ file, text, want string }{
		{"src/odoo/requirements.txt", "foo @ https://h/foo-1.zip?q=${PLAIN}", "variables are not expanded in this file"},
		{"src/odoo/more.txt", "--extra-index-url https://h/simple", "names where packages come from"},
		{"src/odoo/find.txt", "foo\n--find-links https://h/", "names where packages come from"},
		{"own.txt", "foo @ https://h/foo-1.zip?q=${PIP_INDEX_URL}", "may hold credentials"},
		{"own2.txt", "foo @ https://h/foo-1.zip?q=${DATABASE_URL}", "may hold credentials"},
		{"includes.txt", "-r src/odoo/requirements.txt", "variables are not expanded in this file"},
	} {
		file := write(test.file, test.text)
		_, err := requirements.Normalize(requirements.Input{Files: []string{file}, Environ: environ, Fetched: filepath.Join(dir, "src")})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", test.text, err)
		}
	}
	result, err := requirements.Normalize(requirements.Input{Files: []string{write("fine.txt", "foo==${VERSION}")}, Environ: environ, Fetched: filepath.Join(dir, "src")})
	if err != nil || result.Text() != "foo==1.0\n" {
		t.Errorf("%v, %v", result, err)
	}
}
