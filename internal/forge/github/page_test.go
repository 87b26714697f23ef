package github_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
)

// A caller who goes on from the last comment sees all there are, also those
// that are edited while the pages are read.
func TestManyCommentsLoseNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		comments, inSecond int // in how many seconds they were written
		edits              bool
	}{
		"none":            {0, 1, false},
		"one at a time":   {1100, 1, false},
		"some at once":    {1100, 7, false},
		"many at once":    {700, 250, false},
		"all at once":     {700, 1000, false},
		"edited meantime": {1100, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock atomic.Int64
			start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			now := func() time.Time { return start.Add(time.Duration(clock.Load()) * time.Second) }
			s := githubtest.New(t, githubtest.Options{Now: now})
			repo := forge.Repo{Name: forge.Name{Owner: "owner", Name: "image"}}
			s.AddRepo(repo.Name)
			human := s.As("owner", repo.Name)
			number := human.OpenIssue(t, "Talk", "")
			var ids []int64
			for i := range c.comments {
				clock.Store(int64(i / c.inSecond))
				ids = append(ids, human.Comment(t, number, "x"))
			}
			clock.Add(10)
			f, err := github.New(github.Options{API: s.URL, Token: secret.New(s.AddUser("bot")), HTTP: quick(), Wait: noWait})
			if err != nil {
				t.Fatal(err)
			}
			if c.edits {
				var asked atomic.Int64
				s.Intercept(func(*http.Request) *githubtest.Answer {
					clock.Add(1)
					human.EditComment(t, ids[asked.Add(1)-1], "y")
					return nil
				})
			}
			seen, _ := forgetest.CommentsSince(t, f, repo, start)
			for i, id := range ids {
				if !seen[id] {
					t.Errorf("comment %d of %d is lost", i+1, c.comments)
				}
			}
		})
	}
}
