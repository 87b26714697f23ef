// Package forge holds what all forges (Gitea, Forgejo, GitHub, a checkout on
// disk) have in common: value types, and the errors that decide what happens
// next. It knows no SDK. The packages below it are the drivers.
package forge

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Name is a repository's owner and name on a forge.
type Name struct{ Owner, Name string }

func (n Name) String() string { return n.Owner + "/" + n.Name }

var namePart = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// ParseName parses "OWNER/NAME".
func ParseName(s string) (Name, error) {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !namePart.MatchString(owner) || !namePart.MatchString(name) {
		return Name{}, fmt.Errorf("%q is no repository name; write OWNER/NAME", s)
	}
	return Name{owner, name}, nil
}

// Repo is a repository as the forge describes it.
type Repo struct {
	Name
	DefaultBranch string
	WebURL        string
	Archived      bool
	Private       bool      // only whom its owner has let in may read it; one that all accounts of the forge may read is not
	Internal      bool      // not Private, and yet only its owner's people may read it: that of a private organisation
	Empty         bool      // has no commit yet
	Account       string    // login of the account that asked
	Changed       time.Time // of the newest push that the forge knows of; other changes may count too
}

// MaxFile is the size in bytes above which no driver reads a file.
const MaxFile = 2 << 20

// MaxPaths is the number of files and directories above which no driver lists a
// repository.
const MaxPaths = 50_000

// Snapshot is the state of some files at one commit.
type Snapshot struct {
	Commit string            // full object id; "" of an empty repository or a working tree
	Files  map[string][]byte // by path; a path that does not exist is absent
}

// Identity is who made a commit.
type Identity struct{ Name, Email string }

// Branch is a branch and its newest commit.
type Branch struct {
	Name      string
	Head      string // full object id
	Committer Identity
	Message   string // of the newest commit
	Vouched   bool   // the forge itself knows who made that commit: Own alone counts, for Committer can be anybody's word
	Own       bool   // Vouched, and it was the asking account
}

// Change is one commit to be put on top of a branch's head as the whole
// content of another branch.
type Change struct {
	Base     string            // branch the commit is made on
	BaseHead string            // the head that Base must still have
	Branch   string            // branch to create or to replace
	Lease    string            // head that Branch must still have; "" when it must not exist
	Files    map[string][]byte // whole new content by path
	Message  string
	By       Identity
	When     time.Time
}

// State is a pull request's state.
type State string

// The states of a pull request. A merged one is not also closed.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// PullRequest is a pull request whose head branch is in the repository
// itself, unless FromFork.
type PullRequest struct {
	Number   int64
	Author   string // login
	URL      string
	Title    string
	Body     string
	State    State
	Head     string // branch
	HeadSHA  string
	Base     string // branch
	FromFork bool
}

// NewPullRequest is a pull request to be opened from Head onto Base.
type NewPullRequest struct {
	Head, Base  string
	Title, Body string
	Labels      []string // created when the repository lacks them
}

// Edit says what of a pull request is to change; an empty field stays.
type Edit struct {
	Title, Body string
	State       State // Open or Closed
}

// Comment is a comment on a pull request or an issue.
type Comment struct {
	ID      int64
	Number  int64  // of the pull request or issue
	OnPull  bool   // it is a pull request
	Author  string // login
	Bot     bool   // the forge says that the author is no human
	Body    string
	URL     string
	Created time.Time
	Updated time.Time // of its text; Created when it was never edited
}
