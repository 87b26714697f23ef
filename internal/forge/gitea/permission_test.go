package gitea_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/giteatest"
)

// An administrator of the repository is told exactly what others may do.
func TestPermissionForAnAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.fixture(t)
	at.Human.SetPermission(t, w.bot.Login, forge.MayAdminister)
	repo := forge.Repo{Name: at.Repo}
	check := func(login string, want forge.Permission) {
		t.Helper()
		got, err := at.Forge.Permission(t.Context(), repo, login)
		if err != nil || got != want {
			t.Errorf("%q may %d, %v; want %d", login, got, err, want)
		}
	}
	check(w.owner.Login, forge.MayAdminister)
	check(w.bot.Login, forge.MayAdminister)
	check("OWNER", forge.MayAdminister)
	check("nobody-of-this-name", forge.MayNothing)
	check("..", forge.MayNothing)
	check(w.stranger.Login, forge.MayRead) // of a public repository
	at.Human.SetPermission(t, w.stranger.Login, forge.MayWrite)
	check(w.stranger.Login, forge.MayWrite)
	at.Human.SetPermission(t, w.stranger.Login, forge.MayAdminister)
	check(w.stranger.Login, forge.MayAdminister)
	w.as(t, w.owner, http.MethodPatch, at.Repo, "", map[string]any{"private": true}, nil)
	at.Human.SetPermission(t, w.stranger.Login, forge.MayNothing)
	check(w.stranger.Login, forge.MayNothing)
}

// organisation is a repository of an organisation, whose teams give what
// accounts may do.
type organisation struct {
	world
	*testing.T
	repo forge.Repo
}

func newOrganisation(t *testing.T) organisation {
	t.Helper()
	o := organisation{newWorld(t), t, forge.Repo{Name: forge.Name{Owner: "org-of-teams", Name: "image"}}}
	o.api(http.MethodPost, "/orgs", map[string]any{"username": o.repo.Owner}, nil)
	o.api(http.MethodPost, "/orgs/"+o.repo.Owner+"/repos", map[string]any{"name": o.repo.Name.Name, "auto_init": true, "private": true}, nil)
	return o
}

func (o organisation) api(method, path string, in, out any) {
	o.Helper()
	if err := o.srv.API(o.Context(), o.owner, method, path, in, out); err != nil {
		o.Fatal(err)
	}
}

// team makes a team for all repositories with a user.
func (o organisation) team(name, code, pulls string, user giteatest.User) {
	o.Helper()
	var team struct{ ID int64 }
	o.api(http.MethodPost, "/orgs/"+o.repo.Owner+"/teams", map[string]any{
		"name": name, "includes_all_repositories": true, "permission": "read",
		"units_map": map[string]string{"repo.code": code, "repo.pulls": pulls},
	}, &team)
	o.api(http.MethodPut, "/teams/"+decimal(team.ID)+"/members/"+user.Login, nil, nil)
}

// Where members of teams may do less than write, an account that is no
// administrator cannot tell who may write, and nobody is taken for a writer.
func TestPermissionInAnOrganisation(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	f := driver(t, o.srv.URL, tokenOf(o.bot))
	o.team("writers", "write", "write", o.bot)
	for login, want := range map[string]forge.Permission{
		o.bot.Login: forge.MayWrite, o.owner.Login: forge.MayWrite, o.stranger.Login: forge.MayNothing, "nobody-of-this-name": forge.MayNothing,
	} {
		got, err := f.Permission(t.Context(), o.repo, login)
		if login == o.bot.Login {
			got, err = f.Permission(t.Context(), o.repo, login) // everybody is told about oneself
		}
		if err != nil || got < want || want == forge.MayNothing && got != want {
			t.Errorf("%s may %d, %v; want %d", login, got, err, want)
		}
	}
	o.team("readers", "read", "read", o.stranger)
	for _, login := range []string{o.stranger.Login, o.owner.Login} {
		if got, err := f.Permission(t.Context(), o.repo, login); !errors.Is(err, forge.ErrUnauthorized) || got != forge.MayNothing {
			t.Errorf("%s may %d, %v; want that it cannot be told", login, got, err)
		}
	}
	admin := driver(t, o.srv.URL, tokenOf(o.owner))
	for login, want := range map[string]forge.Permission{o.stranger.Login: forge.MayRead, o.owner.Login: forge.MayAdminister} {
		if got, err := admin.Permission(t.Context(), o.repo, login); err != nil || got != want {
			t.Errorf("%s may %d, %v; want %d", login, got, err, want)
		}
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func tokenOf(u giteatest.User) secret.Text { return secret.New(u.Token) }
