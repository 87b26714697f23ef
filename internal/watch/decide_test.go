package watch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/watch"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	known := &watch.Watched{Subject: "main:acme/a", DefaultBranch: "main"}
	fresh := &watch.Watched{Subject: "main:acme/a"}
	merges, sweep, commands := []string{"main:acme/a merges"}, []string{"main: sweep"}, []string{"main:acme/a commands 7"}
	comment := func(change func(c *forge.Comment)) forge.Event {
		at := monday()
		c := forge.Comment{ID: 7, Number: 3, Author: "alice", Body: "/refresh", Created: at, Updated: at}
		if change != nil {
			change(&c)
		}
		return forge.Event{Kind: forge.EventComment, Sender: c.Author, Comment: c}
	}
	push := func(sender, branch string) forge.Event {
		return forge.Event{Kind: forge.EventPush, Sender: sender, Branch: branch, Head: "h"}
	}
	pull := func(sender, branch string) forge.Event {
		return forge.Event{Kind: forge.EventPullRequest, Sender: sender, Branch: branch}
	}
	issue := func(sender, author string) forge.Event {
		return forge.Event{Kind: forge.EventIssue, Sender: sender, Author: author, Number: 4}
	}
	repository := forge.Event{Kind: forge.EventRepository, Sender: "alice"}
	for _, test := range []struct {
		name     string
		event    forge.Event
		watched  *watch.Watched
		discover bool
		want     []string
	}{
		{"ping", forge.Event{Kind: forge.EventPing}, known, true, nil},
		{"something else", forge.Event{Kind: forge.EventIgnored}, known, true, nil},

		{"push", push("alice", "main"), known, false, merges},
		{"push by the bot", push("Bot", "main"), known, false, merges},
		{"push to another branch", push("alice", "feature"), known, false, nil},
		{"push to a bot's branch", push("bot", "odyssey/merge/odoo"), known, false, nil},
		{"tag", push("alice", ""), known, false, nil},
		{"push, default branch unknown", push("alice", "18.0"), fresh, false, merges},
		{"push to a bot's branch, default branch unknown", push("bot", "odyssey/merge/odoo"), fresh, false, nil},
		{"tag, default branch unknown", push("alice", ""), fresh, false, nil},

		{"bot's pull request closed", pull("alice", "odyssey/merge/odoo"), known, false, merges},
		{"bot's pull request closed by the bot", pull("BOT", "odyssey/merge/odoo"), known, false, nil},
		{"somebody's pull request", pull("alice", "feature"), known, false, nil},
		{"pull request of a fork", pull("alice", ""), known, false, nil},

		{"command", comment(nil), known, false, commands},
		{"command in another line", comment(func(c *forge.Comment) { c.Body = "please\n/hold ./odoo" }), known, false, commands},
		{"a slip of the finger", comment(func(c *forge.Comment) { c.Body = "/refesh" }), known, false, commands},
		{"no command", comment(func(c *forge.Comment) { c.Body = "see /refresh" }), known, false, nil},
		{"quoted command", comment(func(c *forge.Comment) { c.Body = "> /refresh" }), known, false, nil},
		{"path", comment(func(c *forge.Comment) { c.Body = "/etc/passwd" }), known, false, nil},
		{"command by the bot", comment(func(c *forge.Comment) { c.Author = "bot" }), known, false, nil},
		{"command by a bot", comment(func(c *forge.Comment) { c.Bot = true }), known, false, nil},
		{"edited command", comment(func(c *forge.Comment) { c.Updated = c.Updated.Add(time.Second) }), known, false, nil},

		{"renamed", repository, known, false, sweep},

		{"bot's issue closed", issue("alice", "Bot"), known, false, merges},
		{"bot's issue closed by the bot", issue("BOT", "bot"), known, false, nil},
		{"somebody's issue", issue("alice", "alice"), known, false, nil},
		{"issue of an unwatched repository", issue("alice", "bot"), nil, true, nil},
		{"check to be made again", forge.Event{Kind: forge.EventRerun, Sender: "alice"}, known, false, merges},
		{"check of an unwatched repository", forge.Event{Kind: forge.EventRerun, Sender: "alice"}, nil, true, nil},
		{"workflow", forge.Event{Kind: forge.EventWorkflow, Sender: "alice", Branch: "main"}, known, true, nil},

		{"unwatched", push("alice", "main"), nil, false, nil},
		{"unwatched command", comment(nil), nil, false, nil},
		{"unwatched repository", repository, nil, false, nil},
		{"perhaps to be discovered", push("alice", "x"), nil, true, sweep},
		{"command, perhaps to be discovered", comment(nil), nil, true, sweep},
		{"new repository", repository, nil, true, sweep},
		{"ping of a new one", forge.Event{Kind: forge.EventPing}, nil, true, nil},
	} {
		if diff := cmp.Diff(test.want, watch.Decide(test.event, "bot", test.watched, test.discover)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestAccept: an event is accepted once, whatever the case of its names, and
// its item tells the bot what it needs.
func TestAccept(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	c := s.comment("/refresh <<<")
	e := commentEvent("a", c)
	e.Repo, e.Head = forge.Name{Owner: "ACME", Name: "A"}, "abc"
	accept(t, w, e, true)
	accept(t, w, e, false)
	long := e
	long.Comment.ID, long.Comment.Body, long.Delivery = 99, "/refresh\n"+strings.Repeat("<", 20_000), ""
	accept(t, w, long, true)
	got := map[string]string{}
	work(t, s, func(job queue.Job) {
		for _, it := range job.Items {
			c := item(t, queue.Request{Item: &it})
			got[job.Subject+" "+it.ID] = fmt.Sprint(c.Comment, c.Number, c.Author, c.Body, c.Head, c.Created.Equal(s.Now()))
		}
	})
	want := map[string]string{
		fmt.Sprintf("main:acme/a %d", c.ID): fmt.Sprint(c.ID, c.Number, "human", "/refresh <<<", "abc", true),
		"main:acme/a 99":                    fmt.Sprint(int64(99), c.Number, "human", "", "abc", true),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := w.Accept(t.Context(), "other", e); err == nil {
		t.Error("accepted an event of a forge that is not configured")
	}
}

// TestAccept_several: an App that was installed somewhere is worth a sweep, also
// where repositories are only listed, and each time anew.
func TestAccept_several(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.watcher(s.listed(), nil)
	for i := range 2 {
		accept(t, w, forge.Event{Kind: forge.EventRepository, Type: "installation", Delivery: fmt.Sprint("d", i), Sender: "alice"}, true)
		got := jobs(t, s, queue.Waiting)
		if len(got) != 1 || got[0].Kind != watch.Sweep {
			t.Fatalf("waiting: %+v", got)
		}
		if err := s.queue.Cancel(t.Context(), got[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, w, forge.Event{Kind: forge.EventPing, Delivery: "p"}, false)
	if got := jobs(t, s, queue.Waiting); len(got) != 0 {
		t.Errorf("waiting: %+v", got)
	}
}

// TestDiscovery: a repository is found by its first event, and left when it
// is found no more; another process sees both.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a", "b", "c")
	s.human["a"].SetTopics(t, "odyssey")
	f := s.listed()
	f.Repositories, f.Discover = []string{"acme/C"}, []config.Discovery{{Owner: "acme", Topic: "odyssey"}}
	w, other := s.watcher(f, nil), s.watcher(f, nil)
	s.set(monday().Add(time.Hour))
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/C", "main:acme/a"}, subjects(w)); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
	drain(t, s)
	e := pushEvent("b", "1", "h")
	accept(t, w, e, true)
	if got := jobs(t, s, queue.Waiting); len(got) != 1 || got[0].Kind != watch.Sweep {
		t.Errorf("waiting: %+v", got)
	} else if err := s.queue.Cancel(t.Context(), got[0].ID); err != nil { // it waits for more
		t.Fatal(err)
	}
	for i := range 5 { // asked about just now
		e.Delivery = fmt.Sprint("again", i)
		accept(t, w, e, false)
	}
	if got := jobs(t, s, queue.Waiting); len(got) != 0 {
		t.Errorf("waiting: %+v", got)
	}
	e.Delivery, e.Kind = "made", forge.EventRepository
	accept(t, w, e, true)
	if got := jobs(t, s, queue.Waiting); len(got) != 1 {
		t.Errorf("waiting: %+v", got)
	}
	s.human["b"].SetTopics(t, "odyssey")
	s.human["a"].SetTopics(t)
	s.human["c"].SetTopics(t, "odyssey")
	s.sweep(w)
	stop := s.run(other)
	s.pass(t, s.Now(), 0)
	stop()
	for _, w := range []*watch.Watcher{w, other} {
		if diff := cmp.Diff([]string{"main:acme/C", "main:acme/b"}, subjects(w)); diff != "" {
			t.Errorf("watched (-want +got):\n%s", diff)
		}
	}
	// A query that fails takes nothing away.
	s.fake.FailBefore(func(method string) error {
		if method == "Repositories" {
			return forge.ErrTransient
		}
		return nil
	})
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/C", "main:acme/b"}, subjects(w)); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
	// Discovered again, it is seen for the first time.
	s.fake.FailBefore(nil)
	s.set(s.Now().Add(25 * time.Hour))
	s.human["a"].SetTopics(t, "odyssey")
	s.queue.asked()
	s.sweep(w)
	if diff := cmp.Diff([]string{"main:acme/a merges"}, s.queue.asked()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// TestNew_errors: what cannot be a name is refused.
func TestNew_errors(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for name, sources := range map[string][]watch.Source{
		"no name":    {{Config: config.Forge{Name: "a", Repositories: []string{"x"}}}},
		"colon":      {{Config: config.Forge{Name: "a:b"}}},
		"same twice": {{Config: config.Forge{Name: "a"}}, {Config: config.Forge{Name: "a"}}},
	} {
		if _, err := watch.New(watch.Options{Queue: s.queue, Sources: sources}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := watch.New(watch.Options{}); err == nil {
		t.Error("no queue: no error")
	}
}

func subjects(w *watch.Watcher) (out []string) {
	for _, r := range w.Repositories() {
		out = append(out, r.Subject)
	}
	return out
}

// A push to a mirror has the repository's merges looked at that locks it.
func TestAccept_follower(t *testing.T) {
	t.Parallel()
	for branch, want := range map[string][]string{
		"": {"main:acme/a merges", "main:acme/b merges"}, "main": {"main:acme/a merges", "main:acme/b merges"}, "17.0": {"main:acme/b merges"},
	} {
		s := newScene(t, "a", "b")
		w := s.watcher(s.listed(), func(o *watch.Options) {
			o.Followers = []watch.Follower{{Forge: "main", Repo: forge.Name{Owner: "ACME", Name: "b"}, Branch: branch, Subject: "main:acme/a"}}
		})
		s.sweep(w)
		drain(t, s)
		accept(t, w, pushEvent("b", "1", "h"), true)
		var got []string
		for _, job := range jobs(t, s, queue.Waiting) {
			got = append(got, job.Subject+" "+job.Kind)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("following %q (-want +got):\n%s", branch, diff)
		}
		drain(t, s)
		s.set(s.Now().Add(time.Hour))
		s.human["b"].Push(t, forgetest.Commit{Branch: "main", Message: "missed", Files: map[string]forgetest.File{"x": {Content: "x"}}})
		s.sweep(w)
		if !slices.ContainsFunc(jobs(t, s, queue.Waiting), func(j queue.Info) bool { return j.Subject == "main:acme/a" && j.Kind == watch.Merges }) {
			t.Error("a sweep that found the push did not ask for the follower's merges")
		}
	}
}

// A box that somebody ticks in the bot's issue is a command of his; what he
// edits otherwise is none, nor what the bot itself writes.
func TestDecide_ticks(t *testing.T) {
	t.Parallel()
	const box = " <!-- odyssey do: /hold ./odoo --> hold ./odoo"
	edit := func(sender, before, after string) forge.Event {
		return forge.Event{Kind: forge.EventIssue, Sender: sender, Author: "bot", Number: 4, Delivery: "d-1", Before: before, Text: after}
	}
	watched := &watch.Watched{Subject: "main:acme/a", DefaultBranch: "main"}
	for _, test := range []struct {
		name  string
		event forge.Event
		want  []string // what is ticked
	}{
		{"ticked", edit("alice", "- [ ]"+box, "- [x]"+box), []string{"/hold ./odoo"}},
		{"unticked", edit("alice", "- [x]"+box, "- [ ]"+box), nil},
		{"ticked by another before", edit("alice", "- [x]"+box, "- [x]"+box+" more"), nil},
		{"by the bot", edit("Bot", "- [ ]"+box, "- [x]"+box), nil},
		{"no edit of the text", edit("alice", "", ""), nil},
	} {
		var got []string
		for _, r := range watch.DecideRequests(test.event, "bot", watched) {
			if r.Kind == watch.Commands {
				told := item(t, r)
				got = append(got, told.Ticked...)
				if told.Number != 4 || told.Author != "alice" || told.Comment != 0 || r.Item.ID != "issue 4 d-1" {
					t.Errorf("%s: %+v", test.name, told)
				}
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
