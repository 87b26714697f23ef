package forgetest

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// File modes, as git writes them.
const (
	plain   = "100644"
	symlink = "120000"
)

// repository is one of a Fake's.
type repository struct {
	name     forge.Name
	commits  map[string]commit    // by object id
	branches map[string]string    // heads by name
	heads    map[string]time.Time // since when they are, by name
	pulls    []*pull              // the oldest first; they share their numbers with issues
	issues   []*issue
	comments []*comment // the oldest first
	ids      int64      // of comments so far
	topics   []string
	private  bool
	may      map[string]forge.Permission // by login, of all accounts
	changed  time.Time
	now      func() time.Time // in whole seconds
	robots   map[string]bool
	statuses []forge.Status // the oldest first
	required string         // status that has to pass before a merge; "" none
	runs     []*run         // of workflows, the oldest first
}

// commit is a commit with the whole tree below it.
type commit struct {
	Parent  string
	Files   map[string]File
	Message string
	By      forge.Identity
	When    time.Time
}

type pull struct {
	forge.PullRequest
	labels, reviewers []string
	opened            time.Time // nobody pushes to a fork after that
	automerge         bool
	against           []bool // newest reviews: whether they ask for changes
}

type issue struct {
	forge.Issue
	labels []string
}

type comment struct {
	forge.Comment
	reactions []reaction
}

type reaction struct {
	login string
	forge.Reaction
}

// newRepository is called under the fake's lock, and so are all methods of
// what it returns.
func (f *Fake) newRepository(name forge.Name) *repository {
	now := func() time.Time { return f.now().UTC().Truncate(time.Second) }
	return &repository{
		name: name, commits: map[string]commit{}, branches: map[string]string{}, heads: map[string]time.Time{}, changed: now(), now: now, robots: f.robots,
		may: map[string]forge.Permission{
			FakeHuman: forge.MayAdminister, name.Owner: forge.MayAdminister,
			FakeBot: forge.MayWrite, FakeStranger: forge.MayRead,
		},
	}
}

func (r *repository) url() string { return "https://forge.example.org/" + r.name.String() }

// add stores a commit under an id that depends on nothing but its content.
func (r *repository) add(c commit) string {
	c.When = c.When.UTC().Truncate(time.Second)
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // no field of a commit can fail
	}
	sum := sha1.Sum(text)
	sha := hex.EncodeToString(sum[:])
	r.commits[sha] = c
	return sha
}

// read returns a file's content, fs.ErrNotExist, or a *forge.FileError.
func (c commit) read(name string) ([]byte, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, &forge.FileError{Path: name, Reason: "is no path inside a repository"}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if c.Files[dir].Mode == symlink {
			return nil, &forge.FileError{Path: name, Reason: "is below what is a symbolic link"}
		}
	}
	if err := c.kind(name); err != nil {
		return nil, err
	}
	file, ok := c.Files[name]
	switch {
	case !ok:
		return nil, fs.ErrNotExist
	case len(file.Content) > forge.MaxFile:
		return nil, &forge.FileError{Path: name, Reason: "is larger than 2 MiB"}
	}
	return []byte(file.Content), nil
}

// kind returns an error for what exists but is no plain file.
func (c commit) kind(name string) error {
	if c.Files[name].Mode == symlink {
		return &forge.FileError{Path: name, Reason: "is a symbolic link"}
	}
	for other := range c.Files {
		if strings.HasPrefix(other, name+"/") {
			return &forge.FileError{Path: name, Reason: "is a directory"}
		}
	}
	return nil
}

var (
	shaRE    = regexp.MustCompile(`^[0-9a-f]{40}$`)
	branchRE = regexp.MustCompile(`^[\pL\pN_][\pL\pN_./+-]*$`)
)

func isSHA(s string) bool { return shaRE.MatchString(s) }

