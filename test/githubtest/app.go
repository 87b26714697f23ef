package githubtest

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/nuobit/odyssey/internal/forge"
)

// App is a GitHub App.
type App struct {
	ID   int64
	Slug string
	Key  []byte // private, PEM

	server *Server
	key    *rsa.PrivateKey
	bot    *account
	needs  map[string]string // permissions: "contents" -> "write"
	all    []*install
}

// Login is the account that the App acts as.
func (a *App) Login() string { return a.bot.login }

// Identity is whom GitHub makes the author of what the App commits.
func (a *App) Identity() forge.Identity { return a.bot.identity() }

// install is where an App is installed.
type install struct {
	id        int64
	app       *App
	owner     *account
	repos     []*repository // nil: all of the owner's
	suspended bool
}

// grant is what a token of an installation gives.
type grant struct {
	install *install
	expires time.Time
}

// tokenLife of an installation's token.
const tokenLife = time.Hour

// appKey is one for all Apps, for it takes long to make.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	const bits = 2048
	return must(rsa.GenerateKey(rand.Reader, bits))
})

// AddApp makes an App with those permissions: "contents" -> "write". Without
// any it has those that the bot needs.
func (s *Server) AddApp(slug string, permissions map[string]string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if permissions == nil {
		permissions = map[string]string{"actions": "write", "checks": "write", "contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write", "statuses": "read"}
	}
	key := appKey()
	a := &App{
		ID: s.nextID(), Slug: slug, server: s, key: key, bot: s.addAccount(slug+"[bot]", "Bot"), needs: permissions,
		Key: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}
	s.apps = append(s.apps, a)
	return a
}

// Rename gives the App another name. Those of before are nobody's then.
func (a *App) Rename(slug string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.Slug, a.bot.login = slug, slug+"[bot]"
}

// Install installs the App at an owner, on those of the owner's repositories,
// or on all without any, and returns the installation's id.
func (a *App) Install(owner string, names ...forge.Name) int64 {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	i := &install{id: a.server.nextID(), app: a, owner: a.server.addAccount(owner, "User")}
	for _, name := range names {
		r, _ := a.server.repo(name.Owner, name.Name)
		i.repos = append(i.repos, r)
	}
	a.all = append(a.all, i)
	return i.id
}

// Suspend suspends an installation, or ends that.
func (a *App) Suspend(id int64, suspended bool) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	for _, i := range a.all {
		if i.id == id {
			i.suspended = suspended
		}
	}
}

// Uninstall takes an installation away, with its tokens.
func (a *App) Uninstall(id int64) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(i *install) bool { return i.id == id })
	for token, g := range a.server.tokens {
		if g.install.id == id {
			delete(a.server.tokens, token)
		}
	}
}

// SetTokenLife makes the tokens of installations to come live so long, instead of
// an hour.
func (s *Server) SetTokenLife(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenLife = d
}

// RevokeTokens makes all tokens of installations void.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (i *install) covers(r *repository) bool {
	return strings.EqualFold(r.name.Owner, i.owner.login) && (i.repos == nil || slices.Contains(i.repos, r))
}

