package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// patience is how long the bot may take for what it does of itself.
const patience = 3 * time.Minute

// eventually waits until what returns "" and ends the test with what it
// returns if it does not.
func eventually(t *testing.T, what func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		missing := what()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(missing)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *stage) eventually(what func() string) {
	s.t.Helper()
	eventually(s.t, what)
}

// serve starts the bot and has the forge tell it of events.
func (s *stage) serve(o world.ServeOptions) *world.Server {
	s.t.Helper()
	server := s.Serve(s.t, o)
	must(s.t, s.Hook(s.t.Context(), server.Webhooks))
	return server
}

// talk is an issue to give commands in.
type talk struct {
	*stage
	number int64
}

type comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User struct {
		Login string `json:"login"`
	} `json:"user"`
}

func (s *stage) talk() talk {
	s.t.Helper()
	var issue struct{ Number int64 }
	s.api(http.MethodPost, "/issues", map[string]string{"title": "Talk to the bot"}, &issue)
	return talk{s, issue.Number}
}

// say comments as a user.
func (k talk) say(who giteatest.User, text string) comment {
	k.t.Helper()
	var made comment
	path := fmt.Sprintf("/repos/%s/issues/%d/comments", k.Image, k.number)
	must(k.t, k.Server.API(k.t.Context(), who, http.MethodPost, path, map[string]string{"body": text}, &made))
	return made
}

// replies are the bot's comments.
func (k talk) replies() (replies []comment) {
	k.t.Helper()
	var all []comment
	k.api(http.MethodGet, fmt.Sprintf("/issues/%d/comments", k.number), nil, &all)
	for _, c := range all {
		if c.User.Login == k.Bot.Login {
			replies = append(replies, c)
		}
	}
	return replies
}

// reactions are the bot's on a comment, sorted.
func (k talk) reactions(c comment) (names []string) {
	k.t.Helper()
	var all []struct {
		Content string `json:"content"`
		User    struct {
			Login string `json:"login"`
		} `json:"user"`
	}
	k.api(http.MethodGet, fmt.Sprintf("/issues/comments/%d/reactions", c.ID), nil, &all)
	for _, r := range all {
		if r.User.Login == k.Bot.Login {
			names = append(names, r.Content)
		}
	}
	slices.Sort(names)
	return names
}

// ends waits for the last reaction to a comment.
func (k talk) ends(c comment, reaction string) {
	k.t.Helper()
	k.eventually(func() string {
		if got := k.reactions(c); !slices.Contains(got, reaction) {
			return fmt.Sprintf("the reactions to %q are %v, without %s", c.Body, got, reaction)
		}
		return ""
	})
}

// A writer's command gives a reaction, a pull request and a last reaction.
func TestServe_commandByWriter(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	said := k.say(s.Owner, "Let us have it.\n\n/refresh ./odoo\n")
	k.ends(said, "rocket")
	if pr := s.one(); !strings.Contains(pr.Title, "./odoo") {
		t.Errorf("the pull request is %q", pr.Title)
	}
	if replies := k.replies(); len(replies) > 1 {
		t.Errorf("the bot says %d things: %+v", len(replies), replies)
	}
	metrics, err := server.Get(t.Context(), "/metrics")
	must(t, err)
	for _, name := range []string{
		`odyssey_deliveries_total{event="comment",forge="gitea",result="accepted"}`, "odyssey_git_received_bytes_total",
		`odyssey_forge_calls_total{code="200",forge="gitea",method="GET"}`, `odyssey_job_duration_seconds_count{kind="commands",result="done"}`,
		`odyssey_sweep_duration_seconds_count{forge="gitea"}`,
	} {
		at := strings.Index(metrics, "\n"+name+" ")
		if at < 0 {
			t.Errorf("there is no metric %s in\n%s", name, metrics)
			continue
		}
		value, _, _ := strings.Cut(metrics[at+len(name)+2:], "\n")
		if n, err := strconv.ParseFloat(value, 64); err != nil || n <= 0 {
			t.Errorf("%s is %s", name, value)
		}
	}
}

