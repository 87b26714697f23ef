// Package config reads what a person configures: the policy of a watched
// repository (.odyssey.yaml) and the server's configuration (odyssey.yaml).
//
// The struct tags of Repo and Server are the one description of both files.
// The JSON Schemas are made from them, and the parser checks a file against
// those schemas, so that editors and the bot say the same.
package config

import (
	"fmt"
	"path"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// RepoFile is where a watched repository keeps its policy.
const RepoFile = ".odyssey.yaml"

// Without a word in the file: often enough to follow upstreams through a day,
// and no more builds of a pull request than six a day.
const (
	defaultSchedule = "0 */4 * * *"
	defaultJitter   = 15 * time.Minute
)

// Repo is what the bot may do in a watched repository.
type Repo struct {
	Version      int          `yaml:"version" jsonschema:"enum=1,default=1" jsonschema_description:"Version of this file's format."`
	Merges       Merges       `yaml:"merges" jsonschema_description:"How the bot keeps the merges of repos.lock.yaml current."`
	Commands     Commands     `yaml:"commands" jsonschema_description:"What the bot does at the word of a comment."`
	PullRequests PullRequests `yaml:"pullRequests" jsonschema_description:"What holds for all pull requests of the bot."`
}

// Merges is the policy for refreshing the merges of repos.lock.yaml.
type Merges struct {
	Enabled   bool          `yaml:"enabled" jsonschema:"default=true" jsonschema_description:"Whether the bot refreshes merges."`
	Schedule  Schedule      `yaml:"schedule" jsonschema:"default=0 */4 * * *" jsonschema_description:"When the bot looks for newer commits of itself: five cron fields (minute, hour, day, month, weekday) or @hourly, @daily, @weekly, @monthly, in UTC unless CRON_TZ=ZONE stands before them; never leaves it to events and commands. At most every five minutes. A push to the default branch always has the bot look."`
	Jitter    time.Duration `yaml:"jitter" jsonschema:"default=15m" jsonschema_description:"How much later than scheduled it may be, from 0s to 24h: each repository has its own delay within this, so that not all ask their upstreams at once."`
	Group     Grouping      `yaml:"group" jsonschema_description:"Which merges share a pull request: those of a destination, each one alone, all, or those whose destination matches a glob of the same name. Other destinations then have one each."`
	Labels    []string      `yaml:"labels" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=50,pattern=^[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x1f\\x7f-\\x9f]*$,example=dependencies" jsonschema_description:"Labels of the pull requests. They are created when the repository lacks them."`
	Reviewers []string      `yaml:"reviewers" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=40,pattern=^[A-Za-z0-9._-]+$,example=alice" jsonschema_description:"Login names of users who are asked to review the pull requests."`
}

// Commands is the policy for commands in comments.
type Commands struct {
	Enabled bool `yaml:"enabled" jsonschema:"default=true" jsonschema_description:"Whether the bot obeys commands."`
	Allow   Who  `yaml:"allow" jsonschema_description:"Whose commands are obeyed: write, everybody with write permission; admin, those who administer the repository; or a list of users, who need write permission too."`
}

// PullRequests is the policy for all pull requests of the bot.
type PullRequests struct {
	Limit int `yaml:"limit" jsonschema:"minimum=1,maximum=100,default=10" jsonschema_description:"How many pull requests of the bot may be open at once."`
}

// DefaultRepo returns the policy of a repository without a file.
func DefaultRepo() Repo {
	schedule, err := ParseSchedule(defaultSchedule)
	if err != nil {
		panic(err) // a constant
	}
	return Repo{
		Version:      1,
		Merges:       Merges{Enabled: true, Schedule: schedule, Jitter: defaultJitter, Group: Grouping{mode: perDestination}},
		Commands:     Commands{Enabled: true},
		PullRequests: PullRequests{Limit: 10},
	}
}

// ParseRepo parses a repository's policy, which name stands for in errors.
// Empty data gives the defaults. All faults are reported at once, by line,
// joined, each a *yamldoc.Error.
func ParseRepo(name string, data []byte) (Repo, error) {
	repo := DefaultRepo()
	doc, err := yamldoc.Parse(name, data)
	if err != nil || doc.Root == nil {
		return repo, err
	}
	c := newChecker(doc)
	c.check(doc.Root, "", repoSchema())
	merges := child(doc.Root, "merges")
	c.checkGlobs(child(merges, "group"))
	c.checkSchedule(child(merges, "schedule"), "merges.schedule")
	c.checkDuration(child(merges, "jitter"), "merges.jitter", 0, 24*time.Hour)
	if err := c.err(); err != nil {
		return Repo{}, err
	}
	if err := doc.Root.Decode(&repo); err != nil {
		return Repo{}, fmt.Errorf("decode %s: %w", name, err)
	}
	return repo, nil
}

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
