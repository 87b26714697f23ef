// Package portal downloads Odoo's source bundles for customers from the web
// portal that has them.
//
// The portal gives a session cookie, checks the subscription code by JSON-RPC, and
// answers the download with the archive, or with a page that links to the one
// other host that is asked. The code, and every value in a URL's query, is in no
// error, log or report.
package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"

	"github.com/nuobit/odyssey/internal/secret"
)

// DefaultCDN is the host to which the portal's pages link.
const DefaultCDN = "https://download.odoocdn.com"

// Bounds of what the portal may answer.
const (
	maxAnswer    = 1 << 20 // bytes of JSON or HTML
	maxRedirects = 5
)

// ErrRefused is of a subscription code that gives no download.
var ErrRefused = errors.New("the portal refuses the subscription code")

// Options say where and what to download. All but Log and CDN are required.
type Options struct {
	BaseURL  string // of the portal, such as https://www.odoo.com
	CDN      string // default DefaultCDN
	Platform string // such as src_17e
	Code     secret.Text
	Timeout  time.Duration // for an answer to begin, and between its bytes
	MaxSize  int64         // bytes of an archive
	// Log is told of requests, without what is secret in them. Nil: nobody is.
	Log *slog.Logger
}

// Client asks one portal.
type Client struct {
	o    Options
	base *url.URL
	cdn  *url.URL
	http *http.Client
}

// New returns a client. Its URLs are https, or http of this machine.
func New(o Options) (*Client, error) {
	if o.CDN == "" {
		o.CDN = DefaultCDN
	}
	base, err := parseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	cdn, err := parseURL(o.CDN)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := cleanhttp.DefaultPooledTransport()
	transport.ResponseHeaderTimeout = o.Timeout
	transport.DisableCompression = true // the archive's bytes, as they are
	c := &Client{o: o, base: base, cdn: cdn}
	c.http = &http.Client{Transport: transport, Jar: jar, CheckRedirect: c.checkRedirect}
	return c, nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the portal's URL must be like https://www.odoo.com, without user, query and fragment")
	}
	local := u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, fmt.Errorf("the portal's URL must begin with https://, as the subscription code is sent to it; %s has %s://", u.Host, u.Scheme)
	}
	return u, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// allowed reports whether a URL may be asked: the portal, or an archive of the
// CDN.
func (c *Client) allowed(u *url.URL) bool {
	if u.User != nil {
		return false
	}
	if u.Scheme == c.base.Scheme && u.Host == c.base.Host {
		return true
	}
	return u.Scheme == c.cdn.Scheme && u.Host == c.cdn.Host && strings.HasPrefix(u.Path, "/download/")
}

var errOtherHost = errors.New("the portal sends us to another host, which was not asked")

func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errors.New("the portal redirects again and again")
	case !c.allowed(r.URL):
		return errOtherHost
	}
	r.Header.Del("Referer") // it may have the code in its query
	return nil
}

// do sends a request, and makes its errors safe to print.
func (c *Client) do(r *http.Request) (*http.Response, error) {
	r.Header.Set("User-Agent", "odyssey-bot")
	answer, err := c.http.Do(r)
	if err != nil {
		c.log(r, 0, "")
		return nil, fmt.Errorf("%s %s: %w", r.Method, where(r.URL), c.safe(err))
	}
	c.log(r, answer.StatusCode, answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPartialContent {
		_ = answer.Body.Close()
		return nil, &statusError{r.Method, where(answer.Request.URL), answer.StatusCode}
	}
	return answer, nil
}

type statusError struct {
	method, where string
	status        int
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s %s: the portal answers %d %s", e.method, e.where, e.status, http.StatusText(e.status))
	if e.status >= 500 || e.status == http.StatusTooManyRequests {
		text += "\n  try again later"
	}
	return text
}

// where is a URL without its query.
func where(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// safe takes URLs, whose queries hold what is secret, out of an error.
func (c *Client) safe(err error) error {
	if at := (*url.Error)(nil); errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.Is(err, errOtherHost), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	text := err.Error()
	code := c.o.Code.Reveal()
	for _, form := range []string{code, url.QueryEscape(code), url.PathEscape(code)} {
		if form != "" {
			text = strings.ReplaceAll(text, form, secret.Redacted)
		}
	}
	return errors.New(queries.ReplaceAllString(text, "?"+secret.Redacted))
}

// queries are those of URLs in a text.
var queries = regexp.MustCompile(`\?[^\s"]+`)

// log tells of a request: names of its query's parameters, no values.
func (c *Client) log(r *http.Request, status int, contentType string) {
	if c.o.Log == nil {
		return
	}
	var names []string
	for name := range r.URL.Query() {
		names = append(names, name)
	}
	c.o.Log.Info("portal request", "method", r.Method, "url", where(r.URL), "query", strings.Join(names, ","), "status", status, "type", contentType)
}

// Check asks whether the subscription code gives a download. The error satisfies
// errors.Is(err, ErrRefused) when the portal says no.
func (c *Client) Check(ctx context.Context) error {
	if err := c.session(ctx); err != nil {
		return err
	}
	question, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]string{"code": c.o.Code.Reveal()},
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath("/download/check_subscription").String(), strings.NewReader(string(question)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(c.patient(ctx, answer.Body), maxAnswer))
	if err != nil {
		return fmt.Errorf("POST %s: %w", where(r.URL), c.safe(err))
	}
	var said struct {
		Result any             `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return errors.New("the portal's answer on the subscription is no JSON\n  look at the portal in a browser; it may be under maintenance")
	}
	result, _ := said.Result.(string)
	return explain(result)
}

// explain says what the portal means by an answer on the subscription.
func explain(result string) error {
	switch result {
	case "success":
		return nil
	case "oe_download_invalid_code":
		return fmt.Errorf("%w: it knows no such code (oe_download_invalid_code)\n  copy it again from the invoice or from the settings of the database", ErrRefused)
	case "oe_download_not_allowed":
		return fmt.Errorf("%w: the subscription does not include this download (oe_download_not_allowed)\n  ask the owner of the subscription, or Odoo", ErrRefused)
	case "oe_download_invalid_status":
		return fmt.Errorf("%w: the subscription is not active (oe_download_invalid_status)\n  see in Odoo's portal whether it has expired or is not paid", ErrRefused)
	case "oe_download_server_error":
		return errors.New("the portal cannot check the subscription now (oe_download_server_error)\n  try again later")
	}
	return errors.New("the portal's answer on the subscription is none of those that are known\n  its protocol may have changed; look for a newer release of this program")
}

// session gets the cookie that the portal wants to see again.
func (c *Client) session(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("/page/download").String(), http.NoBody)
	if err != nil {
		return err
	}
	answer, err := c.do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
