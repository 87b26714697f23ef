package refresh

import (
	"net/url"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// upstream makes links to a repository on the forge that serves it.
type upstream struct{ base string }

// newUpstream returns an upstream without links when the URL does not tell
// where its web pages are.
func newUpstream(raw string) upstream {
	u, err := gitname.ParseURL(raw)
	if err != nil {
		return upstream{}
	}
	host, scheme := u.Host, u.Scheme
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	switch {
	case scheme == "https" || scheme == "http":
		if u.Port != "" {
			host += ":" + u.Port
		}
	case scheme == "ssh" && knownForge(u.Host):
		scheme = "https"
	default:
		return upstream{}
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	link := url.URL{Scheme: scheme, Host: host, Path: "/" + path}
	return upstream{strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C").Replace(link.String())}
}

// knownForge lists the hosts whose ssh and https names are the same.
func knownForge(host string) bool {
	switch strings.ToLower(host) {
	case "github.com", "gitlab.com", "codeberg.org":
		return true
	}
	return false
}

// page is the address of something below the repository; GitLab keeps its
// pages below /-/.
func (u upstream) page(path string) string {
	if strings.HasPrefix(u.base, "https://gitlab.") {
		path = "-/" + path
	}
	return u.base + "/" + path
}

// commit is a Markdown link to a commit, by its short id.
func (u upstream) commit(id string) string {
	text := "`" + short(id) + "`"
	if u.base == "" {
		return text
	}
	return "[" + text + "](" + u.page("commit/"+id) + ")"
}

// compare links text to what lies between two commits.
func (u upstream) compare(text, old, next string) string {
	if u.base == "" {
		return text
	}
	return "[" + text + "](" + u.page("compare/"+old+"..."+next) + ")"
}

func short(id string) string { return id[:min(len(id), 7)] }
