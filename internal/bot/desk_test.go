package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/queue"
)

// desk is a scene with a worker that does the queue's jobs.
type desk struct {
	*scene
	worker *bot.Worker
	kept   *shelf
	fence  func(context.Context) error
}

// shelf is bot.Reports in memory.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	err    error
}

func (s *shelf) Put(_ context.Context, bucket, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.values[bucket+"/"+key] = value
	}
	return s.err
}

func (s *shelf) Get(_ context.Context, bucket, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[bucket+"/"+key], s.err
}

func newDesk(t testing.TB, config string) *desk {
	t.Helper()
	s := newScene(t, config)
	s.bot.Commands = true
	d := &desk{scene: s, kept: &shelf{values: map[string][]byte{}}}
	d.worker = &bot.Worker{Bot: s.bot, Forges: map[string]bot.Forge{"main": s.fake}, Reports: d.kept}
	repo, err := s.fake.Repo(t.Context(), s.name)
	must(t, err)
	s.repo = repo
	return d
}

func (d *desk) job(kind string, attempt int, items ...queue.Item) queue.Job {
	return queue.Job{ID: 1, Subject: "main:" + d.name.String(), Kind: kind, Attempt: attempt, Items: items, Fence: d.fence}
}

// merges does a job of that kind, which must succeed.
func (d *desk) merges() bot.Report {
	d.t.Helper()
	must(d.t, d.worker.Work(d.t.Context(), d.job("merges", 1)))
	return d.report("merges")
}

func (d *desk) report(kind string) (r bot.Report) {
	d.t.Helper()
	data, err := d.kept.Get(d.t.Context(), bot.ReportBucket, bot.ReportKey("main:"+d.name.String(), kind))
	must(d.t, err)
	must(d.t, json.Unmarshal(data, &r))
	return r
}

// says writes a comment as somebody, and returns its id and the item that an
// event makes of it.
func (d *desk) says(login string, number int64, body string) (int64, queue.Item) {
	d.t.Helper()
	id := d.fake.As(login, d.name).Comment(d.t, number, body)
	head := ""
	for _, pr := range d.open() {
		if pr.Number == number {
			head = pr.HeadSHA
		}
	}
	return id, d.item(bot.CommentItem{Comment: id, Number: number, Author: login, Body: body, Head: head, Created: time.Now()})
}

func (d *desk) item(c bot.CommentItem) queue.Item {
	d.t.Helper()
	data, err := json.Marshal(c)
	must(d.t, err)
	return queue.Item{ID: fmt.Sprint(c.Comment), Data: data}
}

// hears has the worker treat comments, which must succeed.
func (d *desk) hears(items ...queue.Item) {
	d.t.Helper()
	must(d.t, d.worker.Work(d.t.Context(), d.job("commands", 1, items...)))
}

// obeys has the owner say something in an issue of its own, and returns what
// the bot made of it: its reactions and its reply.
func (d *desk) obeys(body string) (reactions, reply string) {
	d.t.Helper()
	number := d.human.OpenIssue(d.t, "A talk", "")
	id, item := d.says(forgetest.FakeHuman, number, body)
	d.hears(item)
	return d.reactions(id), d.reply(number)
}

func (d *desk) reactions(id int64) string {
	var all []string
	for _, r := range d.human.Reactions(d.t, id) {
		all = append(all, strings.TrimPrefix(r, forgetest.FakeBot+" "))
	}
	return strings.Join(all, " ")
}

// reply returns the bot's only comment on something, without its mark; "" when
// there is none.
func (d *desk) reply(number int64) string {
	d.t.Helper()
	all, err := d.fake.Comments(d.t.Context(), d.repo, number)
	must(d.t, err)
	text, n := "", 0
	for _, c := range all {
		if c.Author == forgetest.FakeBot {
			text, _, _ = strings.Cut(c.Body, "\n\n<!-- odyssey reply=")
			n++
		}
	}
	if n > 1 {
		d.t.Errorf("%d replies: %+v", n, all)
	}
	return text
}

// issues lists the bot's issues as "STATE TITLE".
func (d *desk) issues() (all []forge.Issue) {
	for _, i := range d.human.Issues(d.t) {
		if i.Author == forgetest.FakeBot {
			all = append(all, i)
		}
	}
	return all
}
