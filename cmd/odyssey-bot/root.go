package main

import (
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

// app is what the commands share: the outside world, read once.
type app struct {
	stdout, stderr io.Writer
	environ        []string
	log            cli.LogFlags
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
  odyssey-bot run --config odyssey.yaml      # propose it`,
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
	root.AddCommand(a.lockRepos(), a.plan(), a.run(), a.config(), a.schema())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		parent(completion).Example = `  source <(odyssey-bot completion bash)`
	}
	return root
}

// parent makes a command of one that only holds others: without more words it
// prints its help, and a word that is none of its commands is wrong usage.
func parent(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cli.Args(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// gitFlags say how remotes are asked.
type gitFlags struct {
	credentials string
	files       bool
	jobs        int
}

func (f *gitFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.credentials, "git-credentials", "", "credential-store file for private remotes (default /run/secrets/git-credentials or git_credentials, where there is one)")
	flags.BoolVar(&f.files, "allow-file-remotes", false, "allow remotes that are local paths")
	flags.IntVar(&f.jobs, "jobs", 16, "remotes asked at once")
}

func (f *gitFlags) policy() gitname.Policy { return gitname.Operator(f.files) }

// client makes the git client; a credentials file that is named must exist.
func (f *gitFlags) client(a *app) (*git.Client, error) {
	if f.jobs < 1 {
		return nil, cli.Usagef("--jobs is %d; it must be at least 1", f.jobs)
	}
	file, err := credentialsFile(f.credentials)
	if err != nil {
		return nil, err
	}
	return git.New(git.Options{Policy: f.policy(), CredentialsFile: file, Environ: a.environ}), nil
}

// credentialsFile returns the file to read credentials from, or "".
func credentialsFile(named string) (string, error) {
	if named != "" {
		info, err := os.Stat(named)
		if err == nil && !info.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: named, Err: fs.ErrInvalid}
		}
		if err != nil {
			return "", cli.Usagef("credentials file: %w", err)
		}
		return named, nil
	}
	for _, path := range []string{"/run/secrets/git-credentials", "/run/secrets/git_credentials"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", nil
}
