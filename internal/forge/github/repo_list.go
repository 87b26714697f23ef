package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// Repositories lists the repositories that the App is installed on, or that the
// token's account has a part in, of an owner, with a topic, or both: one API
// call for each 100. What only everybody may read is not among them. Those
// whose names this program cannot use are left out.
func (f *Forge) Repositories(ctx context.Context, q forge.RepositoryQuery) ([]forge.Repo, error) {
	asked := forge.Name{Owner: cmp.Or(q.Owner, "repositories"), Name: cmp.Or(q.Topic, "repositories")}
	if q == (forge.RepositoryQuery{}) {
		return nil, errors.New("list repositories: neither an owner nor a topic is given")
	}
	if err := validName(asked); err != nil {
		return nil, err
	}
	client, err := f.session.client()
	if err != nil {
		return nil, err
	}
	account, err := f.session.login(ctx)
	if err != nil {
		return nil, failed(asked, "ask for the bot's own account", err)
	}
	list := f.ofAccount
	if f.session.isApp() {
		list = f.ofInstallations
	}
	got, err := list(ctx, client, q.Owner)
	if err != nil {
		return nil, failed(asked, "list repositories", err)
	}
	var found []forge.Repo
	known := map[int64]bool{} // one that is made or renamed meanwhile moves others to the next page
	for _, r := range got {
		if known[r.GetID()] {
			continue
		}
		known[r.GetID()] = true
		repo := describe(r, account)
		of := q.Owner == "" || strings.EqualFold(repo.Owner, q.Owner)
		with := q.Topic == "" || slices.Contains(r.Topics, strings.ToLower(q.Topic))
		if of && with && repo.Name != (forge.Name{}) {
			found = append(found, repo)
		}
	}
	return found, nil
}

// ofAccount lists what the token's account has a part in. forge.ErrNotFound:
// there is no such owner.
func (f *Forge) ofAccount(ctx context.Context, client *sdk.Client, owner string) ([]*sdk.Repository, error) {
	ctx = asApp(ctx)
	if owner != "" {
		_, resp, err := client.Users.Get(ctx, owner)
		if err := answer(resp, err); err != nil {
			return nil, fmt.Errorf("find the owner %s: %w", owner, err)
		}
	}
	return all(func(page sdk.ListOptions) ([]*sdk.Repository, *sdk.Response, error) {
		return client.Repositories.ListByAuthenticatedUser(ctx, &sdk.RepositoryListByAuthenticatedUserOptions{
			Affiliation: "owner,collaborator,organization_member", Sort: "full_name", ListOptions: page,
		})
	})
}

// ofInstallations lists what the App is installed on. forge.ErrNotFound: it is
// not installed at the owner.
func (f *Forge) ofInstallations(ctx context.Context, client *sdk.Client, owner string) ([]*sdk.Repository, error) {
	installs, err := f.session.installations(ctx)
	if err != nil {
		return nil, err
	}
	var found []*sdk.Repository
	installed := owner == ""
	for _, i := range installs {
		if owner != "" && !strings.EqualFold(i.Owner, owner) {
			continue
		}
		installed = true
		ctx := forInstallation(ctx, i.ID)
		some, err := all(func(page sdk.ListOptions) ([]*sdk.Repository, *sdk.Response, error) {
			got, resp, err := client.Apps.ListRepos(ctx, &page)
			if got == nil {
				return nil, resp, err
			}
			return got.Repositories, resp, err
		})
		if err != nil {
			return nil, fmt.Errorf("of the installation at %s: %w", i.Owner, err)
		}
		found = append(found, some...)
	}
	if !installed {
		return nil, fmt.Errorf("%w: the App is not installed at %s", forge.ErrNotFound, owner)
	}
	return found, nil
}
