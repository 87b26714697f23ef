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

// Permission asks what a user may do in a repository now: one API call when
// the token's account administers the repository. Gitea tells nobody else;
// then up to three calls find out whether the user may write, and where that
// cannot be known for sure the error is forge.ErrUnauthorized.
func (f *Forge) Permission(ctx context.Context, repo forge.Repo, login string) (forge.Permission, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.MayNothing, err
	}
	if validName(forge.Name{Owner: login, Name: "x"}) != nil {
		return forge.MayNothing, nil
	}
	got, resp, err := client.CollaboratorPermission(repo.Owner, repo.Name.Name, login)
	err = answer(resp, err)
	switch {
	case err == nil:
		return permission(got.Permission), nil
	case errors.Is(err, forge.ErrNotFound):
		return forge.MayNothing, nil
	case resp == nil || resp.StatusCode != http.StatusForbidden || !errors.Is(err, forge.ErrUnauthorized):
		return forge.MayNothing, f.failed(repo.Name, "ask what "+login+" may do", err)
	}
	may, err := writer(client, repo, login)
	if err != nil {
		return forge.MayNothing, f.failed(repo.Name, "ask what "+login+" may do", err)
	}
	return may, nil
}

func permission(mode sdk.AccessMode) forge.Permission {
	switch mode {
	case sdk.AccessModeRead:
		return forge.MayRead
	case sdk.AccessModeWrite:
		return forge.MayWrite
	case sdk.AccessModeAdmin, sdk.AccessModeOwner:
		return forge.MayAdminister
	}
	return forge.MayNothing
}

// codeUnit is Gitea's name for a repository's files.
const codeUnit = "repo.code"

// writer returns MayWrite of who may write and MayNothing of anybody else, as
// an account without administration permission can find out: issues can be
// assigned to those who may write and to the members of teams that may do less
// than write (Gitea 1.26, models/repo/user_repo.go, GetRepoAssignees). So it
// is asked whether there are such teams.
func writer(client *sdk.Client, repo forge.Repo, login string) (forge.Permission, error) {
	teams, resp, err := client.GetRepoTeams(repo.Owner, repo.Name.Name)
	if resp != nil && resp.StatusCode == http.StatusMethodNotAllowed {
		teams, err = nil, nil // the owner is no organisation
	} else if err := answer(resp, err); err != nil {
		return forge.MayNothing, err
	}
	for _, team := range teams {
		if permission(sdk.AccessMode(team.UnitsMap[codeUnit])) < forge.MayWrite {
			return forge.MayNothing, fmt.Errorf("%w: team %s may do less than write, so only administrators of the repository "+
				"are told who may; make the bot's account one", forge.ErrUnauthorized, team.Name)
		}
	}
	users, resp, err := client.GetAssignees(repo.Owner, repo.Name.Name)
	if err := answer(resp, err); err != nil {
		return forge.MayNothing, err
	}
	if slices.ContainsFunc(users, func(u *sdk.User) bool { return strings.EqualFold(u.UserName, login) }) {
		return forge.MayWrite, nil
	}
	return forge.MayNothing, nil
}
