// Package gitea drives Gitea (1.22 or newer) and Forgejo (7 or newer). It
// alone sees Gitea's SDK. Files and commits go over git's own protocol, the
// rest over the API.
package gitea

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgegit"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
	"github.com/nuobit/odyssey/internal/secret"
)

// Flavour is which of the related forges a server is. What this package uses
// of their APIs is the same; the flavour names the forge in errors.
type Flavour string

// The flavours. Forgejo has not been run by this project's tests.
const (
	Gitea   Flavour = "gitea"
	Forgejo Flavour = "forgejo"
)

// Options say which forge to talk to.
type Options struct {
	URL     string // "https://git.example.org", or with a path below it
	Token   secret.Text
	Flavour Flavour           // Gitea by default
	HTTP    forgehttp.Options // for the API; git gets more time and room
}

// Forge is a Gitea or Forgejo server as one account sees it. Its methods may
// be called at the same time. Their errors wrap the sentinels of package
// forge and never hold the token.
type Forge struct {
	url     string
	token   string
	flavour Flavour
	api     *http.Client
	git     *http.Client

	mu    sync.Mutex
	login string // of the token's account, once it was asked for
}

// gitUser is the user name beside the token in basic authentication; Gitea
// looks at the token alone.
const gitUser = "odyssey"

// New checks the options; it does not call the server.
func New(o Options) (*Forge, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("the forge's URL must be like https://git.example.org")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the forge's URL must hold no user, password, query or fragment")
	case o.Token.Reveal() == "":
		return nil, errors.New("the forge's token is missing")
	}
	switch o.Flavour {
	case "":
		o.Flavour = Gitea
	case Gitea, Forgejo:
	default:
		return nil, fmt.Errorf("%q is no flavour of Gitea", o.Flavour)
	}
	return &Forge{
		url:     strings.TrimRight(base.String(), "/"),
		token:   o.Token.Reveal(),
		flavour: o.Flavour,
		api:     forgehttp.New(o.HTTP),
		git:     forgegit.Client(o.HTTP),
	}, nil
}

// client returns an SDK client for one call; the SDK keeps the context in it.
func (f *Forge) client(ctx context.Context, name forge.Name) (*sdk.Client, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	const skipVersionCalls = ""
	return sdk.NewClient(f.url,
		sdk.SetContext(ctx),
		sdk.SetHTTPClient(f.api),
		sdk.SetToken(f.token),
		sdk.SetUserAgent("odyssey"),
		sdk.SetGiteaVersion(skipVersionCalls),
	)
}

func (f *Forge) remote(name forge.Name) (*forgegit.Remote, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	return &forgegit.Remote{
		URL:  fmt.Sprintf("%s/%s/%s.git", f.url, name.Owner, name.Name),
		HTTP: f.git,
		Auth: func(req *http.Request) error {
			req.SetBasicAuth(gitUser, f.token)
			return nil
		},
	}, nil
}

// validName keeps ".." and slashes out of URLs.
func validName(name forge.Name) error {
	_, err := forge.ParseName(name.String())
	return err
}

// answer classifies the outcome of an SDK call.
func answer(resp *sdk.Response, err error) error {
	if resp == nil {
		return forgehttp.Error(nil, err)
	}
	return forgehttp.Error(resp.Response, err)
}

// failed adds to an error what was being done, and hides the token in case
// the server or something on the way repeated it.
func (f *Forge) failed(repo forge.Name, doing string, err error) error {
	err = fmt.Errorf("%s %s: %s: %w", f.flavour, repo, doing, err)
	basic := base64.StdEncoding.EncodeToString([]byte(gitUser + ":" + f.token))
	text := strings.NewReplacer(f.token, secret.Redacted, basic, secret.Redacted).Replace(err.Error())
	if text == err.Error() {
		return err
	}
	return &hidden{text: text, err: err}
}

// hidden is an error whose text is not to be seen. Its class is, and so are
// the two types that hold nothing of what a server said.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }

func (h *hidden) Is(target error) bool { return errors.Is(h.err, target) }

func (h *hidden) As(target any) bool {
	switch target.(type) {
	case **forge.RateLimitError, **forge.FileError:
		return errors.As(h.err, target)
	}
	return false
}
