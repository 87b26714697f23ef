// Package bot brings a repository on a forge to where a plan wants it: it
// pushes branches and opens, updates and closes pull requests, and leaves
// alone what people made.
//
// It remembers nothing. What it needs to know of its earlier runs it reads
// from the forge: branches, pull requests, and the hidden marks in them.
package bot

import (
	"context"
	"log/slog"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Reader reads a repository.
type Reader interface {
	Repo(ctx context.Context, name forge.Name) (forge.Repo, error)
	Snapshot(ctx context.Context, repo forge.Repo, paths []string) (forge.Snapshot, error)
	File(ctx context.Context, repo forge.Repo, ref, path string) ([]byte, error)
	Paths(ctx context.Context, repo forge.Repo, ref string) ([]string, error)
}

// Branches reads and writes branches, the latter only on the state that the
// caller saw.
type Branches interface {
	Branch(ctx context.Context, repo forge.Repo, name string) (forge.Branch, error)
	Push(ctx context.Context, repo forge.Repo, change forge.Change) (sha string, err error)
	DeleteBranch(ctx context.Context, repo forge.Repo, name, lease string) error
}

// PullRequests finds pull requests.
type PullRequests interface {
	OpenPullRequests(ctx context.Context, repo forge.Repo) ([]forge.PullRequest, error)
	LastPullRequest(ctx context.Context, repo forge.Repo, branch string) (forge.PullRequest, error)
}

// PullRequestEditor writes pull requests.
type PullRequestEditor interface {
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

// Asker asks again for what an event told.
type Asker interface {
	Comment(ctx context.Context, repo forge.Repo, id int64) (forge.Comment, error)
	PullRequest(ctx context.Context, repo forge.Repo, number int64) (forge.PullRequest, error)
	Permission(ctx context.Context, repo forge.Repo, login string) (forge.Permission, error)
}

// Dater tells since when a pull request has had its head, by the forge's clock;
// the zero time when the forge does not tell. forge.ErrTransient: it does not
// know of that head, or not yet.
type Dater interface {
	HeadSince(ctx context.Context, repo forge.Repo, number int64, head string) (time.Time, error)
}

// Reactor sets and reads the bot's own reactions.
type Reactor interface {
	React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error
	Reactions(ctx context.Context, repo forge.Repo, comment int64) ([]forge.Reaction, error)
}

// Issues keeps the bot's own issues.
type Issues interface {
	OwnIssues(ctx context.Context, repo forge.Repo) ([]forge.Issue, error)
	CreateIssue(ctx context.Context, repo forge.Repo, issue forge.NewIssue) (forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (forge.Issue, error)
}

// Forge is what the bot needs of a forge.
type Forge interface {
	Reader
	Branches
	PullRequests
	PullRequestEditor
	Commenter
	Asker
	Dater
	Reactor
	Issues
}

// Git is what the bot needs of upstream remotes and of git.
type Git interface {
	lock.Resolver
	refresh.Historian
	Conflicts(ctx context.Context, base, ours, theirs []byte) (bool, error)
	Public(ctx context.Context, url string) (bool, error) // whether anybody may read a remote
}

// Bot refreshes repositories. Its fields are set once, before use.
type Bot struct {
	Git      Git
	URLs     gitname.Policy // which upstreams may be asked
	Private  []string       // URLs of remotes that are private, whatever their forges say
	Identity forge.Identity // of the bot's commits
	Jobs     int            // upstreams asked at once
	Commands bool           // pull requests name the commands that a comment may give
	// Mirrors are those of Odoo Enterprise that are kept for repositories.
	Mirrors []Mirror
	Onboard bool // a repository without a policy gets a pull request that adds one
	// Sources make the refreshes of other kinds than merges.
	Sources []refresh.Source
	Log     *slog.Logger
	Now     func() time.Time
	// Wait sleeps between attempts, or returns the context's error.
	Wait func(ctx context.Context, d time.Duration) error
	// Rehearser tries merges before they are proposed; nil: nobody does.
	Rehearser refresh.Rehearser
	// Memory keeps since when commits are known; nil: nobody does.
	Memory refresh.Memory
	// Upstreams tells what was reported on commits; nil: nobody does.
	Upstreams Upstreams
}

// Action is what was done about a pull request.
type Action string

// The actions.
const (
	Opened    Action = "opened"
	Reopened  Action = "reopened"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Closed    Action = "closed"
	Held      Action = "held"    // nothing done, for the outcome's reason
	Waiting   Action = "waiting" // something is under way, as the outcome's reason says, that a later run ends; URL is its page
	Idle      Action = "idle"    // nothing to do
	Failed    Action = "failed"  // for the outcome's reason; of whole runs, by who reports on them
)

// Changed reports whether a pull request is not as it was before.
func (a Action) Changed() bool {
	switch a {
	case Opened, Reopened, Updated, Closed:
		return true
	}
	return false
}

// Outcome is what became of one group of a repository.
type Outcome struct {
	Repo   string `json:"repo"`
	Group  string `json:"group,omitempty"`
	Action Action `json:"action"`
	Title  string `json:"title,omitempty"`
	URL    string `json:"url,omitempty"`
	Reason string `json:"reason,omitempty"`
}
