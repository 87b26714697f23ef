// Odoo-build-image turns the locks of a derived-image repository into the
// source tree, the addons path and the Python environment of an image. It
// answers to odoo-generate-addons-path, odoo-build-python-env and
// odoo-normalize-requirements, too.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/nuobit/odyssey/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// What is built here is read by another user in the image.
	syscall.Umask(0o022)
	app := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	root := app.root()
	root.SetContext(ctx)
	return cli.Run(root, arguments(os.Args), os.Stderr)
}

// arguments are a call's words with the command that argv[0] stands for in
// front.
func arguments(argv []string) []string {
	switch filepath.Base(argv[0]) {
	case "odoo-generate-addons-path":
		return append([]string{"addons-path"}, argv[1:]...)
	case "odoo-build-python-env":
		return append([]string{"python-env"}, argv[1:]...)
	case "odoo-normalize-requirements":
		return append([]string{"normalize-requirements"}, argv[1:]...)
	}
	return argv[1:]
}
