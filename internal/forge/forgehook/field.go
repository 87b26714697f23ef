package forgehook

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const maxText = 255 // bytes of a login or a branch's name

var commitRE = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// IsCommit returns an error that names the field when s is no full object id.
func IsCommit(field, s string) error {
	if !commitRE.MatchString(s) {
		return fmt.Errorf("%s is no commit", field)
	}
	return nil
}

// IsBranch returns an error that names the field when s is no branch's name.
func IsBranch(field, s string) error {
	if !IsLine(s) || strings.Contains(s, "..") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "/") {
		return fmt.Errorf("%s is no branch", field)
	}
	return nil
}

// IsID returns an error that names the field when id is none that forges give.
func IsID(field string, id int64) error {
	if id <= 0 {
		return fmt.Errorf("%s %d is no number of one", field, id)
	}
	return nil
}

// IsTime returns an error that names the field when nothing happened then.
func IsTime(field string, at time.Time) error {
	if at.Year() < 2000 || at.Year() > 9999 {
		return fmt.Errorf("%s is missing or no time", field)
	}
	return nil
}

// IsLine reports whether text is a short word of characters that can be seen.
func IsLine(s string) bool {
	return s != "" && len(s) <= maxText && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

// WebAddress returns s, or "" when it is nothing that a page may link to.
func WebAddress(s string) string {
	if (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && len(s) <= 2048 && !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	return ""
}
