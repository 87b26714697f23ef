package cli

import (
	"fmt"
	"runtime/debug"
)

// Version describes the binary: version, commit and Go version. release is
// what the linker set, or "".
func Version(release string) string {
	version, commit, goVersion := "unknown", "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if release != "" {
		version = release
	}
	return fmt.Sprintf("%s (commit %s, %s)", version, commit, goVersion)
}
