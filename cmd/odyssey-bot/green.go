package main

import (
	"context"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
)

// Combined implements bot.Upstreams. GitHub is asked in the name of the
// repository that is refreshed, where that is on the same forge.
func (u upstreams) Combined(ctx context.Context, repo forge.Repo, remote, commit string) (came forge.Combined, known bool, err error) {
	at, name, ok := u.find(remote)
	if !ok {
		return forge.Unreported, false, nil
	}
	as := name
	for _, f := range u {
		if f.driver == at && strings.HasPrefix(strings.ToLower(repo.WebURL), strings.ToLower(strings.TrimSuffix(f.config.URL, "/")+"/")) {
			as = repo.Name
		}
	}
	came, err = at.Combined(ctx, as, name, commit)
	return came, true, err
}
