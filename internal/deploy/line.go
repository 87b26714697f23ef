package deploy

import (
	"bytes"
	"regexp"
)

var (
	// quadletKey matches the image of a Podman unit; anyKey a variable of an env
	// file.
	quadletKey = regexp.MustCompile(`^([ \t]*Image[ \t]*=[ \t]*)(\S+?)([ \t\r]*)$`)
	anyKey     = regexp.MustCompile(`^([ \t]*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]*=[ \t]*["']?)([^\s"']+)(["']?[ \t]*(?:#.*)?\r?)$`)
)

// findLines finds references in a file of lines KEY=VALUE.
func findLines(data []byte, to Image, key *regexp.Regexp) (sites []site) {
	at := 0
	for _, line := range bytes.Split(data, []byte("\n")) {
		start := at
		at += len(line) + 1
		where := key.FindSubmatchIndex(line)
		if where == nil {
			continue
		}
		was, ok := split(string(line[where[4]:where[5]]))
		if !ok || was.Repository() != to.Repository() {
			continue
		}
		sites = append(sites, site{was: was, edits: func(to Image) []edit {
			return []edit{{start + where[4], start + where[5], was.rewritten(to)}}
		}})
	}
	return sites
}
