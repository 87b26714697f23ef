package config

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/gitname"
)

// checkForges checks what the schema cannot: URLs, and that names and
// watched repositories are unique, the latter whatever their case.
func (c *checker) checkForges(forges []*yaml.Node) {
	names, watched := map[string]int{}, map[string]int{}
	for i, forge := range forges {
		at := fmt.Sprintf("forges[%d]", i)
		c.checkForgeName(forge, at, names)
		address, ok := textOf(child(forge, "url"))
		if fault := urlFault(address); ok && fault != "" {
			c.fault(child(forge, "url"), join(at, "url"), "%s", fault).Hint = "for example: https://git.example.com"
		}
		c.checkWatched(forge, at)
		for j, repository := range items(child(forge, "repositories")) {
			text, ok := textOf(repository)
			id := strings.ToLower(strings.TrimRight(address, "/") + "/" + text)
			if first, twice := watched[id]; twice && ok {
				c.fault(repository, fmt.Sprintf("%s.repositories[%d]", at, j), "%q is watched already, see line %d", text, first)
			} else {
				watched[id] = repository.Line
			}
		}
	}
}

// checkWatched checks that a forge's watched repositories are said somehow.
func (c *checker) checkWatched(forge *yaml.Node, at string) {
	if forge.Kind == yaml.MappingNode && child(forge, "repositories") == nil && child(forge, "discover") == nil {
		c.fault(forge, at, "lacks repositories or discover")
	}
	for i, discovery := range items(child(forge, "discover")) {
		if discovery.Kind == yaml.MappingNode && child(discovery, "owner") == nil && child(discovery, "topic") == nil {
			c.fault(discovery, fmt.Sprintf("%s.discover[%d]", at, i), "lacks owner or topic").Hint = "for example: {owner: acme, topic: odyssey}"
		}
	}
}

func (c *checker) checkForgeName(forge *yaml.Node, at string, names map[string]int) {
	kind, _ := textOf(child(forge, "kind"))
	explicit := child(forge, "name")
	name, _ := textOf(explicit)
	if name = cmp.Or(name, kind); name == "" {
		return
	}
	place := cmp.Or(explicit, forge)
	if first, twice := names[name]; twice {
		c.fault(place, join(at, "name"), "the name %q is taken, see line %d", name, first).Hint = "give each forge a name of its own"
		return
	}
	names[name] = place.Line
}

// urlFault says what is wrong with a forge's URL, "" when nothing is. It does
// not repeat the URL: it may hold a password.
func urlFault(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "is no valid URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "the URL must begin with https:// or http://"
	case u.Hostname() == "":
		return "the URL has no host"
	case u.User != nil:
		return "the URL must not hold a user name or password; the token goes into tokenFile"
	case strings.ContainsAny(address, "?#"):
		return "the URL must not have a query or fragment"
	}
	return ""
}

// checkAllow checks git.allow with the eyes of the policy that is made of it.
func (c *checker) checkAllow(prefixes []*yaml.Node) {
	for i, prefix := range prefixes {
		text, ok := textOf(prefix)
		if _, err := gitname.Bot([]string{text}); ok && err != nil {
			c.fault(prefix, fmt.Sprintf("git.allow[%d]", i), "%s", strings.TrimPrefix(err.Error(), "git.allow: "))
		}
	}
}
