package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/gitname"
)

// ErrMoved says that the server has the repository elsewhere, as a forge has a
// renamed one.
var ErrMoved = errors.New("the repository has moved")

// movedError is a remote whose server points elsewhere, which was not followed.
type movedError struct {
	// to is HOST/PATH of a URL that passed gitname.ParseURL; "" when the server does
	// not tell. Without its scheme a forge makes no link of it where it is quoted.
	to  string
	err error
}

func (e *movedError) Error() string {
	if e.to == "" {
		return "the repository is elsewhere, and the server does not say where without credentials: " + reasonOf(e.err) +
			"\n  it may have been renamed; write its new URL, once you have seen that it is the same repository"
	}
	return "the server says that the repository is now at " + e.to +
		"\n  it may have been renamed; write its new URL, once you have seen that it is the same repository"
}

func (e *movedError) Unwrap() []error { return []error{ErrMoved, e.err} }

func reasonOf(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// redirected is what git says of a redirect that it does not follow.
var redirected = regexp.MustCompile(`returned error: 30[12378]\b`)

// advertisement is what git asks an HTTP server for first.
const advertisement = "/info/refs?service=git-upload-pack"

// moved makes of a failure for a redirect that was not followed a *movedError,
// and returns other errors as they are.
func (c *Client) moved(ctx context.Context, raw string, err error) error {
	failed := (*Error)(nil)
	if !errors.As(err, &failed) || !redirected.MatchString(failed.Stderr) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	to, lookup := c.whereTo(ctx, raw)
	if lookup != nil {
		to = ""
	}
	return &movedError{to, err}
}

// asking is how long a server may take to say where a repository is.
const asking = 20 * time.Second

// whereTo asks the server, without credentials, where it points. That is not
// asked, and no other server is.
func (c *Client) whereTo(ctx context.Context, raw string) (string, error) {
	t, err := c.target(ctx, raw)
	if err != nil {
		return "", err
	}
	d := newDirect(c.env, (&net.Dialer{Timeout: asking}).DialContext)
	if d == nil {
		return "", errIndirect
	}
	defer d.idle()
	r, err := http.NewRequestWithContext(context.WithValue(ctx, targetKey{}, t), http.MethodGet, strings.TrimRight(t.String(), "/")+advertisement, http.NoBody)
	if err != nil {
		return "", err
	}
	r.URL.User = nil
	r.Header = http.Header{"Git-Protocol": {"version=2"}, "User-Agent": {"git/2 (odyssey)"}}
	answer, err := d.http.Do(r)
	if err != nil {
		return "", err
	}
	_ = answer.Body.Close()
	return newHome(r.URL, answer.Header.Get("Location"))
}

// newHome is the repository that a redirect of the advertisement at asked points to.
func newHome(asked *url.URL, location string) (string, error) {
	u, err := asked.Parse(location)
	if err != nil || location == "" {
		return "", fmt.Errorf("no redirect: %w", errIndirect)
	}
	path, is := strings.CutSuffix(u.Path, "/info/refs")
	if !is || u.User != nil || u.Scheme != "https" && u.Scheme != asked.Scheme {
		return "", errors.New("the redirect is not to a repository")
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = path, "", "", ""
	if strings.Contains(u.String(), "%") {
		return "", errors.New("the redirect is to a name that no forge gives")
	}
	found, err := gitname.ParseURL(u.String())
	_, to, _ := strings.Cut(found.String(), "://")
	return to, err
}
