package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// How long to wait for more of the same. What a person waits for does not.
const (
	pushDelay  = 5 * time.Second  // a merge is a push, and a pull request merged
	sweepDelay = 15 * time.Second // whoever makes one repository may make fifty
)

// mostData is how much of a comment the queue is given, in bytes of JSON.
const mostData = 32 << 10

// situation is what an event is judged by.
type situation struct {
	forge    string
	account  string   // the bot's login; "" when it is not known yet
	watched  *Watched // nil: the repository is not
	discover bool     // it might be: repositories are discovered, and this one was not asked about lately
	timings  timings  // of the watched one's policy
	follows  []Follower
	several  bool // the event names none, for it is about several
}

// decide says what an event asks for. It looks at nothing else.
func decide(e forge.Event, s situation) []queue.Request {
	own := s.account != "" && strings.EqualFold(e.Sender, s.account)
	sweep := []queue.Request{{Subject: sweepSubject(s.forge), Kind: Sweep, Delay: sweepDelay}}
	if s.watched == nil {
		if s.several {
			return sweep
		}
		if s.discover && (e.Kind == forge.EventRepository || e.Kind == forge.EventPush || e.Kind == forge.EventComment || e.Kind == forge.EventPullRequest) {
			return sweep
		}
		return nil
	}
	switch e.Kind {
	case forge.EventPush:
		// Who pushed does not matter: when the bot is told to merge its own pull
		// requests, the others have to follow.
		var requests []queue.Request
		for _, f := range s.follows {
			if onDefault(e.Branch, cmp.Or(f.Branch, s.watched.DefaultBranch)) {
				requests = append(requests, queue.Request{Subject: f.Subject, Kind: Merges, Delay: pushDelay})
			}
		}
		if onDefault(e.Branch, s.watched.DefaultBranch) {
			requests = append(requests, s.timings.wanted(s.watched.Subject, pushDelay)...)
		}
		if refresh.IsResult(e.Branch) { // a workflow's, which then ends
			requests = append(requests, s.python()...)
		}
		return requests
	case forge.EventPullRequest:
		if !own && strings.HasPrefix(e.Branch, refresh.BranchPrefix) {
			kind := cmp.Or(refresh.KindOf(e.Branch), refresh.Merges)
			return []queue.Request{{Subject: s.watched.Subject, Kind: string(kind), Delay: pushDelay}}
		}
	case forge.EventComment:
		if !own {
			return commands(s.watched.Subject, s.account, e.Comment, e.Head)
		}
	case forge.EventRepository:
		return sweep
	case forge.EventIssue:
		// A person who closes what the bot has opened, a hold for example, waits for
		// what comes of it.
		if !own && s.account != "" && strings.EqualFold(e.Author, s.account) {
			return append(s.timings.wanted(s.watched.Subject, pushDelay), ticks(s.watched.Subject, e)...)
		}
	case forge.EventRerun:
		return s.timings.wanted(s.watched.Subject, 0)
	case forge.EventWorkflow:
		// It may be one that the bot has started.
		if e.Workflow != "" && onDefault(e.Branch, s.watched.DefaultBranch) {
			return s.python()
		}
	case forge.EventIgnored, forge.EventPing:
	}
	return nil
}

// python asks for a look at the Python lock, if the policy wants any.
func (s situation) python() []queue.Request {
	if at, known := s.timings[string(refresh.Python)]; !known || at.Off {
		return nil
	}
	return []queue.Request{{Subject: s.watched.Subject, Kind: string(refresh.Python), Delay: pushDelay}}
}

// onDefault reports whether a branch is, or may be, the default one.
func onDefault(branch, byDefault string) bool {
	if byDefault == "" {
		return branch != "" && !strings.HasPrefix(branch, refresh.BranchPrefix)
	}
	return branch == byDefault
}

