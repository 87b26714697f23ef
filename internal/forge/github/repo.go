package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// Repo describes a repository: one API call, a further one the first time, and
// one where a repository is so small that it may be empty. *forge.MovedError: it
// has another name now.
func (f *Forge) Repo(ctx context.Context, name forge.Name) (forge.Repo, error) {
	ctx, client, err := f.at(ctx, name)
	if err != nil {
		return forge.Repo{}, err
	}
	got, resp, err := client.Repositories.Get(ctx, name.Owner, name.Name)
	if err := answer(resp, err); err != nil {
		return forge.Repo{}, failed(name, "read the repository", err)
	}
	if !strings.EqualFold(got.GetFullName(), name.String()) { // GitHub redirects from a name that it had
		return forge.Repo{}, failed(name, "read the repository", &forge.MovedError{To: forgehttp.Excerpt(got.GetFullName())})
	}
	account, err := f.session.login(ctx)
	if err != nil {
		return forge.Repo{}, failed(name, "ask for the bot's own account", err)
	}
	described := describe(got, account)
	described.Name = name // as it was asked for
	if got.GetSize() == 0 {
		_, err := head(ctx, client, described, described.DefaultBranch)
		described.Empty = errors.Is(err, errEmpty)
		if err != nil && !described.Empty {
			return forge.Repo{}, failed(name, "read the default branch", err)
		}
	}
	return described, nil
}

// describe leaves the name empty when it is none that forge.ParseName takes.
func describe(got *sdk.Repository, account string) forge.Repo {
	name, err := forge.ParseName(got.GetFullName())
	if err != nil {
		name = forge.Name{}
	}
	return forge.Repo{
		Account:       account,
		Name:          name,
		DefaultBranch: got.GetDefaultBranch(),
		WebURL:        got.GetHTMLURL(),
		Archived:      got.GetArchived(),
		Private:       got.GetPrivate() && got.GetVisibility() != "internal",
		Internal:      got.GetVisibility() == "internal",
		Changed:       got.GetPushedAt().UTC(),
	}
}

// errEmpty: a repository has no commit yet.
var errEmpty = fmt.Errorf("%w: the repository is empty", forge.ErrConflict)

// head returns where a branch is, "" when it is nowhere, and errEmpty in a
// repository without any. Of a repository that does not exist it returns "",
// too, for GitHub gives the same answer.
func head(ctx context.Context, client *sdk.Client, repo forge.Repo, branch string) (string, error) {
	ref, resp, err := client.Git.GetRef(ctx, repo.Owner, repo.Name.Name, "heads/"+branch)
	switch err := answer(resp, err); {
	case errors.Is(err, forge.ErrNotFound):
		return "", nil
	case errors.Is(err, forge.ErrConflict):
		return "", errEmpty
	case err != nil:
		return "", err
	case ref.GetObject().GetSHA() == "":
		return "", fmt.Errorf("%w: branch %s has no commit", forge.ErrTransient, branch)
	}
	return ref.GetObject().GetSHA(), nil
}

// exists returns nil for a repository that can be seen.
func exists(ctx context.Context, client *sdk.Client, repo forge.Repo) error {
	_, resp, err := client.Repositories.Get(ctx, repo.Owner, repo.Name.Name)
	return answer(resp, err)
}

// Snapshot reads files at the newest commit of the default branch: an API call
// for the branch, one for each directory and one for each file. A path that is
// no plain file of at most forge.MaxFile bytes is a *forge.FileError.
func (f *Forge) Snapshot(ctx context.Context, repo forge.Repo, paths []string) (forge.Snapshot, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Snapshot{}, err
	}
	doing := "read " + repo.DefaultBranch
	snapshot := forge.Snapshot{Files: map[string][]byte{}}
	snapshot.Commit, err = head(ctx, client, repo, repo.DefaultBranch)
	switch {
	case errors.Is(err, errEmpty):
		return snapshot, nil
	case err == nil && snapshot.Commit == "":
		err = forge.ErrNotFound
	}
	if err != nil {
		return forge.Snapshot{}, failed(repo.Name, doing, err)
	}
	tree := newTree(client, repo.Name, snapshot.Commit)
	for _, path := range paths {
		content, err := tree.read(ctx, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return forge.Snapshot{}, failed(repo.Name, doing, err)
		default:
			snapshot.Files[path] = content
		}
	}
	return snapshot, nil
}

