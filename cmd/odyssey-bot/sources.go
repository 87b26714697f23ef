package main

import (
	"time"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/refresh"
)

const userAgent = "odyssey-bot"

// sources make the refreshes of other kinds than merges.
func sources(registries *oci.Client) []refresh.Source {
	return []refresh.Source{
		&refresh.BaseImages{Registry: registries, Now: time.Now},
	}
}

// planSources are those for a checkout, which its operator trusts.
func planSources() []refresh.Source { return sources(oci.New(oci.Options{UserAgent: userAgent})) }