// commands asks for a comment's commands to be obeyed if it has any, and was
// written by a person and not changed since. head is the pull request's at the
// time, if known.
func commands(subject, account string, c forge.Comment, head string) []queue.Request {
	if c.Bot || c.Edited() || account != "" && strings.EqualFold(c.Author, account) || len(command.Parse(c.Body)) == 0 {
		return nil
	}
	told := bot.CommentItem{Comment: c.ID, Number: c.Number, Author: c.Author, Body: c.Body, Head: head, Created: c.Created}
	data, err := json.Marshal(told)
	if err == nil && len(data) > mostData {
		told.Body = "" // the bot reads it anew
		data, err = json.Marshal(told)
	}
	if err != nil {
		return nil // of text and numbers: cannot be
	}
	item := &queue.Item{ID: strconv.FormatInt(c.ID, 10), Data: data}
	return []queue.Request{{Subject: subject, Kind: Commands, Item: item}}
}

// ticks asks for the boxes to be obeyed that may be ticked in the bot's issue that
// somebody has edited.
func ticks(subject string, e forge.Event) []queue.Request {
	ticked := refresh.Ticks(e.Before, e.Text)
	if e.Delivery == "" || len(ticked) == 0 {
		return nil
	}
	data, err := json.Marshal(bot.CommentItem{Number: e.Number, Author: e.Sender, Bot: e.Bot, Ticked: ticked})
	if err != nil || len(data) > mostData {
		return nil // no command is so long
	}
	item := &queue.Item{ID: fmt.Sprintf("issue %d %s", e.Number, e.Delivery), Data: data}
	return []queue.Request{{Subject: subject, Kind: Commands, Item: item}}
}

// Accept records what an event asks for, in one transaction with its delivery.
// It is not fresh when the delivery was known already, or asks for nothing: that
// is recorded nowhere.
func (w *Watcher) Accept(ctx context.Context, forgeName string, e forge.Event) (fresh bool, err error) {
	s, ok := w.situation(forgeName, e)
	if !ok {
		return false, fmt.Errorf("there is no forge %q in the configuration", forgeName)
	}
	requests := decide(e, s)
	switch {
	case len(requests) == 0:
		return false, nil
	case e.Delivery == "": // nothing to tell it by from the next
		return true, w.Queue.Want(ctx, requests...)
	}
	d := queue.Delivery{Source: forgeName, ID: e.Delivery, Event: cmp.Or(e.Type, string(e.Kind))}
	if fresh, err = w.Queue.Accept(ctx, d, requests...); err != nil {
		return false, err
	}
	w.accepted(forgeName, e, s)
	return fresh, nil
}

func (w *Watcher) situation(forgeName string, e forge.Event) (s situation, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	site := w.sites[forgeName]
	if site == nil {
		return situation{}, false
	}
	s = situation{forge: forgeName, account: site.account}
	if known := w.repos[key(forgeName, e.Repo)]; known != nil {
		watched := known.Watched
		s.watched, s.timings = &watched, known.timings
		s.follows = w.followers(forgeName, e.Repo)
		return s, true
	}
	if e.Repo == (forge.Name{}) {
		s.several = e.Kind == forge.EventRepository
		return s, true
	}
	asked, again := site.strangers[key(forgeName, e.Repo)]
	s.discover = len(site.Config.Discover) > 0 && (!again || e.Kind == forge.EventRepository || w.Now().Sub(asked).Abs() > strangeness)
	return s, true
}

// followers are those of a repository.
func (w *Watcher) followers(forgeName string, repo forge.Name) (all []Follower) {
	for _, f := range w.Followers {
		if key(f.Forge, f.Repo) == key(forgeName, repo) {
			all = append(all, f)
		}
	}
	return all
}

const (
	strangeness   = time.Hour // after which an event of a repository that was not discovered asks again
	mostStrangers = 10_000
)

// accepted remembers what spares a sweep something.
func (w *Watcher) accepted(forgeName string, e forge.Event, s situation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := key(forgeName, e.Repo)
	if s.watched == nil && s.several {
		return
	}
	if s.watched == nil {
		strangers := w.sites[forgeName].strangers
		if len(strangers) >= mostStrangers {
			clear(strangers)
		}
		strangers[k] = w.Now()
		return
	}
	if known := w.repos[k]; known != nil && e.Kind == forge.EventPush && e.Head != "" && e.Branch == known.DefaultBranch {
		known.pushed = e.Head
	}
}
