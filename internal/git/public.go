package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Public reports whether anybody may read a remote. Only where the credentials
// file has a word for the remote's host that is asked, without credentials:
// elsewhere this client is anybody.
func (c *Client) Public(ctx context.Context, remote string) (bool, error) {
	u, err := gitname.ParseURL(remote)
	if err != nil {
		return false, err
	}
	if u.User != "" || u.Scheme != "https" && u.Scheme != "http" {
		return u.User == "" && u.Scheme == "git", nil
	}
	known, err := c.credentialFor(u.Host)
	if err != nil || !known {
		return err == nil, err
	}
	nobody := *c
	nobody.settings, nobody.renewable, nobody.credentials = settings(Options{}), false, ""
	_, err = nobody.Resolve(ctx, remote, []string{"HEAD"})
	if errors.Is(err, ErrRefused) || errors.Is(err, ErrNoRepository) {
		return false, nil
	}
	return err == nil, err
}

// credentialFor reports whether the credentials file has a line for a host, on
// whatever port and path.
func (c *Client) credentialFor(host string) (bool, error) {
	if c.credentials == "" {
		return false, nil
	}
	f, err := os.Open(c.credentials)
	if err != nil {
		return false, fmt.Errorf("the credentials file: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		host := strings.TrimSuffix(host, ".")
		u, err := url.Parse(strings.TrimSpace(lines.Text()))
		if err == nil && strings.EqualFold(u.Hostname(), host) {
			return true, nil
		}
		if err != nil && strings.Contains(strings.ToLower(lines.Text()), strings.ToLower(host)) { // git may understand it
			return true, nil
		}
	}
	return false, lines.Err()
}
