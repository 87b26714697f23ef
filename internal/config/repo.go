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

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// RepoFile is where a watched repository keeps its policy.
const RepoFile = ".odyssey.yaml"

// Repo is what the bot may do in a watched repository.
type Repo struct {
	Version      int          `yaml:"version" jsonschema:"enum=1,default=1" jsonschema_description:"Version of this file's format."`
	Merges       Merges       `yaml:"merges" jsonschema_description:"How the bot keeps the merges of repos.lock.yaml current."`
	PullRequests PullRequests `yaml:"pullRequests" jsonschema_description:"What holds for all pull requests of the bot."`
}

// Merges is the policy for refreshing the merges of repos.lock.yaml.
type Merges struct {
	Enabled   bool     `yaml:"enabled" jsonschema:"default=true" jsonschema_description:"Whether the bot refreshes merges."`
	Group     Grouping `yaml:"group" jsonschema_description:"Which merges share a pull request: those of a destination, each one alone, all, or those whose destination matches a glob of the same name. Other destinations then have one each."`
	Labels    []string `yaml:"labels" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=50,pattern=^[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x1f\\x7f-\\x9f]*$,example=dependencies" jsonschema_description:"Labels of the pull requests. They are created when the repository lacks them."`
	Reviewers []string `yaml:"reviewers" jsonschema:"maxItems=20,uniqueItems=true,minLength=1,maxLength=40,pattern=^[A-Za-z0-9._-]+$,example=alice" jsonschema_description:"Login names of users who are asked to review the pull requests."`
}

// PullRequests is the policy for all pull requests of the bot.
type PullRequests struct {
	Limit int `yaml:"limit" jsonschema:"minimum=1,maximum=100,default=10" jsonschema_description:"How many pull requests of the bot may be open at once."`
}

// ParseRepo parses a repository's policy, which name stands for in errors.
// Empty data gives the defaults. All faults are reported at once, by line,
// joined, each a *yamldoc.Error.
func ParseRepo(name string, data []byte) (Repo, error) {
	repo := Repo{
		Version:      1,
		Merges:       Merges{Enabled: true, Group: Grouping{mode: perDestination}},
		PullRequests: PullRequests{Limit: 10},
	}
	doc, err := yamldoc.Parse(name, data)
	if err != nil || doc.Root == nil {
		return repo, err
	}
	c := newChecker(doc)
	c.check(doc.Root, "", repoSchema())
	c.checkGlobs(child(child(doc.Root, "merges"), "group"))
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