// change returns the commit that a driver is to push.
func (r *repository) change(c forge.Change) (commit, error) {
	switch {
	case !isSHA(c.BaseHead), c.Lease != "" && !isSHA(c.Lease):
		return commit{}, errors.New("a lease is no commit")
	case len(c.Files) == 0:
		return commit{}, errors.New("a change without files")
	case strings.ContainsAny(c.By.Name+c.By.Email, "<>\n"):
		return commit{}, fmt.Errorf("%q cannot be an author", c.By.Name)
	case !branchRE.MatchString(c.Branch) || strings.Contains(c.Branch, ".."):
		return commit{}, fmt.Errorf("%q cannot be a branch", c.Branch)
	case r.branches[c.Base] != c.BaseHead, r.branches[c.Branch] != c.Lease:
		return commit{}, forge.ErrLeaseLost
	}
	base := r.commits[c.BaseHead]
	made := commit{Parent: c.BaseHead, Files: maps.Clone(base.Files), Message: c.Message, By: c.By, When: c.When}
	for name, content := range c.Files {
		if err := base.writable(name); err != nil {
			return commit{}, err
		}
		made.Files[name] = File{Mode: modeOf(base.Files, name), Content: string(content)}
	}
	return made, nil
}

func modeOf(files map[string]File, name string) string {
	if file, ok := files[name]; ok {
		return file.Mode
	}
	return plain
}

// writable returns a *forge.FileError for a path that cannot be a file.
func (c commit) writable(name string) error {
	inGit := slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return strings.EqualFold(s, ".git") })
	if !fs.ValidPath(name) || inGit {
		return &forge.FileError{Path: name, Reason: "is no path inside a repository"}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := c.Files[dir]; ok {
			return &forge.FileError{Path: dir, Reason: "is no directory"}
		}
	}
	return c.kind(name)
}

// move puts a branch at a commit.
func (r *repository) move(branch, to string) {
	r.branches[branch], r.heads[branch], r.changed = to, r.now(), r.now()
}

func (r *repository) deleteBranch(branch string) {
	for _, pr := range r.pulls {
		if pr.State == forge.Open && !pr.FromFork && pr.Head == branch {
			pr.HeadSHA, pr.State = r.branches[branch], forge.Closed
		}
	}
	delete(r.branches, branch)
	r.changed = r.now()
}

func (r *repository) open(pr forge.PullRequest) *pull {
	pr.Number, pr.State = r.number(), forge.Open
	pr.URL = fmt.Sprintf("%s/pulls/%d", r.url(), pr.Number)
	made := &pull{PullRequest: pr, opened: r.now()}
	r.pulls = append(r.pulls, made)
	return made
}

// number is that of the next pull request or issue.
func (r *repository) number() int64 { return int64(len(r.pulls) + len(r.issues) + 1) }

func (r *repository) pull(number int64) (*pull, error) {
	for _, pr := range r.pulls {
		if pr.Number == number {
			return pr, nil
		}
	}
	return nil, forge.ErrNotFound
}

// show returns a pull request with its branch's present head.
func (r *repository) show(pr *pull) forge.PullRequest {
	got := pr.PullRequest
	if at, ok := r.branches[pr.Head]; ok && !pr.FromFork && pr.State != forge.Merged {
		got.HeadSHA = at
	}
	return got
}

func (r *repository) edit(pr *pull, edit forge.Edit) error {
	_, headExists := r.branches[pr.Head]
	switch {
	case edit.State == "":
	case edit.State != forge.Open && edit.State != forge.Closed:
		return fmt.Errorf("%q is no state to ask for", edit.State)
	case pr.State == forge.Merged:
		return fmt.Errorf("%w: it is merged", forge.ErrConflict)
	case edit.State == forge.Open && pr.State == forge.Closed && !pr.FromFork && !headExists:
		return fmt.Errorf("%w: its branch is gone", forge.ErrConflict)
	default:
		pr.HeadSHA = r.show(pr).HeadSHA
		pr.State = edit.State
	}
	if edit.Title != "" {
		pr.Title = edit.Title
	}
	if edit.Body != "" {
		pr.Body = edit.Body
	}
	return nil
}
