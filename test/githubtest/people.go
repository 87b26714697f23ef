package githubtest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
)

// actor is who makes a request: a user, an App by its own word, or an
// installation of one.
type actor struct {
	by    *account // user, or the App's bot
	app   *App     // by its own word
	grant *grant   // of an installation
}

func (a *actor) login() string {
	switch {
	case a == nil:
		return ""
	case a.app != nil:
		return a.app.Slug
	}
	return a.by.login
}

// on is what the actor may do in a repository, in all.
func (a *actor) on(r *repository) forge.Permission {
	switch {
	case a.app != nil:
		return forge.MayRead // may ask where it is installed
	case a.grant != nil && !a.grant.install.covers(r):
		if r.private {
			return forge.MayNothing
		}
		return forge.MayRead
	case a.grant != nil:
		return forge.MayWrite // as far as its permissions go
	}
	return r.permission(a.by)
}

// authenticate finds out who makes a request.
func (s *Server) authenticate(r *http.Request) (*actor, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		return nil, refuse(http.StatusUnauthorized, "Requires authentication")
	}
	for _, a := range s.accounts {
		if a.token == token {
			return &actor{by: a}, nil
		}
	}
	if g := s.tokens[token]; g != nil {
		switch {
		case !s.clock().Before(g.expires):
			return nil, refuse(http.StatusUnauthorized, "Bad credentials")
		case g.install.suspended:
			return nil, refuse(http.StatusForbidden, "This installation has been suspended")
		}
		return &actor{by: g.install.app.bot, grant: g}, nil
	}
	if strings.Count(token, ".") == 2 {
		app, err := s.byJWT(token)
		return &actor{by: nil, app: app}, err
	}
	return nil, refuse(http.StatusUnauthorized, "Bad credentials")
}

// mayCall compares what an operation needs with what its caller may do.
func (a *actor) mayCall(op operation, r *repository) error {
	area, level, _ := strings.Cut(op.needs, ":")
	switch {
	case area == "jwt":
		if a.app == nil {
			return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
		}
		return nil
	case a.app != nil:
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	case area == "installation" && a.grant == nil:
		return refuse(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	case a.grant != nil:
		return a.grant.may(area, level, r)
	case area == "checks" && level == "write":
		return refuse(http.StatusForbidden, "You must authenticate via a GitHub App.")
	case r == nil:
		return nil
	case level == "write" && slices.Contains([]string{"contents", "labels"}, area) && a.on(r) < forge.MayWrite:
		return notFound() // as of what is not there
	}
	return nil
}

func people() map[string]operation {
	return map[string]operation{
		"GET /user": {"user:read", func(c *call) (int, any, error) {
			if c.by.kind == "Bot" {
				return 0, nil, refuse(http.StatusForbidden, "Resource not accessible by integration")
			}
			return http.StatusOK, c.self(c.by), nil
		}},
		"GET /users/{username}": {"", func(c *call) (int, any, error) {
			if a := c.account(c.params["username"]); a != nil {
				return http.StatusOK, c.publicUser(a), nil
			}
			return 0, nil, notFound()
		}},
		"GET /user/repos": {"user:read", func(c *call) (int, any, error) {
			var mine []*repository
			for _, r := range c.repos {
				if _, given := r.may[c.by.login]; given || r.name.Owner == c.by.login {
					mine = append(mine, r)
				}
			}
			slices.SortFunc(mine, func(a, b *repository) int { return strings.Compare(a.name.String(), b.name.String()) })
			return paged(c, mine, func(r *repository) any { return c.shapeRepo(r) })
		}},
		"GET /repos/{owner}/{repo}/collaborators/{username}/permission": {"metadata:read", func(c *call) (int, any, error) {
			who := c.account(c.params["username"])
			if who == nil {
				return 0, nil, notFound()
			}
			level := map[forge.Permission]string{forge.MayRead: "read", forge.MayWrite: "write", forge.MayAdminister: "admin"}[c.repo.permission(who)]
			if level == "" {
				level = "none"
			}
			if who.kind == "Bot" {
				for _, i := range c.installs() {
					if i.app.bot == who && i.covers(c.repo) {
						level = "write"
					}
				}
			}
			return http.StatusOK, map[string]any{"permission": level, "role_name": level, "user": with(c.user(who), map[string]any{
				"role_name": level,
			})}, nil
		}},
	}
}