// S3: the same by who may only read is refused with a word, and an edited or
// quoted command is none. What a person has closed shows it: a command opens it
// again, and nothing else does.
func TestFault_S3_CommandByReader(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.serve(world.ServeOptions{})
	k := s.talk()
	s.eventually(func() string {
		if len(s.pullRequests("open")) != 1 {
			return "no pull request is opened"
		}
		return ""
	})
	s.closePullRequest(s.one().Number)
	closed := func(after string) {
		t.Helper()
		if prs := s.pullRequests("open"); len(prs) != 0 {
			t.Errorf("%s opened %+v", after, prs)
		}
	}
	quoted := k.say(s.Owner, "> /refresh ./odoo\n\n```\n/refresh ./odoo\n```\n")
	said := k.say(s.Upstream, "/refresh ./odoo")
	k.ends(said, "confused")
	replies := k.replies() // the reaction comes after the reply
	if len(replies) != 1 || !strings.Contains(replies[0].Body, "who may write") {
		t.Errorf("the bot says %+v", replies)
	}
	closed("a reader")
	if got := k.reactions(quoted); len(got) > 0 {
		t.Errorf("reactions to a quotation: %v", got)
	}
	edited := k.say(s.Owner, "Hm.")
	s.api(http.MethodPatch, fmt.Sprintf("/issues/comments/%d", edited.ID), map[string]string{"body": "/refresh ./odoo"}, nil)
	k.ends(k.say(s.Owner, "/help"), "rocket") // what came before has been treated
	closed("an edited comment")
	k.ends(k.say(s.Owner, "/refresh ./odoo"), "rocket")
	s.one()
}

// A held destination stays where it is, over a restart that forgets the store,
// until it is released.
func TestServe_holdSurvivesRestart(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	k.ends(k.say(s.Owner, "/hold ./odoo"), "rocket")
	server.Kill()
	s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://"), Store: s.path("another.db")})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	k.ends(k.say(s.Owner, "/refresh ./odoo"), "confused")
	if prs := s.pullRequests("all"); len(prs) != 0 {
		t.Fatalf("a held destination moves: %+v", prs)
	}
	k.ends(k.say(s.Owner, "/unhold ./odoo"), "rocket")
	k.ends(k.say(s.Owner, "/refresh ./odoo"), "rocket")
	s.one()
}

// A push to the default branch has the bot look.
func TestServe_push(t *testing.T) {
	s := newStage(t)
	s.serve(world.ServeOptions{})
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.commit("Say something", map[string]string{"README.md": "# Something\n"})
	s.eventually(func() string {
		if len(s.pullRequests("open")) != 1 {
			return "a push opens no pull request"
		}
		return ""
	})
}

// A broken configuration becomes one issue, which is closed when it is mended.
func TestServe_brokenConfiguration(t *testing.T) {
	s := newStage(t)
	s.serve(world.ServeOptions{})
	issues := func(state string) (own []string) {
		var all []struct {
			Body string `json:"body"`
			User struct {
				Login string `json:"login"`
			} `json:"user"`
		}
		s.api(http.MethodGet, "/issues?type=issues&state="+state, nil, &all)
		for _, i := range all {
			if i.User.Login == s.Bot.Login && !strings.Contains(i.Body, "odyssey dashboard") {
				own = append(own, i.Body)
			}
		}
		return own
	}
	s.commit("Break it", map[string]string{".odyssey.yaml": "version: 1\nmergse: {}\n"})
	s.eventually(func() string {
		if got := issues("open"); len(got) != 1 || !strings.Contains(got[0], "mergse") {
			return fmt.Sprintf("the issues are %q", got)
		}
		return ""
	})
	s.commit("Mend it", map[string]string{".odyssey.yaml": "version: 1\n"})
	s.eventually(func() string {
		if open, closed := issues("open"), issues("closed"); len(open) != 0 || len(closed) != 1 {
			return fmt.Sprintf("open are %q, closed %q", open, closed)
		}
		return ""
	})
}

// C10: SIGTERM lets the work end, and the bot exits with 0.
func TestFault_C10_SIGTERM(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	said := k.say(s.Owner, "/refresh ./odoo")
	s.eventually(func() string {
		if len(k.reactions(said)) == 0 {
			return "the command is not taken"
		}
		return ""
	})
	must(t, server.Signal(syscall.SIGTERM))
	select {
	case <-server.Ended():
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if code := server.ExitCode(); code != 0 {
		t.Errorf("it ends with %d:\n%s", code, server.Log())
	}
	s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
	k.ends(said, "rocket")
	s.one()
	if n := len(k.replies()); n > 1 {
		t.Errorf("%d replies", n)
	}
}

// D6: what happens while the bot is down is found when it is up again.
func TestFault_D6_DownForAWhile(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	k.ends(k.say(s.Owner, "/help"), "rocket")
	server.Kill()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	said := k.say(s.Owner, "/refresh ./odoo")
	s.Serve(t, world.ServeOptions{}) // elsewhere: the forge cannot reach it
	k.ends(said, "rocket")
	s.one()
}
