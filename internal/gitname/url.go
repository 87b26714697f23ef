package gitname

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
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

const (
	maxURL     = 1000                 // bytes
	shellChars = "\\`'\"<>|;&(){}*!^" // what a shell would read, and no URL needs
)

var (
	scpLike   = regexp.MustCompile(`^(?:([^@/:]+)@)?([^@/:\[\]]+):([^:].*)$`)
	hostChars = regexp.MustCompile(`^[\pL\pN_]([\pL\pN._-]*[\pL\pN_])?\.?$`)
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
	switch {
	case s == "":
		return URL{}, errors.New("an empty URL")
	case len(s) > maxURL:
		return URL{}, fmt.Errorf("a URL of %d bytes; %d are allowed", len(s), maxURL)
	case strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }):
		return URL{}, errors.New("a URL must not hold white space or control characters")
	case strings.Contains(s, "$"):
		return URL{}, errors.New("a URL must not hold a $; --expand-env replaces variables")
	case strings.ContainsAny(s, shellChars):
		return URL{}, errors.New("a URL must not hold any of " + shellChars)
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
		if strings.Contains(parts[3], "@") {
			return URL{}, errors.New("a URL has an @ after the colon; write USER@HOST:PATH, without a password")
		}
		return checked(URL{Scheme: "ssh", User: parts[1], Host: parts[2], Path: parts[3], raw: s})
	}
	return URL{}, fmt.Errorf("%s is no URL; write https://HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git", Redact(s))
}

func parseAbsolute(s string) (URL, error) {
	if scheme, _, _ := strings.Cut(s, "://"); scheme != strings.ToLower(scheme) {
		return URL{}, fmt.Errorf("%s: write the protocol in small letters, as git needs it", Redact(s))
	}
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
		Scheme: parsed.Scheme, User: parsed.User.Username(),
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
	case !hostChars.MatchString(u.Host) && !isAddress(u.Host):
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

func isAddress(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == ""
}

var credential = regexp.MustCompile(`(://)\S*@`)

// Redact takes user names and passwords out of every URL in text. It takes
// more where a password may hold an @ or a /.
func Redact(text string) string { return credential.ReplaceAllString(text, "$1[redacted]@") }
