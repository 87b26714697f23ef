package refresh

import (
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

// Discretion says of which remotes a text may tell what is in them. The zero
// value is that of a text which only those read who may read the remotes: it tells
// of all.
//
// Of a remote that it keeps quiet about, its name, refs, commit ids and numbers of
// commits may be told, since repos.yaml and the lock have them. No titles of
// commits, authors, modules, paths, differences or contents may be.
type Discretion struct {
	// Public is set for a repository that more people may read than the private
	// remotes that it locks.
	Public bool
	// Private are the URLs of remotes that are private, however they are
	// written: by https or ssh, with .git at their end or without.
	Private []string
}

// enterpriseRepository is Odoo's own repository of Enterprise, wherever it is
// served.
const enterpriseRepository = "odoo/enterprise"

// Tells reports whether a text may tell what is in a remote.
func (d Discretion) Tells(url string) bool {
	if !d.Public {
		return true
	}
	id := RemoteID(url)
	return id != "" && !strings.HasSuffix(id, "/"+enterpriseRepository) &&
		!slices.ContainsFunc(d.Private, func(private string) bool { return RemoteID(private) == id })
}

// RemoteID is the same for all URLs of a repository: its host and path, in lower
// case as forges compare them; "" of what is no URL.
func RemoteID(url string) string {
	u, err := gitname.ParseURL(url)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Host, ".") + strings.TrimSuffix(path.Clean("/"+u.Path), ".git"))
}

// discreet takes out of a history what is not to be told.
func (d Discretion) discreet(url string, h git.History) git.History {
	if !d.Tells(url) {
		h.Commits, h.Authors = nil, 0
	}
	return h
}
