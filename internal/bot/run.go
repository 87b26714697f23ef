package bot

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

const (
	attempts    = 5               // runs over a repository before giving up
	firstWait   = 2 * time.Second // before the second attempt; doubles
	longestWait = time.Minute     // that a forge may ask for within a run
)

// Run refreshes one repository once, or does what is demanded. It is
// idempotent, so after a fault that may pass, or when somebody pushed
// meanwhile, it starts again from what the forge then says: what is there
// already is found, and never made twice.
//
// Of merges whose refs could not be resolved the error says why; all else is done
// nevertheless. A demand that names what does not exist is a *lock.NameError, and one that
// cannot be met a *RefusedError.
func (b *Bot) Run(ctx context.Context, f Forge, name forge.Name, d Demand) ([]Outcome, error) {
	done, err := b.attempt(ctx, f, name, d, retryAfter)
	return done.outcomes, errors.Join(err, errors.Join(done.lost...), done.passing)
}

// attempt runs until retry finds no reason to start again.
func (b *Bot) attempt(ctx context.Context, f Forge, name forge.Name, d Demand, retry retryFunc) (done result, err error) {
	err = b.again(ctx, name, retry, func() (err error) {
		done, err = b.once(ctx, f, name, d)
		return err
	})
	return done, err
}

// retryFunc decides whether an error is worth another attempt, and when.
type retryFunc func(err error, wait time.Duration) (time.Duration, bool)

// again calls try until retry finds no reason to start again.
func (b *Bot) again(ctx context.Context, name forge.Name, retry retryFunc, try func() error) error {
	wait := firstWait
	for attempt := 1; ; attempt++ {
		err := try()
		pause, again := retry(err, wait)
		if !again || attempt == attempts {
			return err
		}
		b.Log.Info("starting again", "repo", name.String(), "attempt", attempt, "err", err)
		if err := b.Wait(ctx, pause); err != nil {
			return err
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

// retryLost is retryAfter for who has a queue to wait in.
func retryLost(err error, _ time.Duration) (time.Duration, bool) {
	limited := (*forge.RateLimitError)(nil)
	return 0, errors.Is(err, forge.ErrLeaseLost) && !errors.As(err, &limited)
}

// result is what one attempt did and saw.
type result struct {
	outcomes  []Outcome
	repo      forge.Repo             // zero when the forge did not tell
	head      string                 // commit that was read; "" when none was
	policy    *config.Repo           // nil when it could not be read
	state     *refresh.State         // of the merges; nil when it could not be read, or nobody asked for it
	lost      []error                // why merges that were to be looked at could not be resolved, each once
	passing   error                  // the same of those that may be found again
	judged    map[refresh.Kind]error // by kind of those that were looked at, what they failed for, or nil
	issues    []forge.Issue          // the bot's; nil when nobody asked for them
	ahead     map[merge]int          // commits that merges move by, as far as the attempt asked
	decisions []refresh.Decision     // of each source, in the order of repos.yaml; nil when it could not be read
	open      []Pull                 // the bot's pull requests after the attempt; nil when it did not ask for them
	idle      string                 // why there was nothing to do
}

// merge is a merge's place and the commits that it moves between.
type merge struct{ dest, remote, ref, locked, newest string }

// lose notes what kept merges that were wanted from being resolved.
func (done *result) lose(w wanted) {
	for i := range done.state.Lost {
		l := &done.state.Lost[i]
		switch {
		case !w.destination(l.Dest):
		case refresh.Passes(l):
			done.passing = l.Err // one is enough to be asked again
		case !slices.Contains(done.lost, l.Err):
			done.lost = append(done.lost, l.Err)
		}
	}
}

// once is one attempt: snapshot, policy, and one kind after the other.
func (b *Bot) once(ctx context.Context, f Forge, name forge.Name, d Demand) (done result, err error) {
	idle := func(reason string) (result, error) {
		done.idle = reason
		done.outcomes = []Outcome{{Repo: name.String(), Action: Idle, Reason: reason}}
		return done, nil
	}
	if done.repo, err = f.Repo(ctx, name); err != nil {
		return done, err
	}
	if done.repo.Archived {
		return idle("the repository is archived")
	}
	if done.repo.Empty {
		return idle("the repository is empty")
	}
	done.judged = map[refresh.Kind]error{}
	snapshot, err := f.Snapshot(ctx, done.repo, refresh.Files())
	var policy config.Repo
	if err == nil {
		done.head = snapshot.Commit
		policy, err = config.ParseRepo(refresh.ConfigFile, snapshot.Files[refresh.ConfigFile])
	}
	if err != nil {
		if d.aboutMerges() { // which tells people
			done.judged[refresh.Merges] = err
		}
		if done.head != "" { // nobody knows what the policy should say of automerge
			v := &visit{Bot: b, forge: f, repo: done.repo, snapshot: snapshot}
			err = errors.Join(err, v.disarmAll(ctx, refresh.IsBranch, refresh.Code(refresh.ConfigFile)+" has faults"))
		}
		return done, err
	}
	done.policy = &policy
	v := &visit{Bot: b, forge: f, repo: done.repo, snapshot: snapshot, policy: policy, demand: d, lookup: refresh.NewAsked(b.Git)}
	err = v.run(ctx, &done)
	done.issues, done.open = v.issues, v.pulls()
	return done, err
}
