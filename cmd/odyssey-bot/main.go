// Odyssey-bot locks the sources of derived-image repositories and keeps them
// fresh with pull requests. It answers to lock-repos, odoo-enterprise-import and
// odoo-enterprise-download, too.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nuobit/odyssey/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	app := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	root := app.root()
	root.SetContext(ctx)
	defer app.end()
	return cli.Run(root, arguments(os.Args), os.Stderr)
}

// arguments are a call's words with the command that argv[0] stands for in
// front, and the three words of --refresh-merge made one.
func arguments(argv []string) []string {
	args := argv[1:]
	switch name := filepath.Base(argv[0]); name {
	case "lock-repos", "update-base-image-digest":
		args = append([]string{name}, args...)
	case "odoo-enterprise-import", "odoo-enterprise-download":
		args = append([]string{strings.TrimPrefix(name, "odoo-")}, args...)
	}
	return joinMergeNames(args)
}
