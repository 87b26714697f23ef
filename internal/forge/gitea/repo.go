package gitea

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// Repo describes a repository: one API call, and a further one the first time.
func (f *Forge) Repo(ctx context.Context, name forge.Name) (forge.Repo, error) {
	client, err := f.client(ctx, name)
	if err != nil {
		return forge.Repo{}, err
	}
	got, resp, err := client.GetRepo(name.Owner, name.Name)
	if err := answer(resp, err); err != nil {
		return forge.Repo{}, f.failed(name, "read the repository", err)
	}
	if !strings.EqualFold(got.FullName, name.String()) { // Gitea redirects reads, and refuses writes
		return forge.Repo{}, f.failed(name, "read the repository", &forge.MovedError{To: forgehttp.Excerpt(got.FullName)})
	}
	account, err := f.account(client, name)
	if err != nil {
		return forge.Repo{}, err
	}
	described := describe(got, account)
	described.Name = name // as it was asked for
	return described, nil
}

// describe leaves the name empty when it is none that forge.ParseName takes.
//
// Gitea's API has no conditional requests for what a sweep asks, repositories
// and comments: its answers carry neither ETag nor Last-Modified.
func describe(got *sdk.Repository, account string) forge.Repo {
	name, err := forge.ParseName(got.FullName)
	if err != nil {
		name = forge.Name{}
	}
	return forge.Repo{
		Account:       account,
		Name:          name,
		DefaultBranch: got.DefaultBranch,
		WebURL:        got.HTMLURL,
		Archived:      got.Archived,
		Private:       got.Private,
		Internal:      got.Internal,
		Empty:         got.Empty,
		Changed:       got.Updated.UTC(),
	}
}

// Repositories lists the repositories that the account may read of an owner,
// with a topic, or both: one API call for each 50, and one for the owner. Those
// whose names this program cannot use are left out.
func (f *Forge) Repositories(ctx context.Context, q forge.RepositoryQuery) ([]forge.Repo, error) {
	asked := forge.Name{Owner: cmp.Or(q.Owner, "repositories"), Name: cmp.Or(q.Topic, "repositories")}
	if q == (forge.RepositoryQuery{}) {
		return nil, errors.New("list repositories: neither an owner nor a topic is given")
	}
	client, err := f.client(ctx, asked)
	if err != nil {
		return nil, err
	}
	account, err := f.account(client, asked)
	if err != nil {
		return nil, err
	}
	options := sdk.SearchRepoOptions{Keyword: q.Topic, KeywordIsTopic: q.Topic != "", Sort: "id"}
	if q.Owner != "" {
		owner, resp, err := client.GetUserInfo(q.Owner)
		if err := answer(resp, err); err != nil {
			return nil, f.failed(asked, "find the owner "+q.Owner, err)
		}
		if owner.ID <= 0 { // would mean everybody
			return nil, f.failed(asked, "find the owner "+q.Owner, fmt.Errorf("%w: no id", forge.ErrTransient))
		}
		options.OwnerID = owner.ID
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.Repository, *sdk.Response, error) {
		options.ListOptions = page
		return client.SearchRepos(options)
	})
	if err != nil {
		return nil, f.failed(asked, "list repositories", err)
	}
	var found []forge.Repo
	for _, r := range got {
		if repo := describe(r, account); repo.Name != (forge.Name{}) {
			found = append(found, repo)
		}
	}
	return found, nil
}

// account returns the login of the token's account. It is asked for once.
func (f *Forge) account(client *sdk.Client, name forge.Name) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.login != "" {
		return f.login, nil
	}
	user, resp, err := client.GetMyUserInfo()
	if err := answer(resp, err); err != nil {
		return "", f.failed(name, "ask for the token's own account", err)
	}
	f.login = user.UserName
	return f.login, nil
}

