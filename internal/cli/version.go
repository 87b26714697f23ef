package cli

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// version is set by the linker in a release.
var version string

// Version describes the binary: version, commit and Go version.
func Version() string {
	release, commit, goVersion := version, "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		release, goVersion = cmp.Or(release, info.Main.Version), info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return fmt.Sprintf("%s (commit %s, %s)", cmp.Or(release, "unknown"), commit, goVersion)
}
