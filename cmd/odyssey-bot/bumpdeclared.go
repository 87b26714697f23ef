package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/deploy"
)

// declared reports whether the file of the checkout says where the image runs.
func (o *bumpOptions) declared() bool { return o.dir == "" && o.repo == "" }

// declared is a repository, and what is to be done there.
type declared struct {
	repo string
	bot.Deployment
}

// declarations are the deployments of the checkout around that run the image.
func declarations(like bot.Deployment) (all []declared, err error) {
	data, err := os.ReadFile(config.RepoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("one of --dir DIR and --repo OWNER/NAME says where the image is named, or the deployments of %s, which is not here", config.RepoFile)
	}
	if err != nil {
		return nil, err
	}
	policy, err := config.ParseRepo(config.RepoFile, data)
	if err != nil {
		return nil, &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	for _, d := range policy.Deployments {
		if d.Image != "" && d.Image != like.Image.Repository() {
			continue
		}
		to := like
		to.InOrder, to.Installed = d.InOrder, d.Installed
		if len(d.Files) > 0 {
			to.Instances = []bot.Instance{{Files: d.Files}}
		}
		for _, i := range d.Instances {
			to.Instances = append(to.Instances, bot.Instance{Name: i.Name, Files: i.Files})
		}
		for _, i := range to.Instances {
			if err := deploy.CheckPatterns(i.Files); err != nil {
				return nil, cli.Usagef("%s: %w", config.RepoFile, err)
			}
		}
		all = append(all, declared{d.Repository, to})
	}
	if len(all) == 0 {
		return nil, cli.Usagef("%s has no deployment that runs %s; add one, or name it with --repo OWNER/NAME", config.RepoFile, like.Image.Repository())
	}
	return all, nil
}
