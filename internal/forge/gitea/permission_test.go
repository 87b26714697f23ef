package gitea_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/gitea"
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
	w := newWorld(t)
	o := organisation{w, t, forge.Repo{Name: forge.Name{Owner: "org-" + decimal(w.repos.Add(1)), Name: "image"}}}
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

// team makes a team for all repositories.
func (o organisation) team(name, code, pulls string) int64 {
	o.Helper()
	var team struct{ ID int64 }
	o.api(http.MethodPost, "/orgs/"+o.repo.Owner+"/teams", map[string]any{
		"name": name, "includes_all_repositories": true, "permission": "read",
		"units_map": map[string]string{"repo.code": code, "repo.pulls": pulls, "repo.issues": pulls},
	}, &team)
	return team.ID
}

func (o organisation) member(team int64, user giteatest.User) {
	o.Helper()
	o.api(http.MethodPut, "/teams/"+decimal(team)+"/members/"+user.Login, nil, nil)
}

func (o organisation) collaborator(user giteatest.User, permission string) {
	o.Helper()
	o.api(http.MethodPut, "/repos/"+o.repo.String()+"/collaborators/"+user.Login, map[string]any{"permission": permission}, nil)
}

// Members of teams write without having been given anything personally, and
// teams that only read have members too. Who cannot be told is not guessed.
func TestPermissionInAnOrganisation(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	made := func(login string) giteatest.User {
		u, err := o.srv.NewUser(t.Context(), login+"-of-"+o.repo.Owner)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	writer, reader, outside, helper := made("team-writer"), made("team-reader"), made("outside-writer"), made("team-bot")
	bot, admin := driver(t, o.srv.URL, tokenOf(helper)), driver(t, o.srv.URL, tokenOf(o.owner))
	check := func(f *gitea.Forge, who string, login string, want forge.Permission, target error) {
		t.Helper()
		got, err := f.Permission(t.Context(), o.repo, login)
		if !errors.Is(err, target) || got != want {
			t.Errorf("%s is told that %s may %d, %v; want %d, %v", who, login, got, err, want, target)
		}
	}
	o.collaborator(outside, "write")
	writers := o.team("writers", "write", "write")
	o.member(writers, writer)
	o.member(o.team("bots", "write", "write"), helper)
	for who, f := range map[string]*gitea.Forge{"the bot": bot, "the owner": admin} {
		check(f, who, writer.Login, forge.MayWrite, nil)
		check(f, who, helper.Login, forge.MayWrite, nil)
		check(f, who, outside.Login, forge.MayWrite, nil)
		check(f, who, reader.Login, forge.MayNothing, nil)
	}
	check(admin, "the owner", o.owner.Login, forge.MayAdminister, nil)
	check(bot, "the bot", o.owner.Login, forge.MayWrite, nil)

	// The issues of members of readers can be assigned to them.
	o.member(o.team("readers", "read", "read"), reader)
	o.member(o.team("reporters", "read", "write"), o.stranger)
	check(admin, "the owner", writer.Login, forge.MayWrite, nil)
	check(admin, "the owner", outside.Login, forge.MayWrite, nil)
	check(admin, "the owner", reader.Login, forge.MayNothing, nil)
	check(admin, "the owner", o.stranger.Login, forge.MayNothing, nil)
	check(bot, "the bot", helper.Login, forge.MayWrite, nil)
	check(bot, "the bot", o.bot.Login, forge.MayNothing, nil)
	for _, login := range []string{writer.Login, reader.Login, outside.Login, o.stranger.Login} {
		check(bot, "the bot", login, forge.MayNothing, forge.ErrUnauthorized)
	}
	o.member(writers, helper)
	check(bot, "the bot", writer.Login, forge.MayWrite, nil)
	check(bot, "the bot", reader.Login, forge.MayNothing, forge.ErrUnauthorized) // Owners are not told
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func tokenOf(u giteatest.User) secret.Text { return secret.New(u.Token) }
