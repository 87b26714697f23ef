package main

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/nuobit/odyssey/test/clitest"
)

var update = flag.Bool("update", false, "write the command reference into docs/reference instead of comparing")

// TestReference compares docs/reference/odoo-run.md and those of the other
// names with what the commands say of themselves. make generate writes them.
func TestReference(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		clitest.Reference(t, (&app{}).command(name), filepath.Join("..", "..", "docs", "reference"), *update)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		clitest.Help(t, (&app{}).command(name))
	}
}
