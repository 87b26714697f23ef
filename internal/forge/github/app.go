package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/secret"
)

// App says as which GitHub App to call.
type App struct {
	ID  int64
	Key secret.Text // its private key, PEM
}

// appAccount is the account of what the App does as itself.
const appAccount = "app"

// app is the identity of a GitHub App: a signed word of its own for what it is,
// and for what it does the token of its installation at an owner. Such a token
// lives for an hour and is renewed a minute before its end.
type app struct {
	App
	api  string
	next *meter
	self *ghinstallation.AppsTransport
	now  func() time.Time

	client func() (*sdk.Client, error) // whose calls come back to this identity

	mu     sync.Mutex
	owners map[string]int64                    // installation by owner, in lower case
	names  map[int64]string                    // owner by installation, in lower case
	tokens map[int64]*ghinstallation.Transport // by installation
}

func newApp(o App, s *session, next *meter, now func() time.Time) (*app, error) {
	if o.ID <= 0 {
		return nil, errors.New("the App's id is missing")
	}
	a := &app{
		App: o, api: s.api, next: next, now: now, client: s.client,
		owners: map[string]int64{}, names: map[int64]string{}, tokens: map[int64]*ghinstallation.Transport{},
	}
	var err error
	if a.self, err = a.signer(); err != nil {
		return nil, err
	}
	return a, nil
}

// signer signs as the App. Transports of ghinstallation that share one race
// against each other, so each gets its own.
func (a *app) signer() (*ghinstallation.AppsTransport, error) {
	signer, err := ghinstallation.NewAppsTransport(a.next, a.ID, []byte(a.Key.Reveal()))
	if err != nil {
		return nil, errors.New("the App's private key is no RSA key in PEM; download a new one from the App's settings")
	}
	signer.BaseURL = strings.TrimRight(a.api, "/")
	return signer, nil
}

func (a *app) transport(ctx context.Context, p purpose) (http.RoundTripper, string, error) {
	if p.app {
		return a.self, appAccount, nil
	}
	id, known, err := a.installation(ctx, p)
	if err != nil {
		return nil, "", err
	}
	tokens, err := a.renewed(ctx, id)
	if known && errors.Is(err, forge.ErrNotFound) { // it was uninstalled, and may be installed anew
		a.forget(id)
		if id, _, err = a.installation(ctx, p); err == nil {
			tokens, err = a.renewed(ctx, id)
		}
	}
	if err != nil {
		return nil, "", err
	}
	return tokens, installationAccount(id), nil
}

func installationAccount(id int64) string { return fmt.Sprintf("installation %d", id) }

// installation returns the id of the installation that acts for p, and whether
// it was known.
func (a *app) installation(ctx context.Context, p purpose) (id int64, known bool, err error) {
	if p.installation != 0 {
		return p.installation, false, nil
	}
	owner := strings.ToLower(p.repo.Owner)
	a.mu.Lock()
	id, known = a.owners[owner]
	a.mu.Unlock()
	if known {
		return id, true, nil
	}
	id, of, err := a.find(asApp(ctx), p.repo)
	if err != nil {
		return 0, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[id] = strings.ToLower(of)
	if strings.EqualFold(of, owner) { // else the repository was given away: others of the owner were not
		a.owners[owner] = id
	}
	return id, false, nil
}

// isAt takes in at whom an installation is.
func (a *app) isAt(id int64, owner string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[id] = strings.ToLower(owner)
}

// find asks for the installation in a repository, and whose it is. GitHub
// redirects from names that a repository had.
func (a *app) find(ctx context.Context, repo forge.Name) (id int64, owner string, err error) {
	client, err := a.client()
	if err != nil {
		return 0, "", err
	}
	found, resp, err := client.Apps.FindRepositoryInstallation(ctx, repo.Owner, repo.Name)
	err = a.known(answer(resp, err))
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return 0, "", fmt.Errorf("the App is not installed in %s, or there is no such repository: %w", repo, err)
	case err != nil:
		return 0, "", fmt.Errorf("find the App's installation: %w", err)
	}
	return found.GetID(), found.GetAccount().GetLogin(), nil
}

// renewed returns an installation's transport with a token that is good.
func (a *app) renewed(ctx context.Context, id int64) (*ghinstallation.Transport, error) {
	a.mu.Lock()
	tokens := a.tokens[id]
	if tokens == nil {
		signer, err := a.signer()
		if err != nil {
			a.mu.Unlock()
			return nil, err
		}
		tokens = ghinstallation.NewFromAppsTransport(signer, id)
		tokens.InstallationTokenOptions = &sdk.InstallationTokenOptions{} // all that the installation may
		a.tokens[id] = tokens
	}
	a.mu.Unlock()
	if _, err := tokens.Token(withUse(ctx, appAccount, "")); err != nil {
		return nil, a.noToken(err)
	}
	return tokens, nil
}

