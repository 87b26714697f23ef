package gitname

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// URL is the address of a remote, checked.
type URL struct {
	Scheme string // https, http, ssh, git or file
	User   string
	Host   string // without port and brackets
	Port   string
	Path   string
	raw    string
}

// String is the address as it was written. It holds no password.
func (u URL) String() string { return u.raw }

var (
	scpLike   = regexp.MustCompile(`^(?:([^@/:]+)@)?([^@/:\[\]]+):([^:].*)$`)
	hostChars = regexp.MustCompile(`^[\pL\pN_]([\pL\pN._-]*[\pL\pN_])?\.?$|^[0-9A-Fa-f:.]+$`)
	userChars = regexp.MustCompile(`^[\pL\pN_][\pL\pN._+-]*$`)
	portChars = regexp.MustCompile(`^[0-9]{1,5}$`)
	// Prefixes of tokens that people put where a user name belongs.
	tokenLike = regexp.MustCompile(`^(gh[opsur]_|github_pat_|glpat-|[0-9a-f]{40}$)`)
)

// ParseURL parses https, http, ssh, git and file URLs, scp's user@host:path,
// and local paths. It refuses remote helpers (ext::…), credentials in the URL
// and anything that a program could take for an option. Errors never repeat
// a credential.
func ParseURL(s string) (URL, error) {
	for _, r := range s {
		if unicode.IsControl(r) || unicode.IsSpace(r) || r == '\\' {
			return URL{}, errors.New("a URL must not hold white space, control characters or \\")
		}
	}
	switch {
	case s == "":
		return URL{}, errors.New("an empty URL")
	case strings.HasPrefix(s, "-"):
		return URL{}, fmt.Errorf("%s starts with -", Redact(s))
	case strings.Contains(s, "://"):
		return parseAbsolute(s)
	case strings.Contains(s, "::"):
		return URL{}, fmt.Errorf("%s names a remote helper; use an https or ssh URL", Redact(s))
	case filepath.IsAbs(s), strings.HasPrefix(s, "./"), strings.HasPrefix(s, "../"):
		return URL{Scheme: "file", Path: s, raw: s}, nil
	}
	if parts := scpLike.FindStringSubmatch(s); parts != nil {
		return checked(URL{Scheme: "ssh", User: parts[1], Host: parts[2], Path: parts[3], raw: s})
	}
	return URL{}, fmt.Errorf("%s is no URL; write https://HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git", Redact(s))
}

func parseAbsolute(s string) (URL, error) {
	parsed, err := url.Parse(s)
	if err != nil {
		return URL{}, fmt.Errorf("%s is no valid URL", Redact(s))
	}
	if _, has := parsed.User.Password(); has || tokenLike.MatchString(parsed.User.Username()) {
		return URL{}, fmt.Errorf("%s has a credential in it; take it out, and put it into a credential-store file", Redact(s))
	}
	if parsed.RawQuery != "" || parsed.Fragment != "" {
		return URL{}, fmt.Errorf("%s has a query or fragment; a repository's URL has none", Redact(s))
	}
	u := URL{
		Scheme: strings.ToLower(parsed.Scheme), User: parsed.User.Username(),
		Host: parsed.Hostname(), Port: parsed.Port(), Path: parsed.Path, raw: s,
	}
	if u.Scheme == "file" && u.Host == "" && u.Path != "" {
		return u, nil
	}
	return checked(u)
}

// checked applies what holds for every URL that has a host.
func checked(u URL) (URL, error) {
	switch {
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" && u.Scheme != "git":
		return URL{}, fmt.Errorf("%s: %q is no protocol for a repository; use https or ssh", Redact(u.raw), u.Scheme)
	case !hostChars.MatchString(u.Host):
		return URL{}, fmt.Errorf("%s has no valid host name", Redact(u.raw))
	case u.User != "" && !userChars.MatchString(u.User):
		return URL{}, fmt.Errorf("%s has no valid user name", Redact(u.raw))
	case u.Port != "" && !portChars.MatchString(u.Port):
		return URL{}, fmt.Errorf("%s has no valid port", Redact(u.raw))
	case strings.Trim(u.Path, "/") == "" || strings.HasPrefix(strings.TrimLeft(u.Path, "/"), "-"):
		return URL{}, fmt.Errorf("%s names no repository", Redact(u.raw))
	}
	return u, nil
}

var credential = regexp.MustCompile(`(://)[^/@\s]*@`)

// Redact takes user names and passwords out of every URL in text.
func Redact(text string) string { return credential.ReplaceAllString(text, "$1[redacted]@") }
