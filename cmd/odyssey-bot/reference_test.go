package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/nuobit/odyssey/internal/cli"
)

var update = flag.Bool("update", false, "write the command reference into docs/reference instead of comparing")

// reference is where the generated documents are.
var reference = filepath.Join("..", "..", "docs", "reference")

// TestReference compares docs/reference/*.md with what the commands say of
// themselves. make generate writes them.
func TestReference(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := (&app{}).root()
	root.DisableAutoGenTag = true
	root.InitDefaultVersionFlag()
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		t.Fatal(err)
	}
	want := documents(t, dir)
	if *update {
		for name := range documents(t, reference) {
			if err := os.Remove(filepath.Join(reference, name)); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(reference, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, documents(t, reference)); diff != "" {
		t.Errorf("docs/reference is out of date; run: make generate\n(-want +got):\n%s", diff)
	}
}

// documents reads the Markdown files of a directory.
func documents(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// TestReference_schema: schema prints the published schemas.
func TestReference_schema(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"odyssey.schema.json":        {"schema"},
		"odyssey-server.schema.json": {"schema", "--server"},
	} {
		published, err := os.ReadFile(filepath.Join(reference, name))
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		app := &app{stdout: &stdout, stderr: &stderr}
		if code := cli.Run(app.root(), args, &stderr); code != 0 {
			t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
		}
		var want, got any
		if err := json.Unmarshal(published, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-published +printed):\n%s", name, diff)
		}
	}
}

// TestHelp: every command shows an example, says what it is in one line without
// a full stop, and what each of its flags does.
func TestHelp(t *testing.T) {
	t.Parallel()
	walk((&app{}).root(), func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if strings.HasPrefix(name, "odyssey-bot completion ") || name == "odyssey-bot help" {
			return // cobra's own
		}
		if !strings.Contains(cmd.Example, cmd.Name()) {
			t.Errorf("%s has no example of itself: %q", name, cmd.Example)
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: %q", name, cmd.Short)
		}
		if help := cmd.UsageString(); !strings.Contains(help, "Examples:") {
			t.Errorf("%s --help shows no example:\n%s", name, help)
		}
	})
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}
