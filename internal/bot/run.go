package bot

import (
	"context"
	"errors"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	attempts    = 5               // runs over a repository before giving up
	firstWait   = 2 * time.Second // before the second attempt; doubles
	longestWait = time.Minute     // that a forge may ask for within a run
)

// Run refreshes one repository once. It is idempotent, so after a fault that
// may pass, or when somebody pushed meanwhile, it starts again from what the
// forge then says: what is there already is found, and never made twice.
func (b *Bot) Run(ctx context.Context, f Forge, name forge.Name) ([]Outcome, error) {
	wait := firstWait
	for attempt := 1; ; attempt++ {
		outcomes, err := b.once(ctx, f, name)
		pause, again := retryAfter(err, wait)
		if !again || attempt == attempts {
			return outcomes, err
		}
		b.Log.Info("starting again", "repo", name.String(), "attempt", attempt, "err", err)
		if err := b.Wait(ctx, pause); err != nil {
			return outcomes, err
		}
		wait *= 2
	}
}

// retryAfter decides, in one place, which errors are worth another attempt.
func retryAfter(err error, wait time.Duration) (time.Duration, bool) {
	limited := (*forge.RateLimitError)(nil)
	switch {
	case errors.As(err, &limited):
		return max(limited.RetryAfter, wait), limited.RetryAfter <= longestWait
	case errors.Is(err, forge.ErrLeaseLost):
		return 0, true
	case errors.Is(err, forge.ErrTransient): // git has asked upstreams several times already
		return wait, true
	}
	return 0, false
}

// once is one attempt: snapshot, plan, reconcile.
func (b *Bot) once(ctx context.Context, f Forge, name forge.Name) ([]Outcome, error) {
	idle := func(reason string) ([]Outcome, error) {
		return []Outcome{{Repo: name.String(), Action: Idle, Reason: reason}}, nil
	}
	repo, err := f.Repo(ctx, name)
	if err != nil {
		return nil, err
	}
	if repo.Archived {
		return idle("the repository is archived")
	}
	if repo.Empty {
		return idle("the repository is empty")
	}
	snapshot, err := f.Snapshot(ctx, repo, refresh.Files())
	if err != nil {
		return nil, err
	}
	plan, err := refresh.Make(ctx, refresh.Input{Files: snapshot.Files, URLs: b.URLs, Jobs: b.Jobs, Lookup: b.Git})
	if err != nil {
		return nil, err
	}
	if plan.Idle != "" {
		return idle(plan.Idle)
	}
	r := &reconciler{Bot: b, forge: f, repo: repo, snapshot: snapshot, plan: plan}
	err = r.reconcile(ctx)
	if err == nil && len(r.outcomes) == 0 {
		return idle("every merge is at its newest commit")
	}
	return r.outcomes, err
}
