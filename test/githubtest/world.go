package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nuobit/odyssey/internal/forge"
)

// account is a user, an organisation, or an App's bot.
type account struct {
	id    int64
	login string
	kind  string // "User", "Organization" or "Bot"
	token string // of a user
}

func (a *account) email() string {
	return fmt.Sprintf("%d+%s@users.noreply.github.com", a.id, a.login)
}

func (a *account) identity() forge.Identity { return forge.Identity{Name: a.login, Email: a.email()} }

// repository is one of the fake's. It is used under the server's lock.
type repository struct {
	id       int64
	name     forge.Name
	before   []forge.Name // it was called so
	private  bool
	archived bool
	fork     bool
	topics   []string
	git      store
	branches map[string]plumbing.Hash
	may      map[string]forge.Permission // by login, of who was given one
	items    []*item                     // issues and pull requests by number, from 1
	comments []*comment
	labels   []*label
	checks   []*check
	statuses []*status
	noAuto   bool   // merging by GitHub itself is not allowed
	required string // status that has to pass before a merge; "" none
	created  time.Time
	pushed   time.Time
	starts   []Dispatch
	acts     []*activity    // what happened to branches, the oldest first
	runs     []*workflowRun // the oldest first
}

// item is an issue or a pull request.
type item struct {
	number      int
	id          int64
	author      *account
	title, body string
	closed      bool
	labels      []*label
	created     time.Time
	pull        *pull
}

// pull is what a pull request has beside an issue.
type pull struct {
	head, base string
	from       *repository
	owner      *account // of from
	headSHA    plumbing.Hash
	baseSHA    plumbing.Hash
	merged     time.Time
	reviewers  []*account
	auto       *account // who had it merged once what is required has passed
	reviews    []*review
}

type label struct {
	id          int64
	name, color string
}

type comment struct {
	id               int64
	item             *item
	author           *account
	body             string
	created, updated time.Time
	reactions        []*reaction
}

type reaction struct {
	id      int64
	by      *account
	content string
	created time.Time
}

// check is a check run.
type check struct {
	id                 int64
	app                *App
	name, head         string
	status, conclusion string
	title, summary     string
	started, completed time.Time
}

// Dispatch is a repository_dispatch that was asked for.
type Dispatch struct {
	Event   string
	Payload map[string]any
}

// addRepo makes a repository without a commit.
func (s *Server) addRepo(name forge.Name) *repository {
	r := &repository{
		id: s.nextID(), name: name, git: newStore(), branches: map[string]plumbing.Hash{},
		may: map[string]forge.Permission{}, created: s.now(), pushed: s.now(),
	}
	s.repos = append(s.repos, r)
	return r
}

// repo finds a repository by its present name; old by one that it had.
func (s *Server) repo(owner, name string) (found *repository, old bool) {
	for _, r := range s.repos {
		if strings.EqualFold(r.name.Owner, owner) && strings.EqualFold(r.name.Name, name) {
			return r, false
		}
	}
	for _, r := range s.repos {
		if slices.Contains(r.before, forge.Name{Owner: owner, Name: name}) {
			return r, true
		}
	}
	return nil, false
}

// permission is what an account may do in a repository.
func (r *repository) permission(a *account) forge.Permission {
	most := r.may[a.login]
	if a.login == r.name.Owner {
		most = forge.MayAdminister
	}
	if !r.private && most == forge.MayNothing {
		most = forge.MayRead
	}
	return most
}

func (r *repository) item(number int) *item {
	if number < 1 || number > len(r.items) {
		return nil
	}
	return r.items[number-1]
}

