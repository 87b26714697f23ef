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
	// Enterprise are the URLs of remotes that have Odoo Enterprise. No text tells
	// of them, in a private repository either: who may read that need not have a
	// subscription.
	Enterprise []string
}

// enterpriseRepository is Odoo's own repository of Enterprise, wherever it is
// served.
const enterpriseRepository = "odoo/enterprise"

// IsEnterprise reports whether a remote is Odoo's own repository of Enterprise.
func IsEnterprise(url string) bool {
	return strings.HasSuffix(RemoteID(url), "/"+enterpriseRepository)
}

// Tells reports whether a text may tell what is in a remote.
func (d Discretion) Tells(url string) bool {
	among := func(urls []string) bool {
		return slices.ContainsFunc(urls, func(known string) bool { return sameRemote(known, url) })
	}
	if among(d.Enterprise) {
		return false
	}
	return !d.Public || RemoteID(url) != "" && !IsEnterprise(url) && !among(d.Private)
}

// sameRemote reports whether two URLs may be of one repository. By ssh, a forge may
// be under another host name, and not below the path that its pages are below.
func sameRemote(a, b string) bool {
	if RemoteID(a) == RemoteID(b) {
		return true
	}
	one, err := gitname.ParseURL(a)
	other, bad := gitname.ParseURL(b)
	if err != nil || bad != nil || one.Scheme != "ssh" && other.Scheme != "ssh" {
		return false
	}
	left, right := remotePath(one), remotePath(other)
	return strings.HasSuffix(left, right) || strings.HasSuffix(right, left)
}

// RemoteID is the same for all URLs of a repository: its host and path, in lower
// case as forges compare them; "" of what is no URL.
func RemoteID(url string) string {
	u, err := gitname.ParseURL(url)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Host, ".")) + remotePath(u)
}

// remotePath begins with a slash.
func remotePath(u gitname.URL) string {
	return strings.ToLower(strings.TrimSuffix(path.Clean("/"+u.Path), ".git"))
}

// discreet takes out of a history what is not to be told.
func (d Discretion) discreet(url string, h git.History) git.History {
	if !d.Tells(url) {
		h.Commits, h.Authors = nil, 0
	}
	return h
}
