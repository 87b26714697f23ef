package bot

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// discretion finds out which of some remotes a text in a repository must not
// tell of; enterprise are those that have Odoo Enterprise. Of those on the same
// forge, the forge is asked; one that it does not show to the bot is private. One
// elsewhere is, unless anybody may read it.
func (b *Bot) discretion(ctx context.Context, f Reader, repo forge.Repo, urls, enterprise []string) (refresh.Discretion, error) {
	d := refresh.Discretion{Public: !repo.Private, Enterprise: slices.Concat(b.Private, enterprise)}
	for _, remote := range urls {
		if refresh.IsEnterprise(remote) {
			d.Enterprise = append(d.Enterprise, remote)
		}
	}
	own := refresh.RemoteID(repo.WebURL)
	if repo.Private {
		d.Enterprise = slices.DeleteFunc(d.Enterprise, func(remote string) bool { return refresh.RemoteID(remote) == own })
		return d, nil
	}
	asked := map[string]bool{own: true}
	for _, remote := range urls {
		if !d.Tells(remote) {
			continue
		}
		id := refresh.RemoteID(remote)
		if asked[id] {
			continue
		}
		asked[id] = true
		name, here := sameForge(repo, remote)
		if !here {
			public, err := b.Git.Public(ctx, remote)
			if ctx.Err() != nil {
				return refresh.Discretion{}, ctx.Err()
			}
			if err != nil { // it is down, or has moved: that is no reason to propose nothing of others
				b.Log.Warn("not known who may read a remote", "repo", repo.String(), "remote", gitname.Redact(remote), "err", err)
			}
			if !public {
				d.Private = append(d.Private, remote)
			}
			continue
		}
		found, err := f.Repo(ctx, name)
		switch {
		case errors.Is(err, forge.ErrNotFound):
			d.Private = append(d.Private, remote)
		case err != nil:
			return refresh.Discretion{}, err
		case found.Private, found.Internal && !(repo.Internal && strings.EqualFold(found.Owner, repo.Owner)):
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
