package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/test/clitest"
)

var update = flag.Bool("update", false, "write the command reference into docs/reference instead of comparing")

// reference is where the generated documents are.
var reference = filepath.Join("..", "..", "docs", "reference")

// TestReference compares docs/reference/*.md with what the commands say of
// themselves. make generate writes them.
func TestReference(t *testing.T) {
	t.Parallel()
	clitest.Reference(t, (&app{}).root(), reference, *update)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	clitest.Help(t, (&app{}).root())
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
