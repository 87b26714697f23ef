package main

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/osv"
	"github.com/nuobit/odyssey/internal/outward"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/release"
	"github.com/nuobit/odyssey/internal/relock"
	"github.com/nuobit/odyssey/internal/sbom"
)

const userAgent = "odyssey-bot"

// registries are clients of registries. Only where the operator says so may one
// be asked without TLS.
type registries struct {
	tls, plain *oci.Client
	named      []string // hosts that may be asked without TLS, with their ports
}

// newRegistries opens clients that reach what a policy allows, and which ask those
// hosts without TLS that allow names so: "http://registry.internal:5000/".
func newRegistries(policy gitname.Policy, allow []string) registries {
	o := oci.Options{UserAgent: userAgent, Transport: outward.Transport(policy, nil), Attempts: 3}
	r := registries{tls: oci.New(o)}
	o.Insecure = true
	r.plain = oci.New(o)
	for _, prefix := range allow {
		if u, err := url.Parse(prefix); err == nil && u.Scheme == "http" {
			r.named = append(r.named, u.Host)
		}
	}
	return r
}

// of is the client for a repository of images.
func (r registries) of(repository string) *oci.Client {
	host, _, _ := strings.Cut(repository, "/")
	if slices.ContainsFunc(r.named, func(named string) bool { return strings.EqualFold(named, host) }) {
		return r.plain
	}
	return r.tls
}

// Tags implements refresh.Registry.
func (r registries) Tags(ctx context.Context, repository string) ([]string, error) {
	return r.of(repository).Tags(ctx, repository)
}

// Resolve implements refresh.Registry.
func (r registries) Resolve(ctx context.Context, ref oci.Reference) (digest string, err error) {
	return r.of(ref.Repository).Resolve(ctx, ref)
}

// Image implements refresh.Registry.
func (r registries) Image(ctx context.Context, ref oci.Reference, p oci.Platform) (*oci.Image, error) {
	return r.of(ref.Repository).Image(ctx, ref, p)
}

// baseImages moves base images, by what clients of registries tell.
func baseImages(r registries) *refresh.BaseImages {
	return &refresh.BaseImages{
		Registry: r, Now: time.Now,
		Packages: func(ctx context.Context, ref oci.Reference) ([]refresh.Package, error) {
			data, err := release.ReadSBOM(ctx, r.of(ref.Repository), ref, oci.Platform{})
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
		baseImages(registries{tls: oci.New(oci.Options{UserAgent: userAgent})}),
		&refresh.PythonLock{
			Resolver: a.resolver(), Rehearser: rehearser, URLs: policy,
			Advisories: &osv.Client{URL: osv.DefaultURL, HTTP: cleanhttp.DefaultClient()},
			Warn:       func(_ string, err error) { a.say("vulnerabilities are not known: %s", err) },
			Unresolved: func(_ string, cause error) { a.say("no Python lock could be made: %s", cause) },
		},
	}
}

// pythonLock refreshes Python locks as the configuration says.
func (a *app) pythonLock(server *config.Server, upstreams *remotes, policy gitname.Policy, log *slog.Logger) *refresh.PythonLock {
	p := &refresh.PythonLock{
		Rehearser: upstreams, Surveyor: upstreams, URLs: policy,
		Warn:       func(repo string, err error) { log.Warn("vulnerabilities are not known", "repo", repo, "err", err) },
		Unresolved: func(repo string, cause error) { log.Warn("python lock not resolved", "repo", repo, "err", cause) },
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
