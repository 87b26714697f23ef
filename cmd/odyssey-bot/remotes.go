package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/git"
)

// remotes is how upstreams are asked: histories and what is in commits by what is
// kept of them, all else by the client.
type remotes struct {
	asked
	*git.Partials
}

// asked gives the client a place below the partials: both tell histories.
type asked struct{ *git.Client }

// openRemotes opens what is kept of remotes in a directory; "" keeps nothing
// beyond the command.
func (a *app) openRemotes(client *git.Client, dir string) (*remotes, error) {
	kept, err := client.OpenPartials(dir)
	if err != nil {
		return nil, err
	}
	a.atEnd = append(a.atEnd, kept.Close)
	return &remotes{asked{client}, kept}, nil
}

// openOwnRemotes is openRemotes for an operator: without a name it is the user's
// own cache, where that can be written.
func (a *app) openOwnRemotes(client *git.Client, dir string) (*remotes, error) {
	if dir != "" {
		return a.openRemotes(client, dir)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		if opened, err := a.openRemotes(client, filepath.Join(cache, "odyssey", "remotes")); err == nil {
			return opened, nil
		}
	}
	opened, err := a.openRemotes(client, "")
	if err != nil {
		return nil, fmt.Errorf("%w; name a directory with --cache", err)
	}
	return opened, nil
}
