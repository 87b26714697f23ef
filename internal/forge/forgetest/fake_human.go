package forgetest

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// fakeHuman is somebody at work on one repository of a Fake.
type fakeHuman struct {
	fake  *Fake
	repo  forge.Name
	login string
}

func (h fakeHuman) Login() string { return h.login }

func (h fakeHuman) do(t testing.TB, act func(*repository) error) {
	t.Helper()
	if err := h.fake.run(h.repo, act); err != nil {
		t.Fatal(err)
	}
}

func (h fakeHuman) Push(t testing.TB, commits ...Commit) []string {
	t.Helper()
	var heads []string
	h.do(t, func(r *repository) error {
		for _, c := range commits {
			heads = append(heads, r.push(c, h.login))
		}
		return nil
	})
	return heads
}

// push makes a human's commit. Its time is unique, as it is in life.
func (r *repository) push(c Commit, login string) string {
	parent, ok := r.branches[c.Branch]
	if !ok {
		parent = r.branches["main"]
	}
	if c.Amend {
		parent = r.commits[parent].Parent
	}
	made := commit{
		Parent: parent, Files: maps.Clone(r.commits[parent].Files), Message: c.Message, By: c.By,
		When: time.Unix(int64(len(r.commits)), 0),
	}
	if made.Files == nil {
		made.Files = map[string]File{}
	}
	if made.By == (forge.Identity{}) {
		made.By = forge.Identity{Name: login, Email: login + "@example.org"}
	}
	for name, file := range c.Files {
		if file.Mode == "" {
			file.Mode = plain
		}
		made.Files[name] = file
	}
	r.move(c.Branch, r.add(made))
	return r.branches[c.Branch]
}

func (h fakeHuman) DeleteBranch(t testing.TB, branch string) {
	t.Helper()
	h.do(t, func(r *repository) error {
		r.deleteBranch(branch)
		return nil
	})
}

func (h fakeHuman) Modes(t testing.TB, branch string) map[string]string {
	t.Helper()
	modes := map[string]string{}
	h.do(t, func(r *repository) error {
		for name, file := range r.commits[r.branches[branch]].Files {
			modes[name] = file.Mode
		}
		return nil
	})
	return modes
}

func (h fakeHuman) Merge(t testing.TB, number int64) {
	t.Helper()
	h.do(t, func(r *repository) error {
		pr, err := r.pull(number)
		if err != nil {
			return err
		}
		head := r.commits[r.branches[pr.Head]]
		before := r.commits[head.Parent].Files
		changed := map[string]File{}
		for name, file := range head.Files {
			if before[name] != file {
				changed[name] = file
			}
		}
		pr.HeadSHA = r.branches[pr.Head]
		r.push(Commit{Branch: pr.Base, Message: "Merge " + pr.Head, Files: changed}, h.login)
		pr.State = forge.Merged
		return nil
	})
}

func (h fakeHuman) EmptyRepo(testing.TB) forge.Name {
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	name := forge.Name{Owner: h.repo.Owner, Name: h.repo.Name + "-empty"}
	h.fake.repos[name] = h.fake.newRepository(name)
	return name
}

func (h fakeHuman) Rename(t testing.TB, name string) forge.Name {
	t.Helper()
	to := forge.Name{Owner: h.repo.Owner, Name: name}
	h.do(t, func(r *repository) error {
		delete(h.fake.repos, r.name)
		h.fake.repos[to], h.fake.moved[r.name] = r, to
		r.name = to
		return nil
	})
	return to
}

func (h fakeHuman) ForkPullRequest(t testing.TB, branch string) (number int64) {
	t.Helper()
	h.do(t, func(r *repository) error {
		pr := r.open(forge.PullRequest{
			Author: FakeStranger, Title: "from outside", Head: branch, Base: "main", FromFork: true,
			HeadSHA: strings.Repeat("f0", 20),
		})
		number = pr.Number
		return nil
	})
	return number
}
