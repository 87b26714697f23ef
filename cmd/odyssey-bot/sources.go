package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-cleanhttp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/osv"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/release"
	"github.com/nuobit/odyssey/internal/relock"
	"github.com/nuobit/odyssey/internal/sbom"
)

const userAgent = "odyssey-bot"

// baseImages moves base images, by what a client of registries tells.
func baseImages(registries *oci.Client) *refresh.BaseImages {
	return &refresh.BaseImages{
		Registry: registries, Now: time.Now,
		Packages: func(ctx context.Context, ref oci.Reference) ([]refresh.Package, error) {
			data, err := release.ReadSBOM(ctx, registries, ref, oci.Platform{})
			if err != nil {
				return nil, err
			}
			bill, err := sbom.Parse(data)
			if err != nil {
				return nil, err
			}
			var all []refresh.Package
			for _, kind := range []string{"deb", "pypi"} {
				for _, p := range bill.Packages(kind) {
					all = append(all, refresh.Package{Type: kind, Name: p.Name, Version: p.Version})
				}
			}
			return all, nil
		},
	}
}

// planSources make the refreshes of other kinds than merges for a checkout,
// which its operator trusts.
func (a *app) planSources(rehearser refresh.Rehearser, policy gitname.Policy) []refresh.Source {
	return []refresh.Source{
		&refresh.Landed{URLs: policy, Rehearser: rehearser},
		baseImages(oci.New(oci.Options{UserAgent: userAgent})),
		&refresh.PythonLock{
			Resolver: a.resolver(), Rehearser: rehearser, URLs: policy,
			Advisories: &osv.Client{URL: osv.DefaultURL, HTTP: cleanhttp.DefaultClient()},
			Warn:       func(_ string, err error) { a.say("vulnerabilities are not known: %s", err) },
		},
	}
}

// pythonLock refreshes Python locks as the configuration says.
func (a *app) pythonLock(server *config.Server, rehearser refresh.Rehearser, policy gitname.Policy, log *slog.Logger) *refresh.PythonLock {
	p := &refresh.PythonLock{
		Rehearser: rehearser, URLs: policy,
		Warn: func(repo string, err error) { log.Warn("vulnerabilities are not known", "repo", repo, "err", err) },
	}
	if server.Python.Local {
		p.Resolver = a.resolver()
	}
	if server.Python.Advisories != "never" {
		p.Advisories = &osv.Client{URL: server.Python.Advisories, HTTP: cleanhttp.DefaultPooledClient()}
	}
	return p
}

// resolver resolves Python locks on this machine.
func (a *app) resolver() *relock.Local {
	l := &relock.Local{Environ: a.environ, Python: a.variable("ODOO_PYTHON")}
	if cache, err := os.UserCacheDir(); err == nil {
		l.Cache = filepath.Join(cache, "odyssey", "python")
	}
	return l
}
