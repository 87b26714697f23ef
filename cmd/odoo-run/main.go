// Odoo-run starts Odoo in a container: it renders the configuration from a
// base file, the image's addons path and secrets, and gives its place to Odoo.
// It answers to odoo-init, odoo-update, odoo-shell and odoo-neutralize, too.
package main

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/odoo/launch"
)

func main() { os.Exit(run()) }

func run() int {
	a := &app{
		stdout: os.Stdout, stderr: os.Stderr,
		options: launch.Options{Environ: os.Environ(), Random: rand.Text, ImageAddonsPath: launch.ImageAddonsPath},
	}
	root := a.command(filepath.Base(os.Args[0]))
	return cli.Run(root, words(root, os.Args[1:]), os.Stderr)
}
