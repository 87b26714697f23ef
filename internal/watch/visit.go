package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	// overlap is for comments that became visible later than one that was
	// written after them.
	overlap = 5 * time.Minute
	// firstLook is how far back comments count when a repository is seen for
	// the first time, or again because the store was lost: the bot does not
	// treat twice what it has reacted to.
	firstLook = 24 * time.Hour
	// tooOld is when nobody expects to be obeyed any more.
	tooOld = 7 * 24 * time.Hour

	// unsettled is for how long a further push would not change the time of
	// the last one, as this process's clock sees it.
	unsettled = 5 * time.Second

	mostPages = 10  // of comments of one repository in one sweep
	mostSeen  = 500 // ids that are kept
)

// visit looks at one repository.
func (s *sweep) visit(ctx context.Context, e *entry) {
	if s.halted() {
		return
	}
	defer func() {
		s.Watcher.mu.Lock()
		defer s.Watcher.mu.Unlock()
		e.tried = s.Now()
	}()
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	before := s.memories[e.Subject]
	after, err := s.look(ctx, e, before)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // the process is to stop
	}
	if after.Error, after.Gone = "", false; err != nil && !errors.Is(err, errStore) {
		after.Error, after.Gone = public(err), errors.Is(err, forge.ErrNotFound)
		s.Log.Warn("cannot look at a repository", "forge", e.Forge, "repo", e.Repo.String(), "err", err)
	}
	if !after.equal(before) {
		err = errors.Join(err, s.stored(ctx, func(ctx context.Context) error { return s.keep(ctx, e.Subject, after) }))
	}
	s.Watcher.mu.Lock()
	s.recall(e, after)
	s.Watcher.mu.Unlock()
	s.count(err)
}

// errStore says that it is the queue that fails, and not the forge.
var errStore = errors.New("the queue does not take it")

// stored does something with the queue. What a look found is put down even if
// the look's own time is over. A job whose place another attempt has taken does
// nothing.
func (s *sweep) stored(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	var err error
	if s.job.Fence != nil {
		err = s.job.Fence(ctx)
	}
	if err == nil {
		err = do(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	return nil
}

func (s *sweep) want(ctx context.Context, requests ...queue.Request) error {
	return s.stored(ctx, func(ctx context.Context) error { return s.Queue.Want(ctx, requests...) })
}

// public says an error in words that may be shown.
func public(err error) string {
	limited := (*forge.RateLimitError)(nil)
	moved := (*forge.MovedError)(nil)
	switch {
	case errors.As(err, &moved):
		return moved.Error() + "; the bot's configuration has its old name"
	case errors.As(err, &limited):
		return limited.Error()
	case errors.Is(err, forge.ErrUnauthorized):
		return forge.ErrUnauthorized.Error()
	case errors.Is(err, forge.ErrNotFound):
		return "not found, or the bot's account may not see it"
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, forge.ErrTransient):
		return forge.ErrTransient.Error()
	}
	return "it cannot be read; the log says why"
}

// look asks the forge for a repository and its comments, two calls or, where
// discovery has described it, one, and requests what is new. It returns what
// is to be remembered, with an error too: what was requested before it.
func (s *sweep) look(ctx context.Context, e *entry, before memory) (after memory, err error) {
	after = before
	repo, described := s.found[key(e.Forge, e.Repo)]
	if !described {
		if repo, err = s.site.Forge.Repo(ctx, e.Repo); err != nil {
			return after, err
		}
	}
	repo.Name = e.Repo
	if repo.Archived || repo.Empty {
		after.Account, after.WebURL, after.DefaultBranch = repo.Account, repo.WebURL, repo.DefaultBranch
		after.Archived, after.Empty = repo.Archived, repo.Empty
		return after, nil
	}
	if after, err = s.lookAtBranch(ctx, e, repo, before); err != nil {
		return before, err
	}
	if err := s.lookAtRun(ctx, e); err != nil {
		return before, err
	}
	return s.lookAtComments(ctx, e, repo, after)
}

// lookAtRun requests a look at the Python lock while a workflow makes one: no
// webhook may tell of its end.
func (s *sweep) lookAtRun(ctx context.Context, e *entry) error {
	known, _ := s.known(e.Subject)
	if at, is := known[string(refresh.Python)]; len(s.running[e.Repo.String()]) == 0 || is && at.Off {
		return nil
	}
	return s.want(ctx, queue.Request{Subject: e.Subject, Kind: string(refresh.Python)})
}

// lookAtBranch requests refreshes when the default branch moved, or is another.
func (s *sweep) lookAtBranch(ctx context.Context, e *entry, repo forge.Repo, before memory) (after memory, err error) {
	after = before
	after.Account, after.WebURL, after.DefaultBranch = repo.Account, repo.WebURL, repo.DefaultBranch
	after.Archived, after.Empty = false, false
	after.Changed = repo.Changed
	if s.Now().Sub(repo.Changed) < unsettled {
		after.Changed = repo.Changed.Add(-1) // forges count in seconds: look once more next time
	}
	same := before.known() && !before.Archived && !before.Empty && before.DefaultBranch == repo.DefaultBranch
	if same && !repo.Changed.IsZero() && repo.Changed.Equal(before.Changed) {
		return after, nil
	}
	branch, err := s.site.Forge.Branch(ctx, repo, repo.DefaultBranch)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return before, err
	}
	after.Head = branch.Head
	if same && (branch.Head == before.Head || branch.Head == s.pushed(e)) {
		return after, nil // another branch was pushed, or an event told of this one
	}
	delay := time.Duration(0)
	if !before.known() {
		delay = offset(tickKey(e.Subject, Merges), s.spread())
	}
	known, _ := s.known(e.Subject)
	requests := known.wanted(e.Subject, delay)
	for _, f := range s.followers(e.Forge, e.Repo) {
		requests = append(requests, queue.Request{Subject: f.Subject, Kind: Merges, Delay: delay})
	}
	if err := s.want(ctx, requests...); err != nil {
		return before, err
	}
	return after, nil
}

