package config

import (
	"time"

	"gopkg.in/yaml.v3"
)

// Refresh is what the policies of all kinds of refresh have in common.
type Refresh struct {
	Enabled   bool          `yaml:"enabled" jsonschema:"default=true"`
	Schedule  Schedule      `yaml:"schedule" jsonschema_description:"When the bot looks for something newer of itself: five cron fields (minute, hour, day, month, weekday) or @hourly, @daily, @weekly, @monthly, in UTC unless CRON_TZ=ZONE stands before them; never leaves it to events and commands. At most every five minutes. A push to the default branch always has the bot look."`
	Jitter    time.Duration `yaml:"jitter" jsonschema_description:"How much later than scheduled it may be, from 0s to 24h: each repository has its own delay within this, so that not all ask their upstreams at once."`
	Labels    []string      `yaml:"labels" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=50,pattern=^[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x1f\\x7f-\\x9f]*$,example=dependencies" jsonschema_description:"Labels of the pull requests. They are created when the repository lacks them."`
	Reviewers []string      `yaml:"reviewers" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=40,pattern=^[A-Za-z0-9._-]+$,example=alice" jsonschema_description:"Login names of users who are asked to review the pull requests."`
}

// ByForge is who merges the pull requests of a kind.
type ByForge struct {
	Automerge bool `yaml:"automerge" jsonschema:"default=false" jsonschema_description:"Whether the forge merges the pull requests by itself once what their base branch requires has passed. It needs a required check, and on GitHub Allow auto-merge in the repository's settings. What somebody has to look at is not merged so: addons that do not fit together, merges that conflict, history that was rewritten. A push, a review that asks for changes, or a hold takes it back."`
}

// Kind is a kind of refresh and its policy.
type Kind struct {
	Name string // as in the file: "merges"
	what string // is refreshed, for people
	Refresh
	Automerge bool
}

// Kinds lists the kinds of refresh, in the order of the file.
func (r *Repo) Kinds() []Kind {
	return []Kind{
		{"merges", "merges", r.Merges.Refresh, r.Merges.Automerge},
		{"base", "base images", r.Base.Refresh, r.Base.Automerge},
		{"python", "the Python lock", r.Python.Refresh, r.Python.Automerge},
		{"enterprise", "the mirror of Odoo Enterprise", r.Enterprise.Refresh, false},
	}
}

// refreshed returns the defaults that all kinds have, at a time.
func refreshed(enabled bool, schedule string, jitter time.Duration) Refresh {
	parsed, err := ParseSchedule(schedule)
	if err != nil {
		panic(err) // a constant
	}
	return Refresh{Enabled: enabled, Schedule: parsed, Jitter: jitter}
}

// checkRefresh checks what the schema cannot of a kind's node.
func (c *checker) checkRefresh(node *yaml.Node, name string) {
	c.checkSchedule(child(node, "schedule"), name+".schedule")
	c.checkDuration(child(node, "jitter"), name+".jitter", 0, 24*time.Hour)
}
