package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func (a *app) config() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Work with .odyssey.yaml and odyssey.yaml",
		Example: `  odyssey-bot config example > .odyssey.yaml
  odyssey-bot config check`,
	}
	var server bool
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file, and report all its faults",
		Long: `Check a repository's .odyssey.yaml, or with --server the bot's odyssey.yaml and
the token files that it names. All faults are reported at once. A repository
without .odyssey.yaml, or with an empty one, has the defaults.

Exit codes: 0 the file is good, 2 it is not.`,
		Example: `  odyssey-bot config check
  odyssey-bot config check --server /etc/odyssey/odyssey.yaml`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if server {
				return a.checkServer(append(args, config.ServerFile)[0])
			}
			return a.checkRepo(append(args, config.RepoFile)[0], len(args) > 0)
		},
	}
	check.Flags().BoolVar(&server, "server", false, "the file is the bot's own configuration")
	example := &cobra.Command{
		Use:   "example",
		Short: "Print an .odyssey.yaml that says what holds without one",
		Long: `Print an .odyssey.yaml with every setting, its default and a comment that tells
what it does: a file to begin with, and what holds in a repository without one.`,
		Example: `  odyssey-bot config example > .odyssey.yaml`,
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return a.print(config.Example) },
	}
	cmd.AddCommand(check, example)
	return cli.Parent(cmd)
}

// print writes what was made to stdout, with one newline at its end.
func (a *app) print(made func() ([]byte, error)) error {
	data, err := made()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", trimNewline(data))
	return err
}

func (a *app) checkRepo(path string, named bool) error {
	data, err := yamldoc.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		a.say("there is no %s here: the defaults apply", path)
		return nil
	}
	if err == nil {
		_, err = config.ParseRepo(path, data)
	}
	if err != nil {
		if filepath.Base(path) == config.ServerFile {
			err = fmt.Errorf("%w\n  this looks like the bot's own configuration: odyssey-bot config check --server %s", err, path)
		}
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	a.say("%s is good", path)
	return nil
}

func (a *app) checkServer(path string) error {
	server, err := config.LoadServer(path)
	if err != nil {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	for _, warning := range server.Warnings {
		a.say("warning: %s", warning)
	}
	for _, f := range server.Forges {
		if f.WebhookSecret.Reveal() == "" && f.Watches() {
			a.say("warning: forge %s lacks webhookSecretFile: run does without, serve refuses to start", f.Name)
		}
	}
	if dir := filepath.Dir(server.Store); server.Store != "" {
		if _, err := os.Stat(dir); err != nil {
			a.say("warning: store: %s; serve needs that directory", err)
		}
	}
	a.say("%s is good", path)
	return nil
}

func (a *app) schema() *cobra.Command {
	var server bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of .odyssey.yaml",
		Long: `Print the JSON Schema of .odyssey.yaml, or with --server of odyssey.yaml, for
editors and other tools.`,
		Example: `  odyssey-bot schema > odyssey.schema.json`,
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			schema := config.RepoSchema
			if server {
				schema = config.ServerSchema
			}
			return a.print(schema)
		},
	}
	cmd.Flags().BoolVar(&server, "server", false, "print the schema of the bot's own configuration")
	return cmd
}

func trimNewline(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
	}
	return data
}
