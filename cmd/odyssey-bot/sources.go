package main

import "github.com/nuobit/odyssey/internal/refresh"

// planSources make the refreshes of other kinds than merges for a checkout.
func (a *app) planSources() []refresh.Source { return nil }