const maxRefusal = 8 << 10 // bytes of an answer that says no

// noToken says why there is no token for an installation.
func (a *app) noToken(err error) error {
	var refused *ghinstallation.HTTPError
	if !errors.As(err, &refused) || refused.Response == nil || refused.RootCause != nil {
		return forgehttp.Error(nil, &url.Error{Op: "Post", URL: a.api + "app/installations/…/access_tokens", Err: errors.Unwrap(err)})
	}
	resp := refused.Response
	defer resp.Body.Close()
	if skewed := a.skewed(resp); skewed != nil {
		return skewed
	}
	var said struct {
		Message string `json:"message"`
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = json.Unmarshal(body, &said)
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		said.Message += "; is it the App's id, and its private key?"
	case http.StatusForbidden:
		said.Message += "; who owns the repositories can allow it in the settings, under GitHub Apps"
	}
	return fmt.Errorf("get the token of the App's installation %d: %w", refused.InstallationID, forgehttp.Error(resp, errors.New(said.Message)))
}

// known tells an App that GitHub does not know from a thing that it does not
// know: the operator mends that.
func (a *app) known(err error) error {
	if errors.Is(err, forge.ErrNotFound) && strings.Contains(err.Error(), "Integration not found") {
		return fmt.Errorf("%w: it knows no App %d; is the App's id right, and is it this GitHub's?", forge.ErrUnauthorized, a.ID)
	}
	return err
}

// tolerance is how far a clock may be off before it is what to blame.
const tolerance = time.Minute

// skewed explains a refusal of what the App signed by this machine's clock when
// that is wrong: GitHub takes no word from the future, nor one that ran out.
func (a *app) skewed(resp *http.Response) error {
	theirs, _ := http.ParseTime(resp.Header.Get("Date"))
	if theirs.IsZero() || resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	off, where := a.now().Sub(theirs).Round(time.Second), "ahead of"
	if off < 0 {
		off, where = -off, "behind"
	}
	if off < tolerance {
		return nil
	}
	return fmt.Errorf("%w: this machine's clock is %s %s GitHub's, so GitHub takes nothing that the App signs; set the clock, for example by NTP",
		forge.ErrUnauthorized, off, where)
}

func (a *app) refused(account string, resp *http.Response) (again bool, err error) {
	if account == appAccount {
		return false, a.skewed(resp)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.tokens {
		if installationAccount(id) == account {
			delete(a.tokens, id)
			return true, nil
		}
	}
	return false, nil
}

// forget forgets an installation that is gone.
func (a *app) forget(id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tokens, id)
	delete(a.names, id)
	a.next.quota.drop(installationAccount(id))
	for owner, of := range a.owners {
		if of == id {
			delete(a.owners, owner)
		}
	}
}

func (a *app) login(ctx context.Context, s *session) (string, error) {
	client, err := s.client()
	if err != nil {
		return "", err
	}
	self, resp, err := client.Apps.Get(ctx, "")
	if err := a.known(answer(resp, err)); err != nil {
		return "", err
	}
	return self.GetSlug() + "[bot]", nil
}

// installation is where an App is installed.
type installation struct {
	ID    int64
	Owner string // login
}

const (
	pageOf100    = 100
	mostInstalls = 50 // pages
)

// installations lists where the App is installed and not suspended.
func (s *session) installations(ctx context.Context) ([]installation, error) {
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	var found []installation
	o := &sdk.ListOptions{PerPage: pageOf100}
	for range mostInstalls {
		page, resp, err := client.Apps.ListInstallations(asApp(ctx), o)
		if err := answer(resp, err); err != nil {
			return nil, fmt.Errorf("list the App's installations: %w", err)
		}
		for _, i := range page {
			if i.SuspendedAt == nil {
				found = append(found, installation{i.GetID(), i.GetAccount().GetLogin()})
			}
			if a, ok := s.identity.(*app); ok {
				a.isAt(i.GetID(), i.GetAccount().GetLogin())
			}
		}
		if resp.NextPage == 0 {
			return found, nil
		}
		o.Page = resp.NextPage
	}
	return nil, fmt.Errorf("the App has more than %d installations", mostInstalls*pageOf100)
}
