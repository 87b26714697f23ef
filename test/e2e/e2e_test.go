// Package e2e runs odyssey-bot, the program, against a real Gitea.
package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/world"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "odyssey-e2e-")
	if err != nil {
		panic(err)
	}
	binary = sync.OnceValues(func() (string, error) { return world.Build(context.Background(), dir, "failpoint") })
	var database *postgrestest.Server
	postgres = sync.OnceValues(func() (*postgrestest.Server, error) {
		var err error
		database, err = postgrestest.Start(context.Background(), os.TempDir())
		return database, err
	})
	code := giteatest.Main(m, giteatest.Options{Config: giteatest.Actions})
	if database != nil {
		database.Stop()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds odyssey-bot once for all tests.
var binary func() (string, error)

// postgres starts a PostgreSQL once for all tests.
var postgres func() (*postgrestest.Server, error)

var worlds struct {
	sync.Mutex
	count int
}

// stage is a world with its scene, and short ways to use it that end the test
// on a fault of the set-up.
type stage struct {
	*world.World
	t     *testing.T
	repos string
	proxy *world.Proxy
}

// newStage makes a world in which the bot reaches the forge through a proxy.
func newStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel()
	server := giteatest.New(t)
	program, err := binary()
	must(t, err)
	worlds.Lock()
	worlds.count++
	prefix := fmt.Sprintf("w%d-", worlds.count)
	worlds.Unlock()
	w, err := world.New(t.Context(), server, program, t.TempDir(), prefix)
	must(t, err)
	proxy, err := world.NewProxy(server.URL)
	must(t, err)
	t.Cleanup(proxy.Close)
	w.ForgeURL = proxy.URL
	s := &stage{World: w, t: t, proxy: proxy}
	s.repos, err = w.Scene(t.Context())
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) grow(name, branch string, subjects ...string) string {
	s.t.Helper()
	var commits []world.Subject
	for _, text := range subjects {
		commits = append(commits, world.Subject{Author: "Ana Prat <ana@example.org>", Text: text})
	}
	head, err := s.Grow(s.t.Context(), name, branch, commits...)
	must(s.t, err)
	return head
}

func (s *stage) commit(message string, files map[string]string) {
	s.t.Helper()
	_, err := s.Commit(s.t.Context(), message, files)
	must(s.t, err)
}

// run runs the bot, which must succeed, and returns the outcomes.
func (s *stage) run(args ...string) []bot.Outcome {
	s.t.Helper()
	outcomes, stderr, err := s.Run(s.t.Context(), args...)
	if err != nil {
		s.t.Fatalf("run: %v\n%s", err, stderr)
	}
	return outcomes
}

// wantRun runs the bot and compares "group action" of its outcomes.
func (s *stage) wantRun(want ...string) []bot.Outcome {
	s.t.Helper()
	outcomes := s.run()
	var got []string
	for _, o := range outcomes {
		got = append(got, strings.TrimSpace(o.Group+" "+string(o.Action)))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		s.t.Fatalf("run: got %v, want %v\n%+v", got, want, outcomes)
	}
	return outcomes
}

func (s *stage) pullRequests(state string) []world.PullRequest {
	s.t.Helper()
	prs, err := s.PullRequests(s.t.Context(), state)
	must(s.t, err)
	return prs
}

// one returns the only open pull request.
func (s *stage) one() world.PullRequest {
	s.t.Helper()
	prs := s.pullRequests("open")
	if len(prs) != 1 {
		s.t.Fatalf("%d pull requests are open, want 1", len(prs))
	}
	return prs[0]
}

func (s *stage) diff(number int64) string {
	s.t.Helper()
	diff, err := s.Diff(s.t.Context(), number)
	must(s.t, err)
	return diff
}

func (s *stage) api(method, path string, in, out any) {
	s.t.Helper()
	must(s.t, s.API(s.t.Context(), method, path, in, out))
}

func (s *stage) closePullRequest(number int64) {
	s.t.Helper()
	s.api(http.MethodPatch, fmt.Sprintf("/pulls/%d", number), map[string]string{"state": "closed"}, nil)
}

// merge merges a pull request; Gitea asks to try again until it has looked at
// it.
func (s *stage) merge(number int64) {
	s.t.Helper()
	var err error
	for range 600 {
		err = s.API(s.t.Context(), http.MethodPost, fmt.Sprintf("/pulls/%d/merge", number), map[string]string{"Do": "merge"}, nil)
		if err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal(err)
}

// branches lists the bot's branches and their heads.
func (s *stage) branches() map[string]string {
	s.t.Helper()
	var list []struct {
		Name   string
		Commit struct{ ID string }
	}
	s.api(http.MethodGet, "/branches?limit=50", nil, &list)
	heads := map[string]string{}
	for _, b := range list {
		if strings.HasPrefix(b.Name, "odyssey/") {
			heads[b.Name] = b.Commit.ID
		}
	}
	return heads
}

// file reads a file of the derived-image repository at a ref.
func (s *stage) file(ref, path string) string {
	s.t.Helper()
	var b strings.Builder
	must(s.t, s.Server.API(s.t.Context(), s.Owner, http.MethodGet, "/repos/"+s.Image+"/contents/"+path+"?ref="+ref, nil, &contents{&b}))
	return b.String()
}

// writes lists the writing calls that passed the proxy since the last Forget.
func (s *stage) writes() []world.Call {
	var calls []world.Call
	for _, c := range s.proxy.Calls() {
		if c.Writes() {
			calls = append(calls, c)
		}
	}
	return calls
}

func (s *stage) path(name string) string { return filepath.Join(s.Dir, name) }

// changed returns the added and removed lines of a diff.
func changed(diff string) (lines []string) {
	for line := range strings.Lines(diff) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}
