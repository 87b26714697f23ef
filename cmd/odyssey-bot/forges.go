package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/watch"
	"github.com/nuobit/odyssey/internal/web"
)

// driver is what the commands need of a forge.
type driver interface {
	bot.Forge
	watch.Forge
	Combined(ctx context.Context, as, name forge.Name, commit string) (forge.Combined, error)
}

// openForge is a forge of the configuration with its driver.
type openForge struct {
	config config.Forge
	driver driver
}

// openForges makes the drivers. transport, if there is one, returns what
// carries the calls to the forge of a name.
func openForges(server *config.Server, log *slog.Logger, transport func(name string) http.RoundTripper) ([]openForge, error) {
	var forges []openForge
	for _, f := range server.Forges {
		var o forgehttp.Options
		if transport != nil {
			o.Transport = transport(f.Name)
		}
		driver, err := newDriver(f, log, o)
		if err != nil {
			return nil, fmt.Errorf("forge %s: %w", f.Name, err)
		}
		forges = append(forges, openForge{f, driver})
	}
	return forges, nil
}

func newDriver(f config.Forge, log *slog.Logger, o forgehttp.Options) (driver, error) {
	if f.Kind == githubKind {
		return github.New(github.Options{
			API: cmp.Or(f.APIURL, github.API(f.URL)), Token: f.Token, App: github.App{ID: f.AppID, Key: f.PrivateKey},
			HTTP: o, Log: log.With("forge", f.Name),
		})
	}
	return gitea.New(gitea.Options{URL: f.URL, Token: f.Token, Flavour: gitea.Flavour(f.Kind), HTTP: o})
}

const githubKind = "github"

// receiver returns what takes the forge's webhooks.
func (f openForge) receiver() (web.Receiver, error) {
	if f.config.Kind == githubKind {
		return github.NewReceiver(f.config.WebhookSecret)
	}
	return gitea.NewReceiver(gitea.Flavour(f.config.Kind), f.config.WebhookSecret)
}

// watched lists the repositories that the configuration names or has
// discovered, in that order, each once.
func (f openForge) watched(ctx context.Context) ([]forge.Name, error) {
	var names []forge.Name
	known := map[string]bool{}
	add := func(name forge.Name) {
		if key := strings.ToLower(name.String()); !known[key] {
			known[key] = true
			names = append(names, name)
		}
	}
	for _, repo := range f.config.Repositories {
		name, err := forge.ParseName(repo)
		if err != nil {
			return nil, err
		}
		add(name)
	}
	for _, d := range f.config.Discover {
		found, err := f.driver.Repositories(ctx, forge.RepositoryQuery{Owner: d.Owner, Topic: d.Topic})
		if err != nil {
			return nil, fmt.Errorf("forge %s: discover repositories: %w%s", f.config.Name, err, hint(err))
		}
		for _, repo := range found {
			add(repo.Name)
		}
	}
	return names, nil
}

// checkNamed refuses a name of --repo that is not among the watched ones.
func checkNamed(named, all []string, file string) error {
	for _, repo := range named {
		if slices.Contains(all, repo) {
			continue
		}
		hint := ""
		if names := near.Names(repo, all); len(names) > 0 {
			hint = "\n  near: " + strings.Join(names, ", ")
		}
		return cli.Usagef("--repo: %s does not list %s%s", file, repo, hint)
	}
	return nil
}
