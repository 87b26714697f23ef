// Package gitname checks the names that reach git from outside: refs, object
// ids, remote names and URLs. A name that passed here can never be read as an
// option, a shell word or a remote helper.
package gitname

import (
	"fmt"
	"regexp"
	"strings"
)

const maxRef = 250 // bytes

var (
	refChars    = regexp.MustCompile(`^[\pL\pN_][\pL\pN._/@#+=,%-]*$`)
	remoteChars = regexp.MustCompile(`^[\pL\pN_][\pL\pN._+-]*$`)
	objectID    = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// IsObjectID reports whether s is a full object id, in lower case.
func IsObjectID(s string) bool { return objectID.MatchString(s) }

// CheckRef refuses a ref that git would refuse (git-check-ref-format) and,
// beyond that, white space and characters that mean something to a shell.
func CheckRef(ref string) error {
	switch {
	case ref == "":
		return fmt.Errorf("an empty ref")
	case len(ref) > maxRef:
		return fmt.Errorf("a ref of %d bytes; %d are allowed", len(ref), maxRef)
	case !refChars.MatchString(ref):
		return fmt.Errorf("%q is no ref: letters, digits and . _ / @ # + = , %% - are allowed, and no other at its start", ref)
	case strings.Contains(ref, ".."), strings.Contains(ref, "//"), strings.Contains(ref, "@{"),
		strings.Contains(ref, "/."), strings.HasSuffix(ref, "/"), strings.HasSuffix(ref, "."):
		return fmt.Errorf("%q is no ref: git does not allow .. or // or @{ or /. in it, nor / or . at its end", ref)
	}
	for _, part := range strings.Split(ref, "/") {
		if strings.HasSuffix(part, ".lock") {
			return fmt.Errorf("%q is no ref: no part of one ends in .lock", ref)
		}
	}
	return nil
}

// CheckRemote refuses what git would not take as the name of a remote.
func CheckRemote(name string) error {
	if len(name) > maxRef || !remoteChars.MatchString(name) || strings.Contains(name, "..") ||
		strings.HasSuffix(name, ".") || strings.HasSuffix(name, ".lock") {
		return fmt.Errorf("%q is no name for a remote: use letters, digits and . _ + -", name)
	}
	return nil
}
