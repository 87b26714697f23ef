package git

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// What an Error can be, by errors.Is.
var (
	// ErrTransient: the same call may succeed later.
	ErrTransient = errors.New("transient fault")
	// ErrRefused: the server wants other credentials.
	ErrRefused = errors.New("credentials refused")
	// ErrNoRepository: there is no such repository, or none for these
	// credentials.
	ErrNoRepository = errors.New("no such repository")
)

const credentialHint = "name a credential-store file (--git-credentials, or git.credentialsFile in odyssey.yaml)"

// Error is a git command that failed.
type Error struct {
	Args     []string // without configuration and environment
	ExitCode int      // -1 when it did not exit by itself
	Stderr   string   // its last 4 KiB, credentials and control characters taken out
	class    error
}

func (e *Error) Error() string {
	text := reason(e.Stderr)
	if text == "" {
		text = fmt.Sprintf("git %s failed with exit code %d", e.Args[0], e.ExitCode)
	}
	switch {
	case errors.Is(e.class, ErrRefused):
		text += "\n  the repository is private, or its name is wrong; " + credentialHint
	case errors.Is(e.class, ErrNoRepository):
		text += "\n  check the URL; if the repository is private, " + credentialHint
	}
	return text
}

// Unwrap returns the class of the error, or nil.
func (e *Error) Unwrap() error { return e.class }

// reason picks the line of git's output that says what is wrong.
func reason(stderr string) string {
	var last string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if text, is := cutAny(line, "fatal: ", "error: ", "ERROR: ", "ssh: "); is {
			return text
		}
		if line != "" {
			last = line
		}
	}
	return last
}

func cutAny(line string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if text, ok := strings.CutPrefix(line, p); ok {
			return text, true
		}
	}
	return line, false
}

var classes = []struct {
	class   error
	pattern *regexp.Regexp
}{
	{ErrRefused, regexp.MustCompile(`(?i)authentication failed|could not read (username|password)|returned error: (401|403)|permission denied|terminal prompts disabled|host key verification failed`)},
	{ErrNoRepository, regexp.MustCompile(`(?i)repository .*not found|not found$|does not appear to be a git repository|returned error: (404|410)`)},
	{ErrTransient, regexp.MustCompile(`(?i)could not resolve|connection (refused|reset|timed out|closed)|timed? ?out|returned error: (429|5\d\d)|early eof|unexpected disconnect|hung up|empty reply|rpc failed|tls connection|recv failure|ssl_read|gnutls_handshake|network is unreachable|too slow|failed to connect|expected flush`)},
}

func classify(stderr string) error {
	text := strings.TrimSpace(stderr)
	for _, c := range classes {
		if c.pattern.MatchString(text) {
			return c.class
		}
	}
	return nil
}

// clean makes what a server said safe to print.
func clean(stderr string) string {
	text := strings.ToValidUTF8(stderr, "?")
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r", "\n"))
	return gitname.Redact(text)
}
