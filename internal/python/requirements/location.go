package requirements

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

var schemeText = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

// isURL reports whether a requirement is a URL without a name before it.
func isURL(text string) bool {
	scheme := schemeText.FindString(text)
	return scheme != "" && strings.HasPrefix(text[len(scheme):], "//") || strings.EqualFold(scheme, "file:")
}

// isPath reports whether a requirement is a file or directory for pip.
func isPath(text string) bool {
	name, _, _ := strings.Cut(text, "@")
	name, _, _ = strings.Cut(name, ";")
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "~") || strings.Contains(name, "/") {
		return true
	}
	name = strings.ToLower(strings.TrimSpace(name))
	return slices.ContainsFunc([]string{".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

const localHint = "a lock must hold on every machine: name a released version, or write NAME @ URL with an https or git+https URL"

// checkURL checks where a package comes from.
func checkURL(l logical, text string) error {
	parsed, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("%s is no valid URL", l.shown(text))
	}
	transport := strings.ToLower(parsed.Scheme)
	vcs, plain, isVCS := strings.Cut(transport, "+")
	if isVCS && slices.Contains([]string{"git", "hg", "svn", "bzr"}, vcs) {
		transport = plain
	}
	switch {
	case transport == "file" || transport == "":
		return advise(l.shown(text)+" is a place on this machine", localHint)
	case slices.Contains([]string{"ssh", "git"}, transport) && !isVCS:
		return advise(l.shown(text)+" does not say by which program to fetch", "write git+"+transport+"://… for a git repository")
	case !slices.Contains([]string{"https", "http", "ssh", "git"}, transport):
		return advise(fmt.Sprintf("%s: pip does not know the protocol %q", l.shown(text), parsed.Scheme), "use https or git+https")
	case parsed.Host == "":
		return fmt.Errorf("%s has no host", l.shown(text))
	}
	_, password := parsed.User.Password()
	if password || parsed.User != nil && transport != "ssh" {
		return advise(l.shown(text)+" has a credential in it", "take it out; git and pip read credentials from a credential-store file and .netrc")
	}
	return nil
}

// checkIndex checks the value of --index-url, --extra-index-url, --find-links.
func checkIndex(l logical, g given) error {
	parsed, err := url.Parse(g.value)
	switch {
	case err != nil || strings.ContainsAny(g.value, " \t\"'\\"):
		return fmt.Errorf("%s %s is no valid URL", g.long, l.shown(g.value))
	case parsed.User != nil:
		return advise(g.long+" has a credential in it", secretHint)
	case parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "":
		return advise(fmt.Sprintf("%s %s is no http or https URL", g.long, l.shown(g.value)), "a lock must hold on every machine: serve the files by http")
	}
	return nil
}

// Where a URL tells the package's name.
var (
	eggText   = regexp.MustCompile(`(?:^|&)egg=([^&]*)`)
	wheelText = regexp.MustCompile(`^([A-Za-z0-9._]+)-[^-/]+(?:-[0-9][^-/]*)?-[^-/]+-[^-/]+-[^-/]+\.whl$`)
)

// parseBare parses a URL without a name. It takes the name from #egg= or the
// file name of a wheel, and leaves it empty otherwise.
func parseBare(l logical, text string) (pep508.Requirement, error) {
	text, marker, has := strings.Cut(text, "; ")
	r := pep508.Requirement{URL: strings.TrimSpace(text)}
	if strings.ContainsAny(r.URL, " \t") {
		return r, fmt.Errorf("%s: a URL holds no blanks; before a marker comes a blank, a semicolon and a blank", l.shown(text))
	}
	if err := checkURL(l, r.URL); err != nil {
		return r, err
	}
	if marker = strings.TrimSpace(marker); has && marker != "" {
		parsed, err := pep508.ParseMarker(marker)
		if err != nil {
			return r, l.parseFault(err)
		}
		r.Marker = parsed
	}
	address, fragment, _ := strings.Cut(r.URL, "#")
	var name string
	if egg := eggText.FindStringSubmatch(fragment); egg != nil {
		name = egg[1]
	}
	if wheel := wheelText.FindStringSubmatch(path.Base(address)); wheel != nil {
		name = wheel[1]
	}
	if name == "" {
		return r, nil
	}
	named, err := pep508.Parse(name)
	if err != nil || named.Name != name {
		return r, advise(l.shown(text)+" names no package in #egg=", "write NAME[EXTRAS] @ URL")
	}
	r.Name, r.Normalized = named.Name, named.Normalized
	return r, nil
}
