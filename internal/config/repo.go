// Package config reads what a person configures: the policy of a watched
// repository (.odyssey.yaml) and the server's configuration (odyssey.yaml).
//
// The struct tags of Repo and Server are the one description of both files.
// The JSON Schemas are made from them, and the parser checks a file against
// those schemas, so that editors and the bot say the same.
package config

import (
	"fmt"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// RepoFile is where a watched repository keeps its policy.
const RepoFile = ".odyssey.yaml"

// Repo is what the bot may do in a watched repository.
type Repo struct {
	Version      int          `yaml:"version" jsonschema:"enum=1,default=1" jsonschema_description:"Version of this file's format."`
	Merges       Merges       `yaml:"merges" jsonschema_description:"How the bot keeps the merges of repos.lock.yaml current."`
	Base         Base         `yaml:"base" jsonschema_description:"How the bot keeps the images current that Dockerfiles build on."`
	Python       Python       `yaml:"python" jsonschema_description:"How the bot keeps the Python packages of requirements.lock.txt current."`
	Enterprise   Enterprise   `yaml:"enterprise" jsonschema_description:"How the bot keeps the private mirror of Odoo Enterprise current."`
	Commands     Commands     `yaml:"commands" jsonschema_description:"What the bot does at the word of a comment."`
	Dashboard    Dashboard    `yaml:"dashboard" jsonschema_description:"The issue in which the bot says where every source stands."`
	Deployments  []Deployment `yaml:"deployments" jsonschema:"maxItems=50" jsonschema_description:"Where the image runs that is built of this repository: bump-deployment proposes releases there, and pull requests say what is installed."`
	PullRequests PullRequests `yaml:"pullRequests" jsonschema_description:"What holds for all pull requests of the bot."`
}

// Commands is the policy for commands in comments.
type Commands struct {
	Enabled bool `yaml:"enabled" jsonschema:"default=true" jsonschema_description:"Whether the bot obeys commands."`
	Allow   Who  `yaml:"allow" jsonschema_description:"Whose commands are obeyed: write, everybody with write permission; admin, those who administer the repository; or a list of users, who need write permission too."`
}

// Dashboard is the policy for the issue about the repository.
type Dashboard struct {
	Enabled bool `yaml:"enabled" jsonschema:"default=true" jsonschema_description:"Whether there is one. It is edited in place when something changes; who closes it has it stay closed."`
}

// PullRequests is the policy for all pull requests of the bot.
type PullRequests struct {
	Limit int `yaml:"limit" jsonschema:"minimum=1,maximum=100,default=10" jsonschema_description:"How many pull requests of the bot may be open at once."`
}

// DefaultRepo returns the policy of a repository without a file.
func DefaultRepo() Repo {
	return Repo{
		Version:      1,
		Merges:       defaultMerges(),
		Base:         defaultBase(),
		Python:       defaultPython(),
		Enterprise:   defaultEnterprise(),
		Commands:     Commands{Enabled: true},
		Dashboard:    Dashboard{Enabled: true},
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
	c.checkGlobs(child(child(doc.Root, "merges"), "group"))
	c.checkDuration(child(child(doc.Root, "merges"), "minimumAge"), "merges.minimumAge", 0, maxAge)
	c.checkDuration(child(child(doc.Root, "base"), "minimumAge"), "base.minimumAge", 0, maxAge)
	c.checkDeployments(items(child(doc.Root, "deployments")))
	for _, kind := range repo.Kinds() {
		c.checkRefresh(child(doc.Root, kind.Name), kind.Name)
	}
	if err := c.err(); err != nil {
		return Repo{}, err
	}
	if err := doc.Root.Decode(&repo); err != nil {
		return Repo{}, fmt.Errorf("decode %s: %w", name, err)
	}
	return repo, nil
}
