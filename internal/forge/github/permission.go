package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
)

// Permission asks what a user may do in a repository now, personally, by a
// team, or as everybody: one API call. GitHub says "write" of who maintains a
// repository, and "read" of who triages in it.
func (f *Forge) Permission(ctx context.Context, repo forge.Repo, login string) (forge.Permission, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.MayNothing, err
	}
	if !isLogin(login) {
		return forge.MayNothing, nil
	}
	got, resp, err := client.Repositories.GetPermissionLevel(ctx, repo.Owner, repo.Name.Name, login)
	err = answer(resp, err)
	if errors.Is(err, forge.ErrNotFound) {
		return forge.MayNothing, nil
	}
	may := forge.MayNothing
	if err == nil {
		may, err = permission(got.GetPermission())
	}
	if err != nil {
		return forge.MayNothing, failed(repo.Name, "ask what "+login+" may do", err)
	}
	return may, nil
}

func permission(level string) (forge.Permission, error) {
	switch level {
	case "none":
		return forge.MayNothing, nil
	case "read":
		return forge.MayRead, nil
	case "write":
		return forge.MayWrite, nil
	case "admin":
		return forge.MayAdminister, nil
	}
	return forge.MayNothing, fmt.Errorf("%w: it calls a permission %q", forge.ErrTransient, level)
}

// isLogin keeps ".." and slashes out of URLs. Apps are called "slug[bot]".
func isLogin(login string) bool {
	login = strings.TrimSuffix(login, "[bot]")
	return validName(forge.Name{Owner: login, Name: login}) == nil
}
