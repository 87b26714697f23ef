package config

import "time"

// Base is the policy for refreshing the images that Dockerfiles build on.
type Base struct {
	Refresh `yaml:",inline"`
}

// defaultBase: distributions mend their images about weekly.
func defaultBase() Base { return Base{Refresh: refreshed(true, "0 4 * * 1", 4*time.Hour)} }
