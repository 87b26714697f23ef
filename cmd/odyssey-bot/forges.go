package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/near"
)

// openForge is a forge of the configuration with its driver.
type openForge struct {
	config config.Forge
	driver *gitea.Forge
}

// openForges makes the drivers. transport, if there is one, returns what
// carries the calls to the forge of a name.
func openForges(server *config.Server, transport func(name string) http.RoundTripper) ([]openForge, error) {
	var forges []openForge
	for _, f := range server.Forges {
		o := gitea.Options{URL: f.URL, Token: f.Token, Flavour: gitea.Flavour(f.Kind)}
		if transport != nil {
			o.HTTP = forgehttp.Options{Transport: transport(f.Name)}
		}
		driver, err := gitea.New(o)
		if err != nil {
			return nil, fmt.Errorf("forge %s: %w", f.Name, err)
		}
		forges = append(forges, openForge{f, driver})
	}
	return forges, nil
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
