package bot

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// discretion finds out which of some remotes a text in a repository must not
// tell of. Of those on the same forge, the forge is asked; one that it does not
// show to the bot is private.
func (b *Bot) discretion(ctx context.Context, f Reader, repo forge.Repo, urls []string) (refresh.Discretion, error) {
	if repo.Private {
		return refresh.Discretion{}, nil
	}
	d := refresh.Discretion{Public: true, Private: append([]string{}, b.Private...)}
	asked := map[string]bool{}
	for _, remote := range urls {
		name, here := sameForge(repo, remote)
		if id := refresh.RemoteID(remote); !here || asked[id] || !d.Tells(remote) {
			continue
		} else if asked[id] = true; name == repo.Name {
			continue
		}
		found, err := f.Repo(ctx, name)
		switch {
		case errors.Is(err, forge.ErrNotFound):
			d.Private = append(d.Private, remote)
		case err != nil:
			return d, err
		case found.Private:
			d.Private = append(d.Private, remote)
		}
	}
	return d, nil
}

// sameForge returns the name of a remote that is a repository of the forge that
// has repo.
func sameForge(repo forge.Repo, remote string) (forge.Name, bool) {
	base, err := url.Parse(strings.TrimSuffix(repo.WebURL, repo.String()))
	if err != nil || base.Host == "" {
		return forge.Name{}, false
	}
	prefix := strings.ToLower(base.Hostname() + "/" + strings.TrimPrefix(base.Path, "/"))
	id := refresh.RemoteID(remote)
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return forge.Name{}, false
	}
	name, err := forge.ParseName(rest)
	return name, err == nil
}
