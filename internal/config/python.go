package config

import "time"

// Python is the policy for refreshing requirements.lock.txt.
type Python struct {
	Refresh `yaml:",inline"`
	ByForge `yaml:",inline"`
}

// defaultPython: a new lock moves all packages, which somebody has to try.
func defaultPython() Python { return Python{Refresh: refreshed(true, "0 4 1 * *", 24*time.Hour)} }
