package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sdk "github.com/google/go-github/v62/github"
	"github.com/hashicorp/go-cleanhttp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/secret"
)

// publicAPI is the API of github.com.
const publicAPI = "https://api.github.com/"

// Options say which GitHub to talk to, and as whom. One of Token and App is set.
type Options struct {
	API   string                                           // base URL of the API; github.com's when "", of an Enterprise Server https://HOST/api/v3
	Token secret.Text                                      // of a user
	App   App                                              // or a GitHub App
	HTTP  forgehttp.Options                                // MinWait: 1 s by default
	Log   *slog.Logger                                     // nil: none
	Now   func() time.Time                                 // nil: time.Now
	Wait  func(ctx context.Context, d time.Duration) error // nil: sleeps for d, or until ctx ends
}

// writeGap is the least time between two writes. GitHub's advice for one who
// makes many (docs.github.com, "Best practices for using the REST API").
const writeGap = time.Second

// session is how the API is called: it puts the right credential on each
// request, keeps to the quotas, asks for what it has already only if it
// changed, and repeats what may be repeated. Each request's context says on
// whose behalf it is (forRepo and its like).
type session struct {
	http     *http.Client
	api      string // with a slash at its end
	identity identity
	quota    *quota
	now      func() time.Time
	log      *slog.Logger

	mu      sync.Mutex
	account string    // login of the account that calls, once it was asked for
	asked   time.Time // when that was
}

// identity proves who calls.
type identity interface {
	// transport returns what carries a request made for p, with its credential,
	// and the name of the account whose quota it counts against.
	transport(ctx context.Context, p purpose) (http.RoundTripper, string, error)
	// refused takes note that a credential of an account was refused, and returns
	// whether there can be another one, else what to say (nil: what the forge said).
	refused(account string, resp *http.Response) (again bool, err error)
	// login asks for the account's login.
	login(ctx context.Context, s *session) (string, error)
}

// purpose is what a request is made for. One of the three is set.
type purpose struct {
	repo         forge.Name
	installation int64
	app          bool
}

// budget names who a request's use of the quota is put down to.
func (p purpose) budget() string {
	if p.repo.Name == "" {
		return ""
	}
	return strings.ToLower(p.repo.String())
}

type purposeKey struct{}

// forRepo makes requests act on a repository.
func forRepo(ctx context.Context, name forge.Name) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose{repo: name})
}

// forInstallation makes requests act as an installation of the App.
func forInstallation(ctx context.Context, id int64) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose{installation: id})
}

// asApp makes requests act as the App itself, or as the token's account.
func asApp(ctx context.Context) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose{app: true})
}

