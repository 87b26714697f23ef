package main

import (
	"context"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/release"
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
	}
}
