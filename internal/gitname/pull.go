package gitname

import (
	"regexp"
	"strconv"
)

var pullHead = regexp.MustCompile(`^(?:refs/)?pull/([1-9][0-9]{0,17})/head$`)

// PullRequest returns the number of the pull request whose head a ref is, as
// GitHub, Gitea and Forgejo name it; 0 when it is none.
func PullRequest(ref string) int64 {
	parts := pullHead.FindStringSubmatch(ref)
	if parts == nil {
		return 0
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
