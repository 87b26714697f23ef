package clitest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Reference compares the files of a directory that belong to a command, by
// their names, with what it says of itself; with update it writes them.
func Reference(t *testing.T, root *cobra.Command, reference string, update bool) {
	t.Helper()
	dir := t.TempDir()
	root.DisableAutoGenTag = true
	root.InitDefaultVersionFlag()
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		t.Fatal(err)
	}
	want := documents(t, dir, root.Name())
	if update {
		for name := range documents(t, reference, root.Name()) {
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
	if diff := cmp.Diff(want, documents(t, reference, root.Name())); diff != "" {
		t.Errorf("docs/reference is out of date; run: make generate\n(-want +got):\n%s", diff)
	}
}

// documents reads the Markdown files of a command.
func documents(t *testing.T, dir, command string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, command+"*.md"))
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

// Help checks that every command shows an example, and says what it is in one
// line without a full stop.
func Help(t *testing.T, root *cobra.Command) {
	t.Helper()
	walk(root, func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if strings.HasPrefix(name, root.Name()+" completion ") || name == root.Name()+" help" {
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
