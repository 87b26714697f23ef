package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/internal/watch"
)

// portalPatience is how long the portal may say nothing.
const portalPatience = time.Minute

// addMirrors gives the bot the mirrors of Enterprise of a configuration.
func (a *app) addMirrors(b *bot.Bot, server *config.Server, forges []openForge) error {
	for i := range server.Enterprise {
		m := &server.Enterprise[i]
		for _, f := range forges {
			if f.config.Name != m.Forge {
				continue
			}
			mirror, err := a.mirror(b, m, f)
			if err != nil {
				return fmt.Errorf("enterprise: %s: %w", m.Mirror, err)
			}
			b.Mirrors = append(b.Mirrors, *mirror)
			b.Private = append(b.Private, mirrorURL(m, f))
		}
	}
	return nil
}

func mirrorURL(m *config.Mirror, f openForge) string { return f.config.URL + "/" + m.Mirror + ".git" }

func (a *app) mirror(b *bot.Bot, m *config.Mirror, f openForge) (*bot.Mirror, error) {
	of, err := forge.ParseName(m.Repository)
	if err != nil {
		return nil, err
	}
	name, err := forge.ParseName(m.Mirror)
	if err != nil {
		return nil, err
	}
	var reports forge.Name
	if m.ReportRepository != "" {
		if reports, err = forge.ParseName(m.ReportRepository); err != nil {
			return nil, err
		}
	}
	upstreams, ok := b.Git.(*remotes)
	if !ok {
		return nil, fmt.Errorf("%T asks no remotes", b.Git)
	}
	pusher, err := a.mirrorClient(m, f)
	if err != nil {
		return nil, err
	}
	return &bot.Mirror{
		Forge: f.driver, Subject: watch.Subject(f.config.Name, of), For: of, Name: name, Branch: m.Branch, Reports: reports,
		Importer: &intake.Intake{
			Dir: m.WorkDirectory, Reports: m.ReportDirectory, URL: mirrorURL(m, f), Mirror: pusher, Git: upstreams.Client,
			Portal:    portal.Options{BaseURL: m.Portal, Platform: m.PlatformVersion, Code: m.Code, Timeout: portalPatience, MaxSize: maxBundle},
			Aggregate: aggregate, Limits: archive.DefaultLimits(),
		},
	}, nil
}

// aggregate merges a destination as a build does, and returns the tree.
func aggregate(ctx context.Context, store *git.Store, d *lock.Destination) (tree string, err error) {
	one := *d
	one.Merges = slices.Clone(d.Merges)
	file := &lock.File{Destinations: []lock.Destination{one}}
	err = source.Trees(ctx, file, source.Options{Store: store, Jobs: 1})
	return file.Destinations[0].Tree, err
}

// mirrorClient returns what reads and writes the mirror with the forge's token, and
// asks no other host. git takes the token from a file in the mirror's directory.
func (a *app) mirrorClient(m *config.Mirror, f openForge) (*git.Client, error) {
	policy, err := gitname.Bot([]string{f.config.URL + "/"})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(f.config.URL)
	if err != nil {
		return nil, err
	}
	credential := url.URL{Scheme: u.Scheme, Host: u.Host, User: url.UserPassword("odyssey", f.config.Token.Reveal())}
	if err := os.MkdirAll(m.WorkDirectory, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(m.WorkDirectory, "credentials")
	if err := os.WriteFile(file, []byte(credential.String()+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := os.Chmod(file, 0o600); err != nil { // of an earlier one
		return nil, err
	}
	return git.New(git.Options{Policy: policy, CredentialsFile: file, Environ: a.environ}), nil
}

// followers are the repositories whose merges are looked at after a push to their
// mirrors.
func followers(server *config.Server) ([]watch.Follower, error) {
	var all []watch.Follower
	for i := range server.Enterprise {
		m := &server.Enterprise[i]
		of, err := forge.ParseName(m.Repository)
		if err != nil {
			return nil, cli.Usagef("enterprise: %w", err)
		}
		name, err := forge.ParseName(m.Mirror)
		if err != nil {
			return nil, cli.Usagef("enterprise: %w", err)
		}
		all = append(all, watch.Follower{Forge: m.Forge, Repo: name, Branch: m.Branch, Subject: watch.Subject(m.Forge, of)})
	}
	return all, nil
}