func (s *sweep) pushed(e *entry) string {
	s.Watcher.mu.Lock()
	defer s.Watcher.mu.Unlock()
	return e.pushed
}

// spread is within which time the repositories begin that are seen for the
// first time: one at once, many not all at once.
func (s *sweep) spread() time.Duration {
	return min(config.DefaultRepo().Merges.Jitter, time.Duration(s.fresh-1)*time.Second)
}

// lookAtComments requests that commands be obeyed that no event told of. The
// ids of items are those of events, so that the queue knows what it had.
func (s *sweep) lookAtComments(ctx context.Context, e *entry, repo forge.Repo, m memory) (memory, error) {
	if m.Until.IsZero() {
		m.Until = s.Now().Add(-firstLook).Truncate(time.Second).UTC()
	}
	since := m.Until.Add(-overlap)
	var read []forge.Comment // without their bodies
	for range mostPages {
		page, err := s.site.Forge.CommentsSince(ctx, repo, since)
		if err == nil {
			err = s.obey(ctx, e, m, page.Comments)
		}
		if err != nil {
			return m.after(read), err
		}
		for _, c := range page.Comments {
			read = append(read, forge.Comment{ID: c.ID, Updated: c.Updated})
		}
		next := newest(page.Comments, since)
		if !page.More || !next.After(since) {
			break
		}
		since = next
	}
	return m.after(read), nil
}

// obey requests commands for the comments that are new.
func (s *sweep) obey(ctx context.Context, e *entry, m memory, comments []forge.Comment) error {
	oldest := s.Now().Add(-min(tooOld, s.Keep))
	var requests []queue.Request
	for _, c := range comments {
		if c.Created.After(oldest) && !slices.Contains(m.Seen, c.ID) {
			requests = append(requests, commands(e.Subject, m.Account, c, "")...)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	return s.want(ctx, requests...)
}

// after returns the memory after comments were read, all those since a while
// before Until.
func (m memory) after(read []forge.Comment) memory {
	if len(read) == 0 {
		return m
	}
	m.Until = newest(read, m.Until)
	m.Seen = nil
	for _, c := range read {
		if !c.Updated.Before(m.Until.Add(-overlap)) && !slices.Contains(m.Seen, c.ID) {
			m.Seen = append(m.Seen, c.ID)
		}
	}
	m.Seen = m.Seen[max(len(m.Seen)-mostSeen, 0):]
	return m
}

// newest returns when the last of the comments was written or edited, at if
// that is later.
func newest(comments []forge.Comment, at time.Time) time.Time {
	for _, c := range comments {
		if c.Updated.After(at) {
			at = c.Updated
		}
	}
	return at
}