// commitOf is the commit that a branch is at, or ref if it is one.
func commitOf(ctx context.Context, client *sdk.Client, repo forge.Repo, ref string) (string, error) {
	if commitID.MatchString(ref) {
		return ref, nil
	}
	at, err := head(ctx, client, repo, ref)
	if at == "" && (err == nil || errors.Is(err, errEmpty)) {
		err = fmt.Errorf("branch %s: %w", ref, forge.ErrNotFound)
	}
	return at, err
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// File reads a file at a commit or branch. A path that is no plain file of at
// most forge.MaxFile bytes is a *forge.FileError.
//
// It does not ask for "contents": GitHub gives those of a symbolic link's
// target there, and none of a file that is larger than 1 MB.
func (f *Forge) File(ctx context.Context, repo forge.Repo, ref, path string) ([]byte, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, &forge.FileError{Path: path, Reason: notInside}
	}
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	at, err := commitOf(ctx, client, repo, ref)
	if err != nil {
		return nil, failed(repo.Name, "read "+path, err)
	}
	content, err := newTree(client, repo.Name, at).read(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = forge.ErrNotFound
	}
	if err != nil {
		return nil, failed(repo.Name, "read "+path, err)
	}
	return content, nil
}

// Branch reads a branch's newest commit: one API call.
func (f *Forge) Branch(ctx context.Context, repo forge.Repo, name string) (forge.Branch, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Branch{}, err
	}
	doing := "read branch " + name
	// The SDK's own method does not tell what GitHub says of a failure.
	req, err := client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/branches/%s", repo.Name, url.PathEscape(name)), nil)
	if err != nil {
		return forge.Branch{}, failed(repo.Name, doing, err)
	}
	got := &sdk.Branch{}
	resp, err := client.Do(ctx, req, got)
	if err := answer(resp, err); err != nil {
		return forge.Branch{}, failed(repo.Name, doing, err)
	}
	if got.GetName() != name { // GitHub redirects to what it is called now
		return forge.Branch{}, failed(repo.Name, doing, fmt.Errorf("%w: it was renamed to %s", forge.ErrNotFound, got.GetName()))
	}
	commit := got.GetCommit()
	if commit.GetSHA() == "" {
		return forge.Branch{}, failed(repo.Name, doing, fmt.Errorf("%w: it has no commit", forge.ErrTransient))
	}
	by := commit.GetCommit().GetCommitter()
	branch := forge.Branch{
		Name: name, Head: commit.GetSHA(), Message: commit.GetCommit().GetMessage(),
		Committer: forge.Identity{Name: by.GetName(), Email: by.GetEmail()},
	}
	if !f.session.isApp() {
		return branch, nil
	}
	account, err := f.session.login(ctx)
	if err != nil {
		return forge.Branch{}, failed(repo.Name, doing, err)
	}
	branch.Vouched, branch.Own = true, madeBy(account, commit)
	return branch, nil
}

// webFlow is GitHub's own account, which commits what is made by its pages and,
// by its API, for Apps.
const webFlow = "web-flow"

// madeBy reports whether GitHub made a commit for an App. Names and addresses can
// be anybody's. A signature cannot, but it is the committer's: a person who amends
// the App's commit and signs that leaves its author in place. So the committer
// has to be the App or GitHub, whose signatures nobody else has.
func madeBy(app string, commit *sdk.RepositoryCommit) bool {
	committer := commit.GetCommitter().GetLogin()
	return commit.GetCommit().GetVerification().GetVerified() &&
		commit.GetAuthor().GetLogin() == app && (committer == app || committer == webFlow)
}
