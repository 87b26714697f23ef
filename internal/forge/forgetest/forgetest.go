// Package forgetest holds what drivers of forges have to keep to, as tests
// that every driver passes, and a forge made of data that passes them too.
package forgetest

import (
	"context"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Reader reads a repository.
type Reader interface {
	Repo(ctx context.Context, name forge.Name) (forge.Repo, error)
	Snapshot(ctx context.Context, repo forge.Repo, paths []string) (forge.Snapshot, error)
	File(ctx context.Context, repo forge.Repo, ref, path string) ([]byte, error)
	Paths(ctx context.Context, repo forge.Repo, ref string) ([]string, error)
}

// Brancher reads and writes branches.
type Brancher interface {
	Branch(ctx context.Context, repo forge.Repo, name string) (forge.Branch, error)
	Push(ctx context.Context, repo forge.Repo, c forge.Change) (string, error)
	DeleteBranch(ctx context.Context, repo forge.Repo, branch, lease string) error
}

// PullRequestReader finds pull requests.
type PullRequestReader interface {
	OpenPullRequests(ctx context.Context, repo forge.Repo) ([]forge.PullRequest, error)
	LastPullRequest(ctx context.Context, repo forge.Repo, branch string) (forge.PullRequest, error)
}

// PullRequestWriter opens and changes pull requests.
type PullRequestWriter interface {
	CreatePullRequest(ctx context.Context, repo forge.Repo, pr forge.NewPullRequest) (forge.PullRequest, error)
	EditPullRequest(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.PullRequest, error)
	RequestReviews(ctx context.Context, repo forge.Repo, number int64, reviewers []string) error
}

// Commenter reads and writes comments on pull requests and issues.
type Commenter interface {
	Comments(ctx context.Context, repo forge.Repo, number int64) ([]forge.Comment, error)
	AddComment(ctx context.Context, repo forge.Repo, number int64, body string) (forge.Comment, error)
	EditComment(ctx context.Context, repo forge.Repo, id int64, body string) error
}

// Listener finds what was asked of the bot, and who may ask.
type Listener interface {
	Comment(ctx context.Context, repo forge.Repo, id int64) (forge.Comment, error)
	CommentsSince(ctx context.Context, repo forge.Repo, since time.Time) (forge.CommentPage, error)
	Permission(ctx context.Context, repo forge.Repo, login string) (forge.Permission, error)
}

// Reacter sets the account's own reactions to a comment.
type Reacter interface {
	React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error
	Unreact(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error
	Reactions(ctx context.Context, repo forge.Repo, comment int64) ([]forge.Reaction, error)
}

// Issuer keeps the account's own issues.
type Issuer interface {
	OwnIssues(ctx context.Context, repo forge.Repo) ([]forge.Issue, error)
	CreateIssue(ctx context.Context, repo forge.Repo, issue forge.NewIssue) (forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.Issue, error)
}

// Finder finds repositories, and a pull request by its number.
type Finder interface {
	Repositories(ctx context.Context, q forge.RepositoryQuery) ([]forge.Repo, error)
	PullRequest(ctx context.Context, repo forge.Repo, number int64) (forge.PullRequest, error)
}

// Dater tells since when a pull request has had its head.
type Dater interface {
	HeadSince(ctx context.Context, repo forge.Repo, number int64, head string) (time.Time, error)
}

// Forge is a driver.
type Forge interface {
	Reader
	Brancher
	PullRequestReader
	PullRequestWriter
	Commenter
	Listener
	Reacter
	Issuer
	Finder
	Dater
}

// Fixture is a driver with a repository to try it on.
type Fixture struct {
	Forge Forge
	Login string     // the account that Forge acts as; it may write to the repository
	Repo  forge.Name // fresh; its one commit on the default branch main holds README.md
	Human Human
	Many  int  // how many pull requests are more than two pages; 55 by default
	Robot bool // the account is a program's, and the forge says so; it makes and signs the commits of such an account itself: who and when is its own, and the branch says Own
}

// Human is the repository's owner, who is not the driver's account. Its
// methods end the test when they fail.
type Human interface {
	Pusher
	Reviewer
	Talker
	Reporter
	Keeper
	Founder
}

// Pusher works with git.
type Pusher interface {
	// Push makes commits, pushes them, and returns their object ids.
	Push(t testing.TB, commits ...Commit) []string
	// DeleteBranch deletes a branch.
	DeleteBranch(t testing.TB, branch string)
	// Modes returns the mode of every file on a branch: "100644".
	Modes(t testing.TB, branch string) map[string]string
}

// Reviewer works with pull requests in the browser.
type Reviewer interface {
	// Login is the human's account.
	Login() string
	// Merge merges a pull request and deletes nothing.
	Merge(t testing.TB, number int64)
	// Comment comments on a pull request or an issue.
	Comment(t testing.TB, number int64, body string) (id int64)
	// Inspect returns what of a pull request or an issue the drivers do not
	// read.
	Inspect(t testing.TB, number int64) Inspection
}

// Talker deals with comments that are there.
type Talker interface {
	// EditComment changes a comment's text at a later second than it was
	// written.
	EditComment(t testing.TB, id int64, body string)
	// DeleteComment deletes a comment.
	DeleteComment(t testing.TB, id int64)
	// React reacts to a comment.
	React(t testing.TB, id int64, r forge.Reaction)
	// Reactions returns everybody's reactions to a comment as "LOGIN
	// REACTION", sorted.
	Reactions(t testing.TB, id int64) []string
}

// Reporter works with issues.
type Reporter interface {
	// OpenIssue opens an issue.
	OpenIssue(t testing.TB, title, body string) (number int64)
	// EditIssue changes what is set in the edit of an issue.
	EditIssue(t testing.TB, number int64, edit forge.Edit)
	// Issues returns everybody's issues in all states, by number.
	Issues(t testing.TB) []forge.Issue
}

// Keeper decides about the repository.
type Keeper interface {
	// SetPermission sets what an account may do in the repository; MayRead
	// and MayNothing take from it what it was given before.
	SetPermission(t testing.TB, login string, p forge.Permission)
	// SetTopics sets the repository's topics.
	SetTopics(t testing.TB, topics ...string)
}

// Inspection is what the forge's pages show of a pull request or an issue.
type Inspection struct {
	Labels    []string // sorted
	Reviewers []string // who were asked, sorted
}

// Founder makes what a test needs beside its one repository.
type Founder interface {
	// EmptyRepo makes a repository without any commit.
	EmptyRepo(t testing.TB) forge.Name
	// Stranger is an account that was given no permission.
	Stranger() (login string)
	// Rename gives the repository another name of the same owner, after which
	// this human works on it no more.
	Rename(t testing.TB, name string) forge.Name
	// ForkPullRequest has a stranger fork the repository, commit to the
	// fork's branch, and open a pull request from there onto main.
	ForkPullRequest(t testing.TB, branch string) (number int64)
}

// Commit is a commit that a human pushes.
type Commit struct {
	Branch  string          // it is made on top of this branch or, where there is none, of main
	Files   map[string]File // new content by path
	Message string
	By      forge.Identity // the human by default
	Amend   bool           // replaces the branch's newest commit, as a forced push does
}

// File is a file in a commit.
type File struct {
	Mode    string // "100644" by default, "100755", or "120000", a symbolic link to Content
	Content string
}