// Snapshot reads files at the newest commit of the default branch, by git:
// no API call. A path that is no plain file of at most forge.MaxFile bytes is
// a *forge.FileError.
func (f *Forge) Snapshot(ctx context.Context, repo forge.Repo, paths []string) (forge.Snapshot, error) {
	remote, err := f.remote(repo.Name)
	if err != nil {
		return forge.Snapshot{}, err
	}
	snapshot, err := remote.Snapshot(ctx, repo.DefaultBranch, paths)
	if err != nil {
		return forge.Snapshot{}, f.failed(repo.Name, "read "+repo.DefaultBranch, err)
	}
	return snapshot, nil
}

// Branch reads a branch's newest commit: one API call.
func (f *Forge) Branch(ctx context.Context, repo forge.Repo, name string) (forge.Branch, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.Branch{}, err
	}
	got, resp, err := client.GetRepoBranch(repo.Owner, repo.Name.Name, name)
	if err := answer(resp, err); err != nil {
		return forge.Branch{}, f.failed(repo.Name, "read branch "+name, err)
	}
	if got.Commit == nil {
		return forge.Branch{}, f.failed(repo.Name, "read branch "+name, fmt.Errorf("%w: it has no commit", forge.ErrTransient))
	}
	branch := forge.Branch{Name: name, Head: got.Commit.ID, Message: got.Commit.Message}
	if by := got.Commit.Committer; by != nil {
		branch.Committer = forge.Identity{Name: by.Name, Email: by.Email}
	}
	return branch, nil
}

// File reads a file at a commit or branch: one API call. A path that is no
// plain file of at most forge.MaxFile bytes is a *forge.FileError.
func (f *Forge) File(ctx context.Context, repo forge.Repo, ref, path string) ([]byte, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, &forge.FileError{Path: path, Reason: "is no path inside a repository"}
	}
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, resp, err := client.GetContents(repo.Owner, repo.Name.Name, ref, path)
	if err != nil && resp != nil && resp.StatusCode == http.StatusOK {
		// The SDK says so when the answer is a list.
		return nil, &forge.FileError{Path: path, Reason: "is a directory"}
	}
	if err := answer(resp, err); err != nil {
		return nil, f.failed(repo.Name, "read "+path, err)
	}
	switch {
	case got.Type == "symlink":
		return nil, &forge.FileError{Path: path, Reason: "is a symbolic link"}
	case got.Type == "submodule":
		return nil, &forge.FileError{Path: path, Reason: "is a submodule"}
	case got.Type != "file":
		return nil, &forge.FileError{Path: path, Reason: "is no plain file"}
	case got.Size > forge.MaxFile:
		return nil, &forge.FileError{Path: path, Reason: fmt.Sprintf("is larger than %d MiB", forge.MaxFile>>20)}
	case got.Content == nil:
		return nil, f.failed(repo.Name, "read "+path, fmt.Errorf("%w: no content", forge.ErrTransient))
	}
	content, err := base64.StdEncoding.DecodeString(*got.Content)
	if err != nil {
		return nil, f.failed(repo.Name, "read "+path, errors.Join(forge.ErrTransient, err))
	}
	return content, nil
}

// Push makes the change's commit and pushes it, by git; see
// forgegit.Remote.Push.
func (f *Forge) Push(ctx context.Context, repo forge.Repo, c forge.Change) (string, error) {
	remote, err := f.remote(repo.Name)
	if err != nil {
		return "", err
	}
	sha, err := remote.Push(ctx, c)
	if err != nil {
		return "", f.failed(repo.Name, "push", err)
	}
	return sha, nil
}

// DeleteBranch deletes a branch that is at lease, by git. When the branch is
// elsewhere or gone the error is forge.ErrLeaseLost.
func (f *Forge) DeleteBranch(ctx context.Context, repo forge.Repo, branch, lease string) error {
	remote, err := f.remote(repo.Name)
	if err != nil {
		return err
	}
	if err := remote.DeleteBranch(ctx, branch, lease); err != nil {
		return f.failed(repo.Name, "delete branch "+branch, err)
	}
	return nil
}
