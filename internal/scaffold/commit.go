package scaffold

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Repository is the git repository that a directory belongs to, or will be.
type Repository struct {
	dir, branch, name, email string
}

// OpenRepository finds out whether what is placed in a directory can be
// committed: whose name the commit has, and that nothing else is staged. It
// changes nothing.
func OpenRepository(dir, branch string) (*Repository, error) {
	r := &Repository{dir: dir, branch: branch}
	repo, err := open(dir)
	var settings *config.Config
	switch {
	case errors.Is(err, git.ErrRepositoryNotExists):
		settings, err = config.LoadConfig(config.GlobalScope)
	case err == nil:
		if err := nothingStaged(repo); err != nil {
			return nil, err
		}
		settings, err = repo.ConfigScoped(config.SystemScope)
	}
	if err != nil {
		return nil, fmt.Errorf("open the repository of %s: %w", dir, err)
	}
	r.name, r.email = settings.User.Name, settings.User.Email
	if r.name == "" || r.email == "" {
		return nil, errors.New("git does not know your name; say it: git config --global user.name NAME, and user.email ADDRESS")
	}
	return r, nil
}

// open opens the repository whose work tree a directory is in, if there is one.
// The directory need not be there.
func open(dir string) (*git.Repository, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for {
		repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
		if !errors.Is(err, git.ErrRepositoryNotExists) || dir == filepath.Dir(dir) {
			return repo, err
		}
		dir = filepath.Dir(dir)
	}
}

func nothingStaged(repo *git.Repository) error {
	tree, err := repo.Worktree()
	if err != nil {
		return err
	}
	status, err := tree.Status()
	if err != nil {
		return err
	}
	for name, s := range status {
		if s.Staging != git.Unmodified && s.Staging != git.Untracked {
			return fmt.Errorf("%s is staged, and would be committed, too; commit or unstage it first", name)
		}
	}
	return nil
}

// Commit commits the files that were placed, and returns the commit's id. A
// directory that belongs to no repository becomes one.
func (r *Repository) Commit(files []File, message string, now time.Time) (string, error) {
	repo, err := open(r.dir)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainInitWithOptions(r.dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName(r.branch)}})
	}
	if err != nil {
		return "", err
	}
	tree, err := repo.Worktree()
	if err != nil {
		return "", err
	}
	within, err := r.within(tree.Filesystem.Root())
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if _, err := tree.Add(path.Join(within, f.Path)); err != nil {
			return "", fmt.Errorf("git add %s: %w", f.Path, err)
		}
	}
	id, err := tree.Commit(message, &git.CommitOptions{Author: &object.Signature{Name: r.name, Email: r.email, When: now}})
	if err != nil {
		return "", fmt.Errorf("git commit: %w", err)
	}
	return id.String(), nil
}

// within is the directory's path in the work tree, with slashes.
func (r *Repository) within(root string) (string, error) {
	dir, err := resolved(r.dir)
	if err != nil {
		return "", err
	}
	if root, err = resolved(root); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, dir)
	return filepath.ToSlash(rel), err
}

// resolved is a path that is absolute and has no symbolic link in it.
func resolved(name string) (string, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(name)
}
