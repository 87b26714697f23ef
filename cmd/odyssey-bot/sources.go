package main

import (
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// planSources make the refreshes of other kinds than merges for a checkout.
func (a *app) planSources(client *git.Client, policy gitname.Policy) []refresh.Source {
	return []refresh.Source{&refresh.Landed{URLs: policy, Lookup: client, Rehearser: client}}
}
