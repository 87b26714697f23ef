package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Nothing of the bot is in the program, nor what would make it large.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^github\.com/nuobit/odyssey/(cmd/odoo-run|internal/(cli|near|secret|yamldoc|odoo/(addon|conf|database|launch|upkeep)))$`)
	refused := regexp.MustCompile(`riverqueue|go-git|go-github|code\.gitea\.io|go-containerregistry|modernc\.org|prometheus|^net/http$|^github\.com/jackc/pgx/v5$`)
	seen := 0
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if ours := strings.HasPrefix(name, "github.com/nuobit/odyssey/"); ours && !allowed.MatchString(name) || refused.MatchString(name) {
			t.Errorf("odoo-run links %s", name)
		} else if ours {
			seen++
		}
	}
	if seen < 8 {
		t.Errorf("only %d packages of ours: the list says nothing\n%s", seen, out)
	}
}

// The program as it is released is static and small.
func TestBinary(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "odoo-run")
	build := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", root, "odoo-run", "ODOO_RUN="+file)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	const most = 10_000_000 // bytes
	if info.Size() >= most {
		t.Errorf("it has %d bytes, and should have less than %d", info.Size(), most)
	}
	version, err := exec.CommandContext(t.Context(), "go", "version", "-m", file).Output()
	if err != nil || !strings.Contains(string(version), "CGO_ENABLED=0") {
		t.Errorf("%v\n%s", err, version)
	}
	if out, err := exec.CommandContext(t.Context(), file, "--version").Output(); err != nil || !strings.HasPrefix(string(out), "odoo-run version ") {
		t.Errorf("%v: %s", err, out)
	}
}
