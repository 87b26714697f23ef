package forgetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
)

// Repo describes a repository.
func (f *Fake) Repo(ctx context.Context, name forge.Name) (got forge.Repo, err error) {
	err = f.do(ctx, Call{Method: "Repo", Repo: name}, func(r *repository) error {
		got = r.describe()
		return nil
	})
	return got, err
}

// Snapshot reads files of the default branch.
func (f *Fake) Snapshot(ctx context.Context, repo forge.Repo, paths []string) (got forge.Snapshot, err error) {
	err = f.do(ctx, Call{Method: "Snapshot", Repo: repo.Name}, func(r *repository) error {
		got = forge.Snapshot{Files: map[string][]byte{}}
		if len(r.branches) == 0 {
			return nil
		}
		at, ok := r.branches[repo.DefaultBranch]
		if !ok {
			return forge.ErrNotFound
		}
		got.Commit = at
		for _, path := range paths {
			content, err := r.commits[at].read(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return err
			default:
				got.Files[path] = content
			}
		}
		return nil
	})
	if err != nil {
		return forge.Snapshot{}, err
	}
	return got, nil
}

// File reads a file at a commit or branch.
func (f *Fake) File(ctx context.Context, repo forge.Repo, ref, path string) (content []byte, err error) {
	err = f.do(ctx, Call{Method: "File", Repo: repo.Name}, func(r *repository) error {
		at, ok := r.branches[ref]
		if !ok {
			at = ref
		}
		c, ok := r.commits[at]
		if !ok {
			return forge.ErrNotFound
		}
		content, err = c.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", path, forge.ErrNotFound)
		}
		return err
	})
	return content, err
}

// Paths lists the plain files of a commit or branch.
func (f *Fake) Paths(ctx context.Context, repo forge.Repo, ref string) (paths []string, err error) {
	err = f.do(ctx, Call{Method: "Paths", Repo: repo.Name}, func(r *repository) error {
		at, ok := r.branches[ref]
		if !ok {
			at = ref
		}
		c, ok := r.commits[at]
		if !ok {
			return forge.ErrNotFound
		}
		for _, path := range slices.Sorted(maps.Keys(c.Files)) {
			if c.kind(path) == nil {
				paths = append(paths, path)
			}
		}
		return nil
	})
	return paths, err
}

// Branch reads a branch.
func (f *Fake) Branch(ctx context.Context, repo forge.Repo, name string) (got forge.Branch, err error) {
	err = f.do(ctx, Call{Method: "Branch", Repo: repo.Name, Branch: name}, func(r *repository) error {
		at, ok := r.branches[name]
		if !ok {
			return forge.ErrNotFound
		}
		c := r.commits[at]
		got = forge.Branch{Name: name, Head: at, Committer: c.By, Message: c.Message}
		return nil
	})
	return got, err
}

// Push makes a commit.
func (f *Fake) Push(ctx context.Context, repo forge.Repo, c forge.Change) (sha string, err error) {
	call := Call{Method: "Push", Repo: repo.Name, Write: true, Branch: c.Branch, Text: c.Message}
	err = f.do(ctx, call, func(r *repository) error {
		made, err := r.change(c)
		if err != nil {
			return err
		}
		sha = r.add(made)
		r.move(c.Branch, sha)
		return nil
	})
	if err != nil {
		return "", err
	}
	return sha, nil
}

// DeleteBranch deletes a branch and closes its open pull requests.
func (f *Fake) DeleteBranch(ctx context.Context, repo forge.Repo, branch, lease string) error {
	call := Call{Method: "DeleteBranch", Repo: repo.Name, Write: true, Branch: branch}
	return f.do(ctx, call, func(r *repository) error {
		switch {
		case !isSHA(lease):
			return fmt.Errorf("the lease %q is no commit", lease)
		case r.branches[branch] != lease:
			return forge.ErrLeaseLost
		}
		r.deleteBranch(branch)
		return nil
	})
}

// OpenPullRequests lists open pull requests, the newest first.
func (f *Fake) OpenPullRequests(ctx context.Context, repo forge.Repo) (open []forge.PullRequest, err error) {
	err = f.do(ctx, Call{Method: "OpenPullRequests", Repo: repo.Name}, func(r *repository) error {
		for _, pr := range slices.Backward(r.pulls) {
			if pr.State == forge.Open {
				open = append(open, r.show(pr))
			}
		}
		return nil
	})
	return open, err
}

// LastPullRequest finds the newest pull request from a branch.
func (f *Fake) LastPullRequest(ctx context.Context, repo forge.Repo, branch string) (got forge.PullRequest, err error) {
	call := Call{Method: "LastPullRequest", Repo: repo.Name, Branch: branch}
	err = f.do(ctx, call, func(r *repository) error {
		for _, pr := range slices.Backward(r.pulls) {
			if pr.Head == branch && !pr.FromFork {
				got = r.show(pr)
				return nil
			}
		}
		return forge.ErrNotFound
	})
	return got, err
}

// CreatePullRequest opens a pull request.
func (f *Fake) CreatePullRequest(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error) {
	return f.CreateAs(ctx, FakeBot, repo, pr)
}

// CreateAs is CreatePullRequest by another account.
func (f *Fake) CreateAs(ctx context.Context, login string, repo forge.Repo, pr forge.NewPullRequest) (got forge.PullRequest, err error) {
	call := Call{Method: "CreatePullRequest", Repo: repo.Name, Write: true, Branch: pr.Head, Text: pr.Title}
	err = f.do(ctx, call, func(r *repository) error {
		if r.branches[pr.Head] == "" || r.branches[pr.Base] == "" {
			return forge.ErrNotFound
		}
		for _, other := range r.pulls {
			if other.State == forge.Open && !other.FromFork && other.Head == pr.Head && other.Base == pr.Base {
				return forge.ErrConflict
			}
		}
		made := r.open(forge.PullRequest{Author: login, Title: pr.Title, Body: pr.Body, Head: pr.Head, Base: pr.Base})
		made.labels = slices.Sorted(slices.Values(pr.Labels))
		got = r.show(made)
		return nil
	})
	return got, err
}

// EditPullRequest changes a pull request.
func (f *Fake) EditPullRequest(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (got forge.PullRequest, err error) {
	call := Call{Method: "EditPullRequest", Repo: repo.Name, Write: true, Number: number, Text: edit.Title}
	err = f.do(ctx, call, func(r *repository) error {
		pr, err := r.pull(number)
		if err != nil {
			return err
		}
		if err := r.edit(pr, edit); err != nil {
			return err
		}
		got = r.show(pr)
		return nil
	})
	return got, err
}

// RequestReviews asks for reviews; there is nobody but FakeHuman to be asked.
func (f *Fake) RequestReviews(ctx context.Context, repo forge.Repo, number int64, reviewers []string) error {
	call := Call{Method: "RequestReviews", Repo: repo.Name, Write: true, Number: number}
	return f.do(ctx, call, func(r *repository) error {
		pr, err := r.pull(number)
		if err != nil {
			return err
		}
		var failures []error
		for _, reviewer := range reviewers {
			switch {
			case reviewer != FakeHuman:
				failures = append(failures, fmt.Errorf("ask %s for a review: %w", reviewer, forge.ErrNotFound))
			case !slices.Contains(pr.reviewers, reviewer):
				pr.reviewers = append(pr.reviewers, reviewer)
			}
		}
		return errors.Join(failures...)
	})
}
