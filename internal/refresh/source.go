package refresh

import (
	"context"
	"slices"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/lock"
)

// The kinds of refresh beside Merges. They are also the names of their blocks
// in the policy, and of the jobs that make them.
const (
	// Base moves the images that Dockerfiles build on.
	Base Kind = "base"
	// Python resolves requirements.lock.txt anew.
	Python Kind = "python"
	// Enterprise brings the private mirror of Odoo Enterprise up to date.
	Enterprise Kind = "enterprise"
)

// Kinds lists the kinds of refresh that a policy has, a schedule asks for, and
// people name.
func Kinds() []Kind { return []Kind{Merges, Base, Python, Enterprise} }

// IsKind reports whether a name is that of one of Kinds.
func IsKind(name string) bool { return slices.Contains(Kinds(), Kind(name)) }

// Tree reads the files of the commit that a refresh is made for.
type Tree interface {
	// Paths lists all files.
	Paths(ctx context.Context) ([]string, error)
	// Files reads files; those that do not exist are absent.
	Files(ctx context.Context, paths []string) (map[string][]byte, error)
}

// Repository is what a Source makes its drafts for.
type Repository struct {
	Name      string // OWNER/NAME; "" of a checkout
	Policy    config.Repo
	Tree      Tree
	Workflows Workflows     // nil: of a checkout
	Lookup    lock.Resolver // what the run has asked before it does not ask again
	Commands  bool          // the texts name the commands that a comment may give
	Scheduled bool          // it is time for it
	Named     bool          // a command names the kind
	Demanded  bool          // somebody waits for it: what is done now and then is done now
}

// Source makes refreshes of a kind. There may be several of a kind: they share
// its policy and its jobs, and each keeps its own pull requests.
type Source interface {
	Kind() Kind
	// Mine reports whether a branch may be one of the source's drafts. No two
	// sources have one in common.
	Mine(branch string) bool
	// Offer says what should be proposed. Faults of the repository's files are
	// *yamldoc.Error or *forge.FileError.
	Offer(ctx context.Context, r Repository) (Offer, error)
}

// Offer is what a source proposes for a repository.
type Offer struct {
	Drafts []Draft
	// Idle says why there is no draft, when there is none: "every base image is
	// at the newest tag of its line". "" when the source has no part in the
	// repository.
	Idle string
	// Waiting says of branches without a draft why their pull requests stay
	// open: what they propose is being made anew, for example. "" needs no word.
	Waiting map[string]string
	// Gone says of branches without a draft why their pull requests are closed,
	// as Markdown; without a word, that nothing is left to propose.
	Gone map[string]string
	// Held says of groups without a draft why there is none, for people to see.
	Held []Held
	// Passing is what kept some groups from being looked at, and may pass: the
	// drafts of the others are proposed, and then all is asked again.
	Passing error
	// Dispatch is a run of a workflow that should be started, whose result a later
	// Offer has; nil: none.
	Dispatch *Dispatch
	// Spent are branches, with their heads, of which nobody needs anything once
	// the drafts are proposed.
	Spent map[string]string
}

// Held is something that is not proposed.
type Held struct {
	Group, Reason string
	At            Pull // a page that says more; zero: none
	UnderWay      bool // it is being made
}

// Draft is one pull request that should exist.
type Draft struct {
	Group  string // what it is about, for people: "base"
	Branch string
	Dest   string // the destination that it is about, which may be held; "" when it is about none
	Target string // digest of what it leads to, hexadecimal SHA-256: a pull request that was closed is not proposed again while it is the same
	Files  []File
	Newer  string   // what brings it back once it was closed: "a newer image"
	List   []string // what it leads to, a line each, as Markdown
	// Describe writes the text. Its Message ends with a line of Trailer and
	// Target.
	Describe func(ctx context.Context) (Text, error)
}

// File is a file of a repository as it is and as it is proposed.
type File struct {
	Path     string
	Old, New []byte
}
