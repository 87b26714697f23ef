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

const credentialHint = "name a credential-store file (--git-credentials, or git.credentialsFile in odyssey.yaml)" //nolint:gosec // names options, holds no credential

// classed is an error of a class, of which its text says nothing.
type classed struct {
	error
	class error
}

func (e *classed) Unwrap() []error { return []error{e.error, e.class} }

func transientf(format string, args ...any) error {
	return &classed{fmt.Errorf(format, args...), ErrTransient}
}

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

// What git and servers say of each class. The order matters: the first that
// matches counts.
var (
	refused      = regexp.MustCompile(`(?i)authentication failed|could not read (username|password)|returned error: (401|403)|permission denied|terminal prompts disabled|host key verification failed`)
	noRepository = regexp.MustCompile(`(?i)repository .*not found|not found$|does not appear to be a git repository|returned error: (404|410)`)
	transient    = regexp.MustCompile(`(?i)could not resolve|connection (refused|reset|timed out|closed)|timed? ?out|returned error: (429|5\d\d)|early eof|unexpected disconnect|hung up|empty reply|rpc failed|tls connection|recv failure|ssl_read|gnutls_handshake|network is unreachable|too slow|failed to connect|expected flush`)
)

func classify(stderr string) error {
	text := strings.TrimSpace(stderr)
	switch {
	case refused.MatchString(text):
		return ErrRefused
	case noRepository.MatchString(text):
		return ErrNoRepository
	case transient.MatchString(text):
		return ErrTransient
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
