package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

const repos = `./odoo:
  remotes:
    odoo: https://github.com/odoo/odoo.git
    acme: https://git.example.org/acme/odoo.git
  target: odoo 17.0
  merges:
    - odoo 17.0
    - acme 17.0-fix
    - acme 17.0-docs
./oca/web:
  remotes: {oca: git@github.com:OCA/web.git}
  merges: [oca 17.0]
./oca/pos:
  remotes: {oca: git://git.example.org/pos.git}
  merges: [oca 17.0]
`

// upstreams is a lock.Resolver made of data: commits by "URL REF".
type upstreams struct {
	commits map[string]string
	failing map[string]error // by URL

	mu    sync.Mutex
	asked map[string]int // times each URL was asked
}

// newUpstreams numbers the refs that repos merges: the first is at commit 1.
func newUpstreams(t testing.TB, repos string) *upstreams {
	t.Helper()
	file, err := lock.Parse("repos.yaml", []byte(repos), gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	u := &upstreams{commits: map[string]string{}, failing: map[string]error{}, asked: map[string]int{}}
	for i := range file.Destinations {
		d := &file.Destinations[i]
		for _, m := range d.Merges {
			u.commits[d.Remote(m.Remote).URL+" "+m.Ref] = id(len(u.commits) + 1)
		}
	}
	return u
}

// id is the object id that begins with n.
func id(n int) string { return fmt.Sprintf("%07d", n) + tail }

var tail = strings.Repeat("f", 33)

// move gives refs, each "URL-PART REF", new commits: n and on.
func (u *upstreams) move(t testing.TB, n int, refs ...string) {
	t.Helper()
	for i, ref := range refs {
		key := slices.IndexFunc(slices.Sorted(maps.Keys(u.commits)), func(k string) bool { return strings.HasSuffix(k, ref) })
		if key < 0 {
			t.Fatalf("no upstream has %s", ref)
		}
		u.commits[slices.Sorted(maps.Keys(u.commits))[key]] = id(n + i)
	}
}

func (u *upstreams) Resolve(_ context.Context, url string, refs []string) (map[string]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked[url]++
	found := map[string]string{}
	for _, ref := range refs {
		if commit := u.commits[url+" "+ref]; commit != "" {
			found[ref] = commit
		}
	}
	return found, u.failing[url]
}

func (u *upstreams) Refs(context.Context, string) ([]string, error) {
	return []string{"17.0", "16.0"}, nil
}

// lock returns the lock that lock-repos would write.
func (u *upstreams) lock(t testing.TB, repos string) string {
	t.Helper()
	locked := lockOf(t, repos, u)
	clear(u.asked)
	return locked
}

// lockOf returns the lock that lock-repos would write with what upstreams have.
func lockOf(t testing.TB, repos string, upstreams lock.Resolver) string {
	t.Helper()
	file, err := lock.Parse("repos.yaml", []byte(repos), gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	next, err := lock.Update(t.Context(), file, &lock.File{}, lock.Refresh{}, upstreams, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := lock.Format(next)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// files are the files of a repository by name; an empty one does not exist.
func files(config, repos, locked string) map[string][]byte {
	all := map[string][]byte{}
	for name, content := range map[string]string{refresh.ConfigFile: config, refresh.ReposFile: repos, refresh.LockFile: locked} {
		if content != "" {
			all[name] = []byte(content)
		}
	}
	return all
}

func (u *upstreams) plan(t testing.TB, config, repos, locked string) *refresh.Plan {
	t.Helper()
	plan, err := refresh.Make(t.Context(), refresh.Input{Files: files(config, repos, locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: u})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// historian is a refresh.Historian made of data: histories by new commit.
type historian struct {
	histories map[string]git.History
	asked     []string // URLs, in order
}

func (h *historian) Histories(_ context.Context, url string, ranges []git.Range) ([]git.History, error) {
	h.asked = append(h.asked, url)
	var found []git.History
	for _, r := range ranges {
		history, ok := h.histories[r.New]
		if !ok {
			return nil, errors.New("no history of " + r.New)
		}
		found = append(found, history)
	}
	return found, nil
}

// listed is how many commits a history lists here; the real one has more.
const listed = 60

// history makes one of n commits by two people.
func history(n int) git.History {
	h := git.History{Ahead: n, Authors: min(n, 2)}
	for i := range min(n, listed) {
		h.Commits = append(h.Commits, git.Commit{
			ID: id(1000 + i), Author: []string{"Ana Prat", "Bram de Wit"}[i%2],
			Subject: fmt.Sprintf("[FIX] stock: number %d", n-i), When: time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC),
		})
	}
	return h
}
