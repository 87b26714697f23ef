package python

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/secret"
)

// ToolError is a run of pip, uv or Python that failed.
type ToolError struct {
	What     string // the step, such as "install"
	Tool     string // the program's name
	ExitCode int    // -1 when a signal ended it
	Signal   string // what ended it; empty when it exited
	Output   string // its last 16 KiB, secrets and control characters taken out
}

const maxLines = 40 // of a tool's output that an error shows

func (e *ToolError) Error() string {
	var b strings.Builder
	if e.Signal != "" {
		fmt.Fprintf(&b, "%s: %s was ended by a signal: %s", e.What, e.Tool, e.Signal)
	} else {
		fmt.Fprintf(&b, "%s: %s failed with exit code %d", e.What, e.Tool, e.ExitCode)
	}
	lines := strings.Split(strings.TrimSpace(e.Output), "\n")
	if over := len(lines) - maxLines; over > 0 {
		lines = append([]string{"…"}, lines[over:]...)
	}
	for _, line := range lines {
		if line = strings.TrimRight(line, " "); line != "" {
			b.WriteString("\n  " + line)
		}
	}
	if hint := e.hint(); hint != "" {
		b.WriteString("\n  " + hint)
	}
	return b.String()
}

// hint is what to do about it, by what pip and uv say.
func (e *ToolError) hint() string {
	for _, h := range []struct {
		said *regexp.Regexp
		hint string
	}{
		{mismatched, "the index serves another file than the one that was locked: find out why before you refresh the lock"},
		{diskFull, "make room, also where temporary files go (TMPDIR)"},
		{refusedLogin, "the index wants other credentials: give them in PIP_INDEX_URL, pip.conf or .netrc"},
		{unreachable, "the index does not answer, or is not the one that is meant: check PIP_INDEX_URL and pip.conf"},
		{notFound, "no index has it, or lets you see it: check the name, PIP_INDEX_URL, pip.conf and the credentials in them"},
		{unhashed, "refresh the lock, which writes a hash for every file"},
		{oldPip, "this pip is too old to give settings to the build of one package: install uv, or use a Python whose pip is 23.1 or newer"},
		{badCompiler, "install what it needs to be compiled, in Debian the package build-essential and the -dev packages that the output names"},
	} {
		if h.said.MatchString(e.Output) {
			return h.hint
		}
	}
	if e.Signal == "killed" {
		return "the system kills what takes too much memory"
	}
	return ""
}

// What pip and uv say of each fault.
var (
	mismatched   = regexp.MustCompile(`(?i)hash mismatch|do not match the hashes`)
	diskFull     = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)
	refusedLogin = regexp.MustCompile(`(?i)\b(401|403) (error|client error|unauthorized|forbidden)|(401 unauthorized|403 forbidden)|error, credentials not correct|user for .*:`)
	unreachable  = regexp.MustCompile(`(?i)connection (refused|reset|broken|aborted)|error sending request|failed to (connect|fetch)|max retries exceeded|timed out|dns error|name resolution|could not (connect|fetch)|\b5\d\d (server error|internal|bad|service|gateway)`)
	notFound     = regexp.MustCompile(`(?i)from versions: none\)|not found in the (package registry|cache|provided)`)
	unhashed     = regexp.MustCompile(`(?i)hashes are required in|in .*--require-hashes.* mode`)
	oldPip       = regexp.MustCompile(`no such option: --config-settings`)
	badCompiler  = regexp.MustCompile(`(?i)command '?"?[\w/.+-]*(gcc|cc|g\+\+|clang)'?"? failed|fatal error: \S+\.h: no such file|unable to execute`)
)

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// redactor takes the secrets that the environment of a tool holds out of what
// the tool prints.
type redactor struct{ secrets []string }

// newRedactor finds the secrets of environments: passwords in URLs, and what
// variables named as secrets hold.
func newRedactor(environ []string) redactor {
	var r redactor
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if secretName.MatchString(name) {
			r.add(value)
		}
		r.addURLs(value)
	}
	return r
}

var (
	secretName = regexp.MustCompile(`(?i)^(UV|PIP)_.*(PASSWORD|TOKEN|SECRET|USERNAME)`)
	userinfo   = regexp.MustCompile(`://([^\s/]*)@`)
	queryValue = regexp.MustCompile(`(://\S*?[?&][^\s=&]+=)[^\s&#"'<>)]+`)
)

// addURLs adds the user names and passwords of the URLs in text.
func (r *redactor) addURLs(text string) {
	for _, m := range userinfo.FindAllStringSubmatch(text, -1) {
		user, password, _ := strings.Cut(m[1], ":")
		if password == "" {
			r.add(user) // a token
		}
		r.add(password)
	}
}

// minSecret is the length below which text is not looked for: it would take
// innocent words out.
const minSecret = 4

func (r *redactor) add(text string) {
	r.secrets = append(r.secrets, text)
	if plain, err := url.PathUnescape(text); err == nil {
		r.secrets = append(r.secrets, plain, url.QueryEscape(plain), url.PathEscape(plain))
	}
}

// clean makes what a tool printed safe to show.
func (r redactor) clean(text string) string {
	text = strings.ToValidUTF8(text, "?")
	text = colour.ReplaceAllString(text, "")
	text = strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return c
	}, strings.ReplaceAll(strings.ReplaceAll(text, "\r", "\n"), "\t", " "))
	for _, s := range r.secrets {
		if len(s) >= minSecret {
			text = strings.ReplaceAll(text, s, secret.Redacted)
		}
	}
	return queryValue.ReplaceAllString(gitname.Redact(text), "${1}"+secret.Redacted)
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
