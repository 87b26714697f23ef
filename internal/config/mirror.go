package config

import (
	"cmp"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/secret"
)

// Mirror is a private mirror of Odoo Enterprise, which the bot fills for a
// watched repository.
type Mirror struct {
	Forge                string `yaml:"forge" jsonschema:"minLength=1,maxLength=40,pattern=^[a-z0-9][a-z0-9._-]*$,example=main" jsonschema_description:"Name of the forge that both repositories are on. Needed where there are several."`
	Repository           string `yaml:"repository" jsonschema:"required,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=acme/odoo-image" jsonschema_description:"Watched repository that the mirror is for, OWNER/NAME: its lock says which Community the bundle is compared with."`
	Mirror               string `yaml:"mirror" jsonschema:"required,pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=acme/enterprise" jsonschema_description:"The mirror, OWNER/NAME, which must be private. It is watched, too."`
	Branch               string `yaml:"branch" jsonschema:"minLength=1,maxLength=200,pattern=^[A-Za-z0-9_][A-Za-z0-9._/-]*$,example=17.0" jsonschema_description:"Branch of the mirror that pull requests are onto. It is the default branch unless set."`
	Portal               string `yaml:"portal" jsonschema:"default=https://www.odoo.com,minLength=1,maxLength=2000" jsonschema_description:"Address of the portal that has the bundles."`
	PlatformVersion      string `yaml:"platformVersion" jsonschema:"required,minLength=1,maxLength=40,pattern=^[A-Za-z0-9_]+$,example=src_17e" jsonschema_description:"What to download from the portal: src_17e is the sources of Enterprise 17.0."`
	SubscriptionCodeFile string `yaml:"subscriptionCodeFile" jsonschema:"required,minLength=1,maxLength=4000,example=/run/secrets/odoo-subscription" jsonschema_description:"File with the subscription code and nothing else. A relative path starts at this file's directory."`
	WorkDirectory        string `yaml:"workDirectory" jsonschema:"required,minLength=1,maxLength=4000,example=/var/lib/odyssey/enterprise" jsonschema_description:"Directory of this mirror's own for the newest bundle and what was fetched: proprietary, so keep it private. What is lost there is fetched again. A relative path starts at this file's directory."`
	ReportDirectory      string `yaml:"reportDirectory" jsonschema:"minLength=1,maxLength=4000,example=/var/lib/odyssey/reports" jsonschema_description:"Directory that gets the report of each bundle; none is kept unless set. A relative path starts at this file's directory."`
	ReportRepository     string `yaml:"reportRepository" jsonschema:"pattern=^[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0\\,99}$,example=acme/enterprise-reports" jsonschema_description:"Repository on the same forge, OWNER/NAME, which gets the report of each bundle as a commit. It must be private, and neither the mirror nor the repository. None does unless set."`

	// Code is what SubscriptionCodeFile holds. Only LoadServer sets it.
	Code secret.Text `yaml:"-"`
}

// checkMirrors checks what the schema cannot of the mirrors: that their forge is
// known and none that only Apps may write to, and that each is filled by one alone.
func (c *checker) checkMirrors(mirrors, forges []*yaml.Node) {
	kinds := map[string]string{}
	for _, forge := range forges {
		kind, _ := textOf(child(forge, "kind"))
		name, _ := textOf(child(forge, "name"))
		kinds[cmp.Or(name, kind)] = kind
	}
	filled, places := map[string]int{}, map[string]int{}
	for i, mirror := range mirrors {
		at := fmt.Sprintf("enterprise[%d]", i)
		node := child(mirror, "forge")
		name, named := textOf(node)
		switch kind, known := kinds[name]; {
		case !named && len(forges) != 1 && mirror.Kind == yaml.MappingNode:
			c.fault(mirror, at, "lacks forge").Hint = "there are several; name the one that has the mirror"
			continue
		case !named:
			for only, of := range kinds {
				name, kind = only, of
			}
			if kind == github {
				c.fault(mirror, at, "a mirror on GitHub cannot be filled").Hint = "put it on a Gitea or Forgejo, or run enterprise-import yourself"
			}
		case !known:
			c.fault(node, join(at, "forge"), "there is no forge %q", name)
		case kind == github:
			c.fault(node, join(at, "forge"), "a mirror on GitHub cannot be filled").Hint = "put it on a Gitea or Forgejo, or run enterprise-import yourself"
		}
		c.checkMirror(mirror, at, name, filled, places)
	}
}

func (c *checker) checkMirror(mirror *yaml.Node, at, forge string, filled, places map[string]int) {
	repository, _ := textOf(child(mirror, "repository"))
	text, ok := textOf(child(mirror, "mirror"))
	if strings.EqualFold(repository, text) && ok {
		c.fault(child(mirror, "mirror"), join(at, "mirror"), "is the repository itself").Hint = "Enterprise is kept in a private repository of its own"
	}
	for _, one := range []string{repository, text} {
		id := strings.ToLower(forge + ":" + one)
		if first, twice := filled[id]; twice && one != "" {
			c.fault(mirror, at, "%q has a mirror or is one already, see line %d", one, first)
		}
		filled[id] = mirror.Line
	}
	if to, ok := textOf(child(mirror, "reportRepository")); ok && (strings.EqualFold(to, repository) || strings.EqualFold(to, text)) {
		c.fault(child(mirror, "reportRepository"), join(at, "reportRepository"), "is the repository or the mirror itself").Hint = "reports are kept in a private repository of their own"
	}
	work := child(mirror, "workDirectory")
	if dir, ok := textOf(work); ok {
		if first, twice := places[dir]; twice {
			c.fault(work, join(at, "workDirectory"), "%q is taken, see line %d", dir, first).Hint = "each mirror needs a directory of its own"
		}
		places[dir] = work.Line
	}
	if portal, ok := textOf(child(mirror, "portal")); ok {
		if fault := urlFault(portal); fault != "" {
			c.fault(child(mirror, "portal"), join(at, "portal"), "%s", fault).Hint = "for example: https://www.odoo.com"
		}
	}
}

// fillMirrors sets what is not said of the mirrors, and has them watched.
func (s *Server) fillMirrors(c *checker) {
	for i := range s.Enterprise {
		m := &s.Enterprise[i]
		m.Forge, m.Portal = cmp.Or(m.Forge, s.Forges[0].Name), cmp.Or(m.Portal, "https://www.odoo.com")
		c.place(&m.SubscriptionCodeFile, &m.WorkDirectory, &m.ReportDirectory)
		for j := range s.Forges {
			f := &s.Forges[j]
			if f.Name == m.Forge && !containsFold(f.Repositories, m.Mirror) {
				f.Repositories = append(f.Repositories, m.Mirror)
			}
		}
	}
}

func containsFold(all []string, one string) bool {
	for _, other := range all {
		if strings.EqualFold(other, one) {
			return true
		}
	}
	return false
}
