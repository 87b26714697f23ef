package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
)

// app is what the commands share: the outside world, read once.
type app struct {
	stdout, stderr io.Writer
	environ        []string
	log            cli.LogFlags
	atEnd          []func() error // what the command leaves to be closed
}

// end closes what a command has left. That a cache cannot be tidied is no fault
// of what was done.
func (a *app) end() {
	for _, closer := range a.atEnd {
		_ = closer()
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "odyssey-bot",
		Short: "Lock the sources of Odoo images, and keep them fresh with pull requests",
		Long: `Odyssey-bot locks the sources of derived-image repositories and keeps them
fresh with pull requests. A derived-image repository declares its sources in
repos.yaml, as git-aggregator reads it, and pins them in repos.lock.yaml.`,
		Example: `  odyssey-bot lock-repos                     # lock what repos.yaml declares
  odyssey-bot lock-repos --refresh ./odoo    # move one destination
  odyssey-bot plan                           # what would be proposed?
  odyssey-bot run --config odyssey.yaml      # propose it, once
  odyssey-bot serve --config odyssey.yaml    # propose it, from now on`,
		Version: cli.Version(),
		// Not all commands log, but none takes a flag that says nothing.
		PersistentPreRunE: func(*cobra.Command, []string) error {
			_, err := a.log.Logger(a.stderr)
			return err
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	a.log.Register(root)
	root.AddCommand(a.lockRepos(), a.plan(), a.run(), a.explain(), a.serve(), a.jobs(), a.bumpDeployment(), a.updateBase(), a.config(), a.schema(), a.githubManifest(), a.scaffold(), a.enterpriseImport(), a.enterpriseDownload())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		cli.Parent(completion).Example = `  source <(odyssey-bot completion bash)`
	}
	return root
}