func (r *repository) comment(id int64) *comment {
	for _, c := range r.comments {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (s *Server) newItem(r *repository, by *account, title, body string) *item {
	i := &item{number: len(r.items) + 1, id: s.nextID(), author: by, title: title, body: body, created: s.now()}
	r.items = append(r.items, i)
	return i
}

func (s *Server) say(r *repository, i *item, by *account, body string) *comment {
	c := &comment{id: s.nextID(), item: i, author: by, body: body, created: s.now(), updated: s.now()}
	r.comments = append(r.comments, c)
	return c
}

// react returns the reaction, and whether it is new.
func (s *Server) react(c *comment, by *account, content string) (*reaction, bool) {
	for _, r := range c.reactions {
		if r.by == by && r.content == content {
			return r, false
		}
	}
	made := &reaction{id: s.nextID(), by: by, content: content, created: s.now()}
	c.reactions = append(c.reactions, made)
	return made, true
}

// moveBranch puts a branch somewhere, deletes it at the zero commit, and does
// what that means for pull requests.
func (s *Server) moveBranch(r *repository, branch string, to plumbing.Hash, by *account) {
	before := r.branches[branch]
	r.record(branch, before, to, by, s.now(), s.nextID())
	if to.IsZero() {
		delete(r.branches, branch)
	} else {
		r.branches[branch] = to
	}
	r.pushed = s.now()
	s.tellPush(r, branch, before, to, by)
	for _, of := range s.repos { // a fork's branch is in the upstream's pull requests
		s.follow(of, r, branch, before, by)
	}
}

// follow does what a branch's move means for the open pull requests of a
// repository.
func (s *Server) follow(of, r *repository, branch string, before plumbing.Hash, by *account) {
	for _, i := range of.items {
		switch to := r.branches[branch]; {
		case i.pull == nil || i.closed || i.pull.from != r || i.pull.head != branch:
		case to.IsZero():
			i.pull.headSHA, i.closed = before, true
			s.tellPull(of, i, "closed", by)
		default:
			i.pull.headSHA = to
			s.tellPull(of, i, "synchronize", by)
		}
	}
}

// verified marks commits that the fake made for an App.
const verified = "-----BEGIN PGP SIGNATURE-----\n\nby the fake\n-----END PGP SIGNATURE-----\n"

// webFlow is who commits what is done on GitHub's pages or by an App.
func webFlow() forge.Identity { return forge.Identity{Name: "GitHub", Email: "noreply@github.com"} }

// change makes a commit on top of another one (zero: the first).
func (s *Server) change(r *repository, parent plumbing.Hash, files map[string]entry, message string, author, committer object.Signature, more ...plumbing.Hash) plumbing.Hash {
	var base plumbing.Hash
	var parents []plumbing.Hash
	if !parent.IsZero() {
		base, parents = r.git.commit(parent).TreeHash, []plumbing.Hash{parent}
	}
	return r.git.add(&object.Commit{
		Author: author, Committer: committer, Message: message, TreeHash: r.git.tree(base, files), ParentHashes: append(parents, more...),
	})
}

// merge merges a pull request by a merge commit.
func (s *Server) merge(r *repository, i *item, by *account) {
	head := r.branches[i.pull.head]
	if i.pull.from != r {
		head = i.pull.headSHA
	}
	before := map[string]entry{}
	if parents := r.git.commit(head).ParentHashes; len(parents) > 0 {
		before = r.git.files(r.git.commit(parents[0]).TreeHash)
	}
	changed := map[string]entry{}
	for path, file := range r.git.files(r.git.commit(head).TreeHash) {
		if before[path] != file {
			changed[path] = file
		}
	}
	message := fmt.Sprintf("Merge pull request #%d from %s/%s", i.number, i.pull.owner.login, i.pull.head)
	made := s.change(r, r.branches[i.pull.base], changed, message, sign(by.identity(), s.now()), sign(webFlow(), s.now()), head)
	i.pull.headSHA, i.pull.merged, i.closed = head, s.now(), true
	s.moveBranch(r, i.pull.base, made, by)
	s.tellPull(r, i, "closed", by)
}

func modeOf(text string) filemode.FileMode {
	if text == "" {
		return filemode.Regular
	}
	return must(filemode.New(text))
}
