package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/gitname"
)

const (
	github    = "github" // the kind
	githubURL = "https://github.com"
)

// checkForges checks what the schema cannot: URLs, what each kind needs, and
// that names and watched repositories are unique, the latter whatever their case.
func (c *checker) checkForges(forges []*yaml.Node) {
	names, watched := map[string]int{}, map[string]int{}
	for i, forge := range forges {
		at := fmt.Sprintf("forges[%d]", i)
		c.checkForgeName(forge, at, names)
		c.checkKind(forge, at)
		c.checkURL(forge, "url", at, "https://git.example.com")
		c.checkURL(forge, "apiURL", at, "https://github.example.com/api/v3")
		c.checkWatched(forge, at)
		address, _ := textOf(child(forge, "url"))
		if kind, _ := textOf(child(forge, "kind")); kind == github {
			address = cmp.Or(address, githubURL)
		}
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

// checkKind checks that a forge has what its kind needs, and nothing that only
// others know.
func (c *checker) checkKind(forge *yaml.Node, at string) {
	if forge.Kind != yaml.MappingNode {
		return
	}
	if kind, ok := textOf(child(forge, "kind")); !ok || kind != github {
		for _, key := range []string{"apiURL", "appID", "privateKeyFile"} {
			if node := child(forge, key); node != nil {
				c.fault(node, join(at, key), "is for kind github alone")
			}
		}
		c.needs(forge, at, "url", "tokenFile")
		return
	}
	token, id, key := child(forge, "tokenFile"), child(forge, "appID"), child(forge, "privateKeyFile")
	switch {
	case token == nil && id == nil && key == nil:
		c.fault(forge, at, "lacks appID and privateKeyFile, or tokenFile").Hint = "odyssey-bot github-app-manifest makes an App"
	case token != nil && (id != nil || key != nil):
		c.fault(token, join(at, "tokenFile"), "there is an App as well, see line %d", cmp.Or(id, key).Line).Hint = "keep one of the two"
	case token == nil:
		c.needs(forge, at, "appID", "privateKeyFile")
	}
	if address, _ := textOf(child(forge, "url")); strings.HasPrefix(address, "https://api.github.com") || strings.HasSuffix(address, "/api/v3") {
		c.fault(child(forge, "url"), join(at, "url"), "is the address of an API").Hint = "write that of the start page, or leave it out for https://github.com"
	}
}

// needs checks that a mapping has some keys.
func (c *checker) needs(node *yaml.Node, at string, keys ...string) {
	absent := slices.DeleteFunc(keys, func(key string) bool { return child(node, key) != nil })
	if len(absent) > 0 {
		c.fault(node, at, "lacks %s", strings.Join(absent, ", "))
	}
}

// checkURL checks an address of a forge. The bot's credential goes there, so it
// is encrypted on its way, or stays on this machine, or somebody said otherwise.
func (c *checker) checkURL(forge *yaml.Node, key, at, example string) {
	node := child(forge, key)
	address, ok := textOf(node)
	if !ok {
		return
	}
	if fault := urlFault(address); fault != "" {
		c.fault(node, join(at, key), "%s", fault).Hint = "for example: " + example
		return
	}
	allowed := false
	if flag := child(forge, "allowHTTP"); flag != nil && flag.Decode(&allowed) != nil {
		return // the schema says so
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" && !allowed && !isLoopback(u.Hostname()) {
		c.fault(node, join(at, key), "everybody on the way to an http:// URL sees the bot's token").Hint = "write https://, or add allowHTTP: true where nobody else is on the way"
	}
}

// isLoopback reports whether a host is this machine (RFC 6761, section 6.3).
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
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

// watches reports whether a forge has repositories that are watched, or may have.
func watches(forge *yaml.Node) bool {
	return len(items(child(forge, "repositories"))) > 0 || child(forge, "discover") != nil
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
