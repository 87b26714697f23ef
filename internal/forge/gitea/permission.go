package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// Permission asks what a user may do in a repository now. Of who may not
// write, MayNothing and MayRead are told apart only for an account that
// administers the repository.
//
// Gitea (1.26) has no one question for it. It tells administrators of the
// repository, and everybody about oneself, but leaves out what members of an
// organisation's teams may do; see orWrites. That takes one to three API calls,
// and in the worst case one more for each team. Where it cannot be known the
// error is forge.ErrUnauthorized: nobody is taken for a writer by a guess.
func (f *Forge) Permission(ctx context.Context, repo forge.Repo, login string) (forge.Permission, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.MayNothing, err
	}
	if !isLogin(login) {
		return forge.MayNothing, nil
	}
	told, err := personal(client, repo, login)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return forge.MayNothing, nil
	case err == nil && told.may < forge.MayWrite:
		told.may, err = told.orWrites(client, repo, login)
	}
	if err != nil {
		return forge.MayNothing, f.failed(repo.Name, "ask what "+login+" may do", err)
	}
	return told.may, nil
}

// isLogin keeps ".." and slashes out of URLs.
func isLogin(login string) bool {
	return validName(forge.Name{Owner: login, Name: login}) == nil
}

// gift is what a user was given personally.
type gift struct {
	may   forge.Permission
	known bool // Gitea tells this account
}

// personal asks for it. forge.ErrNotFound: there is no such user.
func personal(client *sdk.Client, repo forge.Repo, login string) (gift, error) {
	got, resp, err := client.CollaboratorPermission(repo.Owner, repo.Name.Name, login)
	err = answer(resp, err)
	if resp != nil && resp.StatusCode == http.StatusForbidden && errors.Is(err, forge.ErrUnauthorized) {
		return gift{}, nil
	}
	if err != nil {
		return gift{}, err
	}
	may, err := permission(got.Permission)
	return gift{may, true}, err
}

func permission(mode sdk.AccessMode) (forge.Permission, error) {
	switch mode {
	case sdk.AccessModeNone:
		return forge.MayNothing, nil
	case sdk.AccessModeRead:
		return forge.MayRead, nil
	case sdk.AccessModeWrite:
		return forge.MayWrite, nil
	case sdk.AccessModeAdmin, sdk.AccessModeOwner:
		return forge.MayAdminister, nil
	}
	return forge.MayNothing, fmt.Errorf("%w: it calls a permission %q", forge.ErrTransient, mode)
}

// orWrites returns MayWrite of a user who may write in another way, as
// everybody who reads the repository can find out.
//
// Issues can be assigned to those who may write, personally or as members of
// a team, and to members of teams that may do less (Gitea 1.26,
// models/repo/user_repo.go, GetRepoAssignees). So to whom none can be assigned
// does not write; to whom one can does when there are no such teams. When
// there are, the members of the teams that write are looked through.
func (g gift) orWrites(client *sdk.Client, repo forge.Repo, login string) (forge.Permission, error) {
	users, resp, err := client.GetAssignees(repo.Owner, repo.Name.Name)
	if err := answer(resp, err); err != nil || !has(users, login) {
		return g.may, err
	}
	teams, resp, err := client.GetRepoTeams(repo.Owner, repo.Name.Name)
	if resp != nil && resp.StatusCode == http.StatusMethodNotAllowed {
		return forge.MayWrite, nil // no organisation, no teams
	}
	if err := answer(resp, err); err != nil {
		return forge.MayNothing, err
	}
	if !slices.ContainsFunc(teams, func(t *sdk.Team) bool { return !writesCode(t) }) {
		return forge.MayWrite, nil
	}
	in, err := inTeam(client, teams, login)
	switch {
	case err != nil:
		return forge.MayNothing, err
	case in:
		return forge.MayWrite, nil
	case !g.known:
		return forge.MayNothing, fmt.Errorf("%w: it does not tell what single users were given; "+
			"make the bot's account an administrator of the repository", forge.ErrUnauthorized)
	}
	return g.may, nil
}

func has(users []*sdk.User, login string) bool {
	return slices.ContainsFunc(users, func(u *sdk.User) bool { return u != nil && strings.EqualFold(u.UserName, login) })
}

// inTeam reports whether a user is in one of the teams that write.
func inTeam(client *sdk.Client, teams []*sdk.Team, login string) (bool, error) {
	var unknown error
	for _, team := range teams {
		if !writesCode(team) {
			continue
		}
		members, err := all(func(page sdk.ListOptions) ([]*sdk.User, *sdk.Response, error) {
			return client.ListTeamMembers(team.ID, sdk.ListTeamMembersOptions{ListOptions: page})
		})
		switch {
		case errors.Is(err, forge.ErrNotFound), errors.Is(err, forge.ErrUnauthorized):
			unknown = fmt.Errorf("%w: it does not tell who is in the team %q, and other teams may do less than write; "+
				"make the bot's account a member of that team or an owner of the organisation, with read:organization in its token",
				forge.ErrUnauthorized, team.Name)
		case err != nil:
			return false, err
		case has(members, login):
			return true, nil
		}
	}
	return false, unknown
}

// writesCode looks at what a team may do with a repository's files, which
// Gitea gives apart from issues, pull requests and the rest.
func writesCode(team *sdk.Team) bool {
	may, err := permission(sdk.AccessMode(team.UnitsMap["repo.code"]))
	return err == nil && may >= forge.MayWrite
}
