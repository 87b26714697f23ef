package githubtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

// stranger is who was given nothing.
const stranger = "stranger"

// human is somebody at work on one repository, on GitHub's pages and with git.
type human struct {
	server *Server
	name   forge.Name
	login  string
}

// As returns somebody at work on a repository. The account is made if it is
// missing, and may do what it was given before.
func (s *Server) As(login string, name forge.Name) forgetest.Human {
	s.AddUser(login)
	s.AddUser(stranger)
	return human{s, name, login}
}

// do acts on the repository.
func (h human) do(t testing.TB, act func(*repository, *account) error) {
	t.Helper()
	var err error
	h.server.mustRepo(h.name, func(r *repository) { err = act(r, h.server.account(h.login)) })
	if err != nil {
		t.Fatal(err)
	}
}

func (h human) Login() string { return h.login }

func (human) Stranger() string { return stranger }

func (h human) Push(t testing.TB, commits ...forgetest.Commit) (heads []string) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		for _, c := range commits {
			heads = append(heads, h.server.push(r, r, by, c).String())
		}
		return nil
	})
	return heads
}

// push makes a commit on a branch of a repository, or of a fork of it, whose
// first commit is on main of the repository. Its message is unique, for git's
// whole seconds are long.
func (s *Server) push(r, upstream *repository, by *account, c forgetest.Commit) plumbing.Hash {
	parent, ok := r.branches[c.Branch]
	if !ok {
		parent = upstream.branches["main"]
	}
	if c.Amend {
		parent = r.git.commit(parent).ParentHashes[0]
	}
	files := map[string]entry{}
	for path, file := range c.Files {
		files[path] = entry{modeOf(file.Mode), r.git.blob([]byte(file.Content))}
	}
	author := c.By
	if author == (forge.Identity{}) {
		author = by.identity()
	}
	s.pushes++
	when := s.now().Add(time.Duration(s.pushes) * time.Second)
	made := s.change(r, parent, files, c.Message, sign(author, when), sign(author, when))
	s.moveBranch(r, c.Branch, made, by)
	return made
}

func (h human) DeleteBranch(t testing.TB, branch string) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		h.server.moveBranch(r, branch, plumbing.ZeroHash, by)
		return nil
	})
}

func (h human) Modes(t testing.TB, branch string) map[string]string {
	t.Helper()
	modes := map[string]string{}
	h.do(t, func(r *repository, _ *account) error {
		for path, file := range r.git.files(r.git.commit(r.branches[branch]).TreeHash) {
			modes[path] = fmt.Sprintf("%06o", uint32(file.mode))
		}
		return nil
	})
	return modes
}

// item acts on an issue or a pull request.
func (h human) item(t testing.TB, number int64, act func(*repository, *item, *account)) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		i := r.item(int(number))
		if i == nil {
			return fmt.Errorf("%s has no number %d", r.name, number)
		}
		act(r, i, by)
		return nil
	})
}

func (h human) Merge(t testing.TB, number int64) {
	t.Helper()
	h.item(t, number, func(r *repository, i *item, by *account) { h.server.merge(r, i, by) })
}

func (h human) Comment(t testing.TB, number int64, text string) (id int64) {
	t.Helper()
	h.item(t, number, func(r *repository, i *item, by *account) {
		c := h.server.say(r, i, by, text)
		h.server.tellComment(r, c, "created", by)
		id = c.id
	})
	return id
}

func (h human) Inspect(t testing.TB, number int64) (seen forgetest.Inspection) {
	t.Helper()
	h.item(t, number, func(_ *repository, i *item, _ *account) {
		for _, l := range i.labels {
			seen.Labels = append(seen.Labels, l.name)
		}
		if i.pull != nil {
			for _, a := range i.pull.reviewers {
				seen.Reviewers = append(seen.Reviewers, a.login)
			}
		}
	})
	slices.Sort(seen.Labels)
	slices.Sort(seen.Reviewers)
	return seen
}

// comment acts on a comment.
func (h human) comment(t testing.TB, id int64, act func(*repository, *comment, *account)) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		c := r.comment(id)
		if c == nil {
			return fmt.Errorf("%s has no comment %d", r.name, id)
		}
		act(r, c, by)
		return nil
	})
}

func (h human) EditComment(t testing.TB, id int64, text string) {
	t.Helper()
	h.comment(t, id, func(r *repository, c *comment, by *account) {
		c.body, c.updated = text, h.server.now()
		if !c.updated.After(c.created) {
			c.updated = c.created.Add(time.Second)
		}
		h.server.tellComment(r, c, "edited", by)
	})
}

func (h human) DeleteComment(t testing.TB, id int64) {
	t.Helper()
	h.comment(t, id, func(r *repository, gone *comment, by *account) {
		r.comments = slices.DeleteFunc(r.comments, func(c *comment) bool { return c == gone })
		h.server.tellComment(r, gone, "deleted", by)
	})
}

