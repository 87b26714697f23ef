package config

import (
	"fmt"
	"path"
	"time"

	"gopkg.in/yaml.v3"
)

// Merges is the policy for refreshing the merges of repos.lock.yaml.
type Merges struct {
	Refresh      `yaml:",inline"`
	ByForge      `yaml:",inline"`
	MinimumAge   time.Duration `yaml:"minimumAge" jsonschema:"default=0s" jsonschema_description:"For how long the bot must have known a commit before it proposes it, from 0s to 720h (30 days). It goes by when it first saw the commit as the newest of its ref, since the dates in commits are whatever their authors wrote. A command that names one merge does not wait."`
	RequireGreen bool          `yaml:"requireGreen" jsonschema:"default=false" jsonschema_description:"Whether only commits are proposed on which the upstream's forge has something reported (statuses, on GitHub checks too) and all of it is success. Of the newest 20 commits on the way of a ref the newest such one is taken. The forge must be one that odyssey.yaml lists; a commit without any status is not green. A command that names one merge does not ask."`
	Group        Grouping      `yaml:"group" jsonschema_description:"Which merges share a pull request: those of a destination, each one alone, all, or those whose destination matches a glob of the same name. Other destinations then have one each. Merges of the same ref of the same repository share one in any case, since they move together."`
}

// defaultMerges: often enough to follow upstreams through a day, and no more
// builds of a pull request than six a day.
func defaultMerges() Merges {
	return Merges{Refresh: refreshed(true, "0 */4 * * *", 15*time.Minute), Group: Grouping{mode: perDestination}}
}

// maxAge is the longest minimumAge.
const maxAge = 30 * 24 * time.Hour

// checkGlobs checks what the schema cannot: that each glob of the named
// groups is a valid one.
func (c *checker) checkGlobs(group *yaml.Node) {
	for name, globs := range entries(group) {
		for i, glob := range items(globs) {
			text, ok := textOf(glob)
			if _, err := path.Match(text, ""); ok && err != nil {
				c.fault(glob, fmt.Sprintf("merges.group.%s[%d]", name, i), "%q is no valid glob", text).Hint = `* and ? match within a part of the path, [ab] one of these, \ takes the next one literally`
			}
		}
	}
}
