package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// upstreams asks the configured forges about repositories that are on them.
type upstreams []openForge

// askUpstreams has the bot's sources ask the forges of upstream repositories, and
// remember what they find out; memory may be nil.
func askUpstreams(b *bot.Bot, forges []openForge, memory refresh.Memory) {
	b.Memory, b.Upstreams = memory, upstreams(forges)
	for _, s := range b.Sources {
		if landed, ok := s.(*refresh.Landed); ok {
			landed.Pulls, landed.Memory = upstreams(forges), memory
		}
		if base, ok := s.(*refresh.BaseImages); ok {
			base.Memory = memory
		}
		if lock, ok := s.(*refresh.PythonLock); ok {
			lock.Memory = memory
		}
	}
}

// warnLanded logs why nobody knows whether merges have landed.
func warnLanded(log *slog.Logger) func(repo, dest string, err error) {
	return func(repo, dest string, err error) {
		log.Warn("landed merges not looked for", "repo", repo, "destination", dest, "err", err)
	}
}

// find returns the forge that serves a remote, and the repository's name there.
func (u upstreams) find(remote string) (driver, forge.Name, bool) {
	at, err := gitname.ParseURL(remote)
	if err != nil {
		return nil, forge.Name{}, false
	}
	for _, f := range u {
		base, err := url.Parse(f.config.URL)
		if err != nil || !strings.EqualFold(base.Hostname(), at.Host) || at.Scheme != "ssh" && base.Port() != at.Port {
			continue
		}
		path, below := strings.CutPrefix(strings.Trim(at.Path, "/"), strings.Trim(base.Path, "/"))
		name, err := forge.ParseName(strings.TrimSuffix(strings.Trim(path, "/"), ".git"))
		if below && err == nil {
			return f.driver, name, true
		}
	}
	return nil, forge.Name{}, false
}

// UpstreamPull implements refresh.UpstreamPulls. What a forge does not tell the
// bot is not known.
func (u upstreams) UpstreamPull(ctx context.Context, remote string, number int64) (pull refresh.UpstreamPull, known bool, err error) {
	driver, name, ok := u.find(remote)
	if !ok {
		return pull, false, nil
	}
	pr, err := driver.PullRequest(ctx, forge.Repo{Name: name}, number)
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrUnauthorized) {
		return pull, false, nil
	}
	if err != nil {
		return pull, false, err
	}
	return refresh.UpstreamPull{URL: pr.URL, Merged: pr.State == forge.Merged, Closed: pr.State != forge.Open}, true, nil
}