// may compares what an operation needs with what the App was given.
func (g *grant) may(area, level string, r *repository) error {
	switch area {
	case "", "installation":
		return nil
	case "labels": // of issues and pull requests
		area = "issues"
	case "user":
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	has := g.install.app.needs[area]
	if (has == level || has == "write") && (level == "read" || r == nil || g.install.covers(r)) {
		return nil
	}
	return &refusal{
		status: http.StatusForbidden, message: "Resource not accessible by integration",
		header: map[string]string{"X-Accepted-Github-Permissions": area + "=" + level},
	}
}

func (s *Server) installs() (all []*install) {
	for _, a := range s.apps {
		all = append(all, a.all...)
	}
	return all
}

// The longest that GitHub lets an App's own word be valid, and how far its
// clock may be ahead.
const (
	mostJWT  = 10 * time.Minute
	skewLeft = time.Minute
)

// byJWT finds the App that signed a token, which must be of these minutes.
func (s *Server) byJWT(token string) (*App, error) {
	var claims jwt.RegisteredClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
	var app *App
	_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) {
		for _, a := range s.apps {
			if strconv.FormatInt(a.ID, 10) == claims.Issuer {
				app = a
				return &a.key.PublicKey, nil
			}
		}
		return nil, fmt.Errorf("no App %s", claims.Issuer)
	})
	switch now := s.clock(); {
	case app == nil:
		return nil, refuse(http.StatusNotFound, "Integration not found")
	case err != nil:
		return nil, refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	case claims.ExpiresAt == nil || !claims.ExpiresAt.After(now):
		return nil, refuse(http.StatusUnauthorized,
			"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.ExpiresAt.After(now.Add(mostJWT)):
		return nil, refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	case claims.IssuedAt == nil || claims.IssuedAt.After(now.Add(skewLeft)):
		return nil, refuse(http.StatusUnauthorized,
			"'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	}
	return app, nil
}

func (s *Server) shapeApp(a *App) map[string]any {
	return s.shape("integration", map[string]any{
		"id": a.ID, "slug": a.Slug, "node_id": node("Integration", a.ID), "name": a.Slug, "owner": s.user(a.bot),
		"permissions": a.needs, "events": []string{"push", "pull_request"}, "html_url": s.web() + "/apps/" + a.Slug,
	})
}

func (s *Server) shapeInstall(i *install) map[string]any {
	url := fmt.Sprintf("%s/app/installations/%d", s.URL, i.id)
	got := s.shape("installation", map[string]any{
		"id": i.id, "account": s.user(i.owner), "access_tokens_url": url + "/access_tokens",
		"repositories_url": s.URL + "/installation/repositories", "app_id": i.app.ID, "app_slug": i.app.Slug,
		"target_id": i.owner.id, "target_type": i.owner.kind, "permissions": i.app.needs, "events": []string{"push"},
		"repository_selection": map[bool]string{true: "all", false: "selected"}[i.repos == nil],
		"suspended_at":         nil, "suspended_by": nil,
	})
	got["permissions"] = i.app.needs
	// The description of lists wants it to be a user and an enterprise at once.
	got["account"] = with(s.user(i.owner), map[string]any{
		"name": i.owner.login, "slug": i.owner.login, "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
	})
	if i.suspended {
		got["suspended_at"], got["suspended_by"] = stamp(s.now()), s.user(i.owner)
	}
	return got
}

// installed answers with the App's installation that a condition fits.
func installed(c *call, fits func(*install) bool) (int, any, error) {
	for _, i := range c.app.all {
		if fits(i) {
			return http.StatusOK, c.shapeInstall(i), nil
		}
	}
	return 0, nil, notFound()
}

func appOperations() map[string]operation {
	return map[string]operation{
		"GET /app": {"jwt", func(c *call) (int, any, error) { return http.StatusOK, c.shapeApp(c.app), nil }},
		"GET /app/installations": {"jwt", func(c *call) (int, any, error) {
			return paged(c, c.app.all, func(i *install) any { return c.shapeInstall(i) })
		}},
		"GET /repos/{owner}/{repo}/installation": {"jwt", func(c *call) (int, any, error) {
			return installed(c, func(i *install) bool { return i.covers(c.repo) })
		}},
		"GET /orgs/{org}/installation": {"jwt", func(c *call) (int, any, error) {
			login := c.params["org"]
			return installed(c, func(i *install) bool {
				return strings.EqualFold(i.owner.login, login) && i.owner.kind == "Organization"
			})
		}},
		"GET /users/{username}/installation": {"jwt", func(c *call) (int, any, error) {
			login := c.params["username"]
			return installed(c, func(i *install) bool { return strings.EqualFold(i.owner.login, login) })
		}},
		"POST /app/installations/{installation_id}/access_tokens": {"jwt", newToken},
		"GET /installation/repositories": {"installation", func(c *call) (int, any, error) {
			var covered []*repository
			for _, r := range c.repos {
				if c.grant.install.covers(r) {
					covered = append(covered, r)
				}
			}
			status, list, err := paged(c, covered, func(r *repository) any { return c.shapeRepo(r) })
			p, _ := list.(page)
			p.items = map[string]any{"total_count": len(covered), "repositories": p.items}
			return status, p, err
		}},
		"GET /app/hook/deliveries":                         {"jwt", listDeliveries},
		"POST /app/hook/deliveries/{delivery_id}/attempts": {"jwt", redeliver},
	}
}

func newToken(c *call) (int, any, error) {
	for _, i := range c.app.all {
		if i.id != c.number("installation_id") {
			continue
		}
		if i.suspended {
			return 0, nil, refuse(http.StatusForbidden, "This installation has been suspended")
		}
		token := "ghs_" + rand.Text()
		g := &grant{install: i, expires: c.clock().Add(cmp.Or(c.tokenLife, tokenLife))}
		c.tokens[token] = g
		return http.StatusCreated, map[string]any{
			"token": token, "expires_at": stamp(g.expires), "permissions": i.app.needs, "repository_selection": "all",
		}, nil
	}
	return 0, nil, notFound()
}
