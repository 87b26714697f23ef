package main

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/nuobit/odyssey/test/clitest"
)

var update = flag.Bool("update", false, "write the command reference into docs/reference instead of comparing")

// TestReference compares docs/reference/odoo-build-image*.md with what the
// commands say of themselves. make generate writes them.
func TestReference(t *testing.T) {
	t.Parallel()
	clitest.Reference(t, (&app{}).root(), filepath.Join("..", "..", "docs", "reference"), *update)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	clitest.Help(t, (&app{}).root())
}
