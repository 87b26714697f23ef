package config

import "time"

// Base is the policy for refreshing the images that Dockerfiles build on.
type Base struct {
	Refresh    `yaml:",inline"`
	ByForge    `yaml:",inline"`
	MinimumAge time.Duration `yaml:"minimumAge" jsonschema:"default=0s" jsonschema_description:"For how long the bot must have known images before it proposes them, from 0s to 720h (30 days). It goes by when it first saw them as the newest. /refresh base does not wait."`
	Follow     Follow        `yaml:"follow" jsonschema:"enum=line,enum=tag,default=line" jsonschema_description:"What a pinned image follows: line, the newest tag that differs in its number alone (17.0-py310-trixie-r0002, 3.12.11-slim-trixie, trixie-20261116), or the newest build of its tag when it has none; tag, the newest build of its tag."`
}

// Follow says what a pinned image follows.
type Follow string

// What there is to follow.
const (
	FollowLine Follow = "line" // the tags that differ in one number
	FollowTag  Follow = "tag"  // the builds of the tag that it has
)

// defaultBase: distributions mend their images about weekly.
func defaultBase() Base {
	return Base{Refresh: refreshed(true, "0 4 * * 1", 4*time.Hour), Follow: FollowLine}
}
