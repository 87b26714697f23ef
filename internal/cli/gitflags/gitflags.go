// Package gitflags holds the flags of commands that ask git remotes.
package gitflags

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

// Flags say how remotes are asked.
type Flags struct {
	Credentials string
	Files       bool
	Jobs        int
}

// Register adds the flags to a command. jobs is the default of --jobs, what
// says what they are.
func (f *Flags) Register(cmd *cobra.Command, jobs int, what string) {
	flags := cmd.Flags()
	flags.StringVar(&f.Credentials, "git-credentials", "", "credential-store file for private remotes (default /run/secrets/git-credentials or git_credentials, where there is one)")
	flags.BoolVar(&f.Files, "allow-file-remotes", false, "allow remotes that are local paths")
	flags.IntVar(&f.Jobs, "jobs", jobs, what)
}

// Policy is the operator's.
func (f *Flags) Policy() gitname.Policy { return gitname.Operator(f.Files) }

// Client makes the git client; a credentials file that is named must exist.
// environ is the caller's environment.
func (f *Flags) Client(environ []string) (*git.Client, error) {
	if f.Jobs < 1 {
		return nil, cli.Usagef("--jobs is %d; it must be at least 1", f.Jobs)
	}
	file, err := CredentialsFile(f.Credentials)
	if err != nil {
		return nil, err
	}
	return git.New(git.Options{Policy: f.Policy(), CredentialsFile: file, Environ: environ}), nil
}

// CredentialsFile returns the file to read credentials from: the one that is
// named, which must exist, or a mounted secret where there is one, or "".
func CredentialsFile(named string) (string, error) {
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

// OpenStore opens the store of fetched sources in a directory, or in the user's
// own cache when none is named.
func OpenStore(client *git.Client, dir string) (*git.Store, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, cli.Usagef("%w; name a directory with --cache", err)
		}
		dir = filepath.Join(cache, "odyssey", "sources")
	}
	return client.OpenStore(dir)
}