// newSession checks the options; it does not call the server.
func newSession(o Options) (*session, error) {
	api, err := apiURL(o.API)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	q := newQuota(o.Now, o.Wait, o.Log)
	if o.HTTP.MinWait == 0 {
		o.HTTP.MinWait = writeGap // the second attempt of a write is one, too
	}
	if o.HTTP.Transport == nil {
		o.HTTP.Transport = cleanhttp.DefaultPooledTransport()
	}
	o.HTTP.Transport = observer{quota: q, next: moved{o.HTTP.Transport}}
	o.HTTP.Now = o.Now
	o.HTTP.Account = func(req *http.Request) string { // tokens come and go
		c, _ := req.Context().Value(callKey{}).(call)
		return c.account
	}
	m := &meter{quota: q, cache: newCache(), next: forgehttp.New(o.HTTP).Transport, api: api}
	s := &session{api: api, quota: q, now: o.Now, log: o.Log}
	switch token, app := o.Token.Reveal() != "", o.App.ID != 0 || o.App.Key.Reveal() != ""; {
	case token && app:
		return nil, errors.New("there is a token, and an App as well; one of them is to be used")
	case token:
		s.identity = bearer{token: o.Token, next: m}
	case app:
		if s.identity, err = newApp(o.App, s, m, o.Now); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("the forge's token is missing, or its App's id and private key")
	}
	s.http = &http.Client{
		Transport:     s,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// API returns the base URL of the API of the GitHub whose start page is at a URL:
// github.com, a tenant of ghe.com, or an Enterprise Server.
func API(start string) string {
	u, err := url.Parse(start)
	switch {
	case err != nil:
		return start // which New refuses
	case strings.EqualFold(u.Host, "github.com") || strings.EqualFold(u.Host, "www.github.com"):
		return publicAPI
	case strings.HasSuffix(strings.ToLower(u.Host), ".ghe.com"):
		return "https://api." + u.Host + "/"
	}
	return strings.TrimRight(start, "/") + "/api/v3/"
}

// apiURL checks the API's base URL and ends it with a slash.
func apiURL(text string) (string, error) {
	base, err := url.Parse(cmp.Or(text, publicAPI))
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return "", errors.New("the API's URL must be like https://github.example.com/api/v3")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return "", errors.New("the API's URL must hold no user, password, query or fragment")
	}
	return strings.TrimRight(base.String(), "/") + "/", nil
}

// isApp reports whether an App calls, and not the account of a token.
func (s *session) isApp() bool {
	_, ok := s.identity.(*app)
	return ok
}

// client returns an SDK client. Each call gets its own: the SDK remembers in it
// that a quota is used up, and knows nothing of installations.
func (s *session) client() (*sdk.Client, error) {
	base, err := url.Parse(s.api)
	if err != nil {
		return nil, err
	}
	client := sdk.NewClient(s.http)
	client.BaseURL, client.UserAgent = base, "odyssey"
	return client, nil
}

// loginLife is after what time the account's login is asked for again: accounts
// and Apps can be renamed.
const loginLife = 10 * time.Minute

// login returns the login of the account that calls: a user's, or "slug[bot]".
// While GitHub does not answer, it is the one that was known.
func (s *session) login(ctx context.Context) (string, error) {
	s.mu.Lock()
	known, age := s.account, s.now().Sub(s.asked)
	s.mu.Unlock()
	if known != "" && age.Abs() < loginLife {
		return known, nil
	}
	login, err := s.identity.login(asApp(ctx), s)
	switch {
	case known != "" && errors.Is(err, forge.ErrTransient):
		return known, nil
	case err != nil:
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known != "" && known != login {
		s.log.Info("account was renamed", "from", known, "to", login)
	}
	s.account, s.asked = login, s.now()
	return login, nil
}

// wrote takes in whom GitHub names as the author of what was just written. It
// is the account, which has another name when that is not the known one.
func (s *session) wrote(author string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if author != "" && author != s.account {
		s.asked = time.Time{}
	}
}

// RoundTrip sends a request with its credential. When an installation's token
// is refused, for it ran out early or was revoked, there is one more attempt
// with a new one. What it cannot get a credential for ends with an error of a
// class of package forge.
func (s *session) RoundTrip(req *http.Request) (*http.Response, error) {
	p, ok := req.Context().Value(purposeKey{}).(purpose)
	if !ok {
		closeBody(req)
		return nil, fmt.Errorf("%s %s: nobody said on whose behalf this is", req.Method, req.URL.Path)
	}
	resp, account, err := s.once(req, p)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	again, why := s.identity.refused(account, resp)
	if why != nil {
		_ = resp.Body.Close()
		return nil, why
	}
	if req.Body != nil && req.GetBody == nil {
		again = false
	}
	if !again {
		return resp, nil
	}
	_ = resp.Body.Close()
	second := req.Clone(req.Context())
	if req.GetBody != nil {
		if second.Body, err = req.GetBody(); err != nil {
			return nil, fmt.Errorf("read the request again: %w", err)
		}
	}
	resp, _, err = s.once(second, p)
	return resp, err
}

func (s *session) once(req *http.Request, p purpose) (*http.Response, string, error) {
	next, account, err := s.identity.transport(req.Context(), p)
	if err != nil {
		closeBody(req)
		return nil, "", err
	}
	resp, err := next.RoundTrip(req.Clone(withUse(req.Context(), account, p.budget())))
	return resp, account, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// wait sleeps for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// bearer is the identity of a plain token.
type bearer struct {
	token secret.Text
	next  http.RoundTripper
}

const tokenAccount = "token"

func (b bearer) transport(context.Context, purpose) (http.RoundTripper, string, error) {
	return b, tokenAccount, nil
}

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+b.token.Reveal()) // of session's clone
	return b.next.RoundTrip(req)
}

func (bearer) refused(string, *http.Response) (again bool, err error) { return false, nil }

func (bearer) login(ctx context.Context, s *session) (string, error) {
	client, err := s.client()
	if err != nil {
		return "", err
	}
	user, resp, err := client.Users.Get(ctx, "")
	if err := answer(resp, err); err != nil {
		return "", err
	}
	return user.GetLogin(), nil
}