func (h human) React(t testing.TB, id int64, r forge.Reaction) {
	t.Helper()
	h.comment(t, id, func(_ *repository, c *comment, by *account) { h.server.react(c, by, string(r)) })
}

func (h human) Reactions(t testing.TB, id int64) (all []string) {
	t.Helper()
	h.comment(t, id, func(_ *repository, c *comment, _ *account) {
		for _, r := range c.reactions {
			all = append(all, r.by.login+" "+r.content)
		}
	})
	slices.Sort(all)
	return all
}

func (h human) OpenIssue(t testing.TB, title, text string) (number int64) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		i := h.server.newItem(r, by, title, text)
		h.server.tellIssue(r, i, "opened", by)
		number = int64(i.number)
		return nil
	})
	return number
}

func (h human) EditIssue(t testing.TB, number int64, edit forge.Edit) {
	t.Helper()
	h.item(t, number, func(r *repository, i *item, by *account) {
		if edit.Title != "" {
			i.title = edit.Title
		}
		if edit.Body != "" {
			i.body = edit.Body
		}
		if edit.State != "" {
			h.server.setState(r, i, edit.State == forge.Closed, by)
		}
	})
}

func (h human) Issues(t testing.TB) (all []forge.Issue) {
	t.Helper()
	h.do(t, func(r *repository, _ *account) error {
		for _, i := range r.items {
			if i.pull == nil {
				all = append(all, forge.Issue{
					Number: int64(i.number), Author: i.author.login, Title: i.title, Body: i.body, State: forge.State(state(i)),
					URL: fmt.Sprintf("%s/%s/issues/%d", h.server.web(), r.name, i.number),
				})
			}
		}
		return nil
	})
	return all
}

func (h human) SetPermission(t testing.TB, login string, p forge.Permission) {
	t.Helper()
	h.do(t, func(r *repository, _ *account) error {
		if p == forge.MayNothing {
			delete(r.may, login)
			return nil
		}
		r.may[login] = p
		return nil
	})
}

func (h human) SetTopics(t testing.TB, topics ...string) {
	t.Helper()
	h.do(t, func(r *repository, _ *account) error {
		r.topics = slices.Clone(topics)
		return nil
	})
}

func (h human) EmptyRepo(t testing.TB) forge.Name {
	t.Helper()
	name := forge.Name{Owner: h.name.Owner, Name: h.name.Name + "-empty"}
	h.do(t, func(r *repository, _ *account) error {
		made := h.server.addRepo(name)
		for login, may := range r.may {
			made.may[login] = may
		}
		for _, i := range h.server.installs() {
			if i.repos != nil && i.covers(r) {
				i.repos = append(i.repos, made)
			}
		}
		return nil
	})
	return name
}

func (h human) Rename(t testing.TB, name string) forge.Name {
	t.Helper()
	to := forge.Name{Owner: h.name.Owner, Name: name}
	h.do(t, func(r *repository, by *account) error {
		h.server.rename(r, to, by)
		return nil
	})
	return to
}

func (h human) ForkPullRequest(t testing.TB, branch string) (number int64) {
	t.Helper()
	h.do(t, func(r *repository, _ *account) error {
		by := h.server.account(stranger)
		name := forge.Name{Owner: stranger, Name: r.name.Name}
		fork, _ := h.server.repo(name.Owner, name.Name)
		if fork == nil {
			fork = h.server.addRepo(name)
			fork.git, fork.fork = r.git, true
		}
		head := h.server.push(fork, r, by, forgetest.Commit{
			Branch: branch, Message: "from outside", Files: map[string]forgetest.File{"outside": {Content: "o"}},
		})
		i := h.server.newItem(r, by, "from outside", "")
		i.pull = &pull{head: branch, base: "main", from: fork, owner: by, headSHA: head, baseSHA: r.branches["main"]}
		h.server.tellPull(r, i, "opened", by)
		number = int64(i.number)
		return nil
	})
	return number
}

// CommitInBrowser changes a file on a branch as somebody does on GitHub's
// pages, where GitHub commits and signs, and returns the commit.
func (s *Server) CommitInBrowser(login string, name forge.Name, branch, path, content string) (head string) {
	s.mustRepo(name, func(r *repository) {
		by := s.account(login)
		commit := r.git.commit(s.change(r, r.branches[branch], map[string]entry{path: {modeOf(""), r.git.blob([]byte(content))}},
			"Update "+path, sign(by.identity(), s.now()), sign(webFlow(), s.now())))
		commit.PGPSignature = verified
		made := r.git.add(commit)
		s.moveBranch(r, branch, made, by)
		head = made.String()
	})
	return head
}
