package forge

import "errors"

// ErrSignature says that a webhook's delivery is not signed by who knows the
// secret, or was sent to another forge's route.
var ErrSignature = errors.New("the delivery is not signed as it should be")

// EventKind says what an Event tells of.
type EventKind string

// The kinds of events.
const (
	EventIgnored     EventKind = ""             // nothing that the bot acts on
	EventPing        EventKind = "ping"         // the webhook was set up
	EventPush        EventKind = "push"         // a branch has another head
	EventPullRequest EventKind = "pull_request" // one was opened, closed, merged or edited
	EventComment     EventKind = "comment"      // a new comment on a pull request or an issue
	EventRepository  EventKind = "repository"   // one was made, renamed, or given to the bot; without Repo: several may be
	EventIssue       EventKind = "issue"        // one was closed, reopened, edited or removed
	EventRerun       EventKind = "rerun"        // a check of the bot's is to be made again
	EventWorkflow    EventKind = "workflow"     // a workflow of the repository ended
)

// Event is what a delivery of a webhook tells, after its signature was checked.
// What it says may be old or wrong by now: who acts on it asks the forge.
type Event struct {
	Kind     EventKind
	Delivery string // id; the same when the forge sends it again, if the forge does
	Type     string // the forge's own word: "issue_comment"
	Repo     Name
	Sender   string // login of who caused it
	Bot      bool   // of EventIssue: Sender is known to be no person
	Text     string // of EventIssue: the issue's text after an edit of it; "" otherwise
	Before   string // of EventIssue: its text before that edit
	Branch   string // of EventPush: its name without refs/heads/; of a pull request, check or workflow: its head branch, "" of one from a fork
	Head     string // of EventPush: the new head; of a pull request, a comment on one, a check or a workflow: its head then. "" when the delivery does not say
	Number   int64  // of the pull request or issue
	Workflow string // of EventWorkflow: name of the file of one that somebody dispatched; "" of others
	Author   string // of EventIssue: login of who opened it; "" when the account is gone
	Comment  Comment
}

// Permission is what a user may do in a repository.
type Permission int

// The permissions, each containing those before it.
const (
	MayNothing Permission = iota
	MayRead
	MayWrite
	MayAdminister
)

// Reaction is an emoji below a comment.
type Reaction string

// The reactions that the bot uses.
const (
	Seen     Reaction = "eyes"     // taken
	Done     Reaction = "rocket"   // done
	Confused Reaction = "confused" // refused or failed; a reply says why
)

// Issue is an issue that is no pull request.
type Issue struct {
	Number int64
	Author string // login
	URL    string
	Title  string
	Body   string
	State  State // Open or Closed
}

// RepositoryQuery says which repositories to list: those of an owner
// (organisation or user), those with a topic, or those with both. One of the
// two is set.
type RepositoryQuery struct{ Owner, Topic string }

// CommentPage is the comments of a whole repository since a time.
type CommentPage struct {
	Comments []Comment // the oldest first
	More     bool      // there are more than the driver reads at once; ask again from the last one's Updated
}

// NewIssue is an issue to be opened.
type NewIssue struct {
	Title, Body string
	Labels      []string // created when the repository lacks them
}

// Edited reports whether the text was changed after it was written.
func (c Comment) Edited() bool { return c.Updated.After(c.Created) }
