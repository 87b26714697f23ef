package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// seenBucket is where is kept since when commits are known, by a digest of the
// remote's URL and the ref.
const seenBucket = "seen"

// Bounds of what is kept of a ref.
const (
	mostSeen   = 100                 // commits
	longestAge = 31 * 24 * time.Hour // a policy asks for less
)

// sighting is when a commit was first seen as the newest of a ref, by the
// bot's own clock.
type sighting struct {
	Commit string    `json:"commit"`
	Since  time.Time `json:"since"`
}

// limits finds out how far merges may move for the policy's sake. asked reports
// whether a merge's checks are to be asked for.
func (r *reconciler) limits(ctx context.Context, asked func(refresh.Standing) bool) (limits []refresh.Limit, err error) {
	policy := r.visit.policy.Merges
	if policy.MinimumAge == 0 && !policy.RequireGreen {
		return nil, nil
	}
	for _, s := range r.state.Standings() {
		if s.Locked == "" || s.Locked == s.Newest || gitname.IsObjectID(s.Ref) {
			continue
		}
		limit, limited, err := r.oldEnough(ctx, s, policy.MinimumAge)
		if err == nil && policy.RequireGreen && asked(s) {
			limit, limited, err = r.greenest(ctx, s, limit, limited)
			if err == nil && limited {
				limit, err = r.discreetly(ctx, s, limit)
			}
		}
		if err != nil {
			return nil, err
		}
		if limited {
			limits = append(limits, limit)
		}
	}
	return limits, nil
}

// oldEnough finds out how far a merge may move for minimumAge's sake.
func (r *reconciler) oldEnough(ctx context.Context, s refresh.Standing, age time.Duration) (limit refresh.Limit, limited bool, err error) {
	limit = refresh.Limit{Reason: refresh.Reason{Dest: s.Dest, Remote: s.Remote, Ref: s.Ref}}
	switch {
	case age == 0:
		return limit, false, nil
	case r.Memory == nil:
		limit.Why = "minimumAge is set, and nobody remembers since when its newest commit is known"
		return limit, true, nil
	}
	seen, err := r.see(ctx, digest([]byte(s.URL+" "+s.Ref)), s.Newest)
	if err != nil {
		return limit, false, err
	}
	now := r.Now()
	last := seen[len(seen)-1]
	if ripe(last, now, age) {
		return limit, false, nil
	}
	limit.To, err = r.furthestRipe(ctx, s, seen, now, age)
	limit.Why = fmt.Sprintf("its newest commit is known since %s; minimumAge has it wait until %s", stamp(last.Since), stamp(last.Since.Add(age)))
	limit.Over = []refresh.PassedOver{{Commit: s.Newest, Why: "known since " + stamp(last.Since)}}
	return limit, true, err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

func ripe(s sighting, now time.Time, age time.Duration) bool { return now.Sub(s.Since) >= age }

// see notes that a commit is the newest of a ref now, and returns what is known
// of the ref, the oldest first and this one last.
func (b *Bot) see(ctx context.Context, key, newest string) ([]sighting, error) {
	data, err := b.Memory.Get(ctx, seenBucket, key)
	if err != nil {
		return nil, err
	}
	var seen []sighting
	if json.Unmarshal(data, &seen) != nil {
		seen = nil // somebody else's
	}
	now := b.Now()
	if n := len(seen); n > 0 && seen[n-1].Commit == newest && !seen[n-1].Since.After(now) {
		return seen, nil
	}
	// What a clock that was wrong has noted for later would never be old enough.
	seen = slices.DeleteFunc(seen, func(s sighting) bool {
		return s.Commit == newest || s.Since.After(now) || now.Sub(s.Since) > longestAge
	})
	seen = append(seen, sighting{newest, now})
	seen = seen[max(0, len(seen)-mostSeen):]
	if data, err = json.Marshal(seen); err != nil {
		return nil, err
	}
	return seen, b.Memory.Put(ctx, seenBucket, key, data)
}

// furthestRipe is the newest commit that is known for long enough, lies between
// what is locked and the newest, and so is still a state of the ref; "" for none.
func (r *reconciler) furthestRipe(ctx context.Context, s refresh.Standing, seen []sighting, now time.Time, age time.Duration) (string, error) {
	for _, at := range slices.Backward(seen) {
		if !ripe(at, now, age) {
			continue
		}
		if at.Commit == s.Locked {
			return "", nil
		}
		ways, err := r.Git.Histories(ctx, s.URL, []git.Range{{Old: s.Locked, New: at.Commit}, {Old: at.Commit, New: s.Newest}})
		if err != nil {
			return "", fmt.Errorf("read the history of %s: %w", gitname.Redact(s.URL), err)
		}
		if len(ways) != 2 || ways[0].Ahead == 0 || ways[0].Behind > 0 || ways[0].OldGone || ways[1].Behind > 0 || ways[1].OldGone {
			return "", nil // the ref was rewritten since
		}
		return at.Commit, nil
	}
	return "", nil
}

// reportLimits reports the groups that have nothing but merges which may not move
// yet.
func (r *reconciler) reportLimits(limits []refresh.Limit) {
	for _, l := range limits {
		group := r.state.Group(l.Dest, l.Remote, l.Ref)
		_, told := r.outcomeOf(l.Dest, l.Remote, l.Ref)
		said := slices.ContainsFunc(r.plan.Reasons, func(known refresh.Reason) bool { return known == l.Reason })
		if branch := r.state.Branch(l.Dest, l.Remote, l.Ref); said && !told && r.wanted.branch(branch) {
			r.report(group, Held, r.open[branch], l.Remote+" "+l.Ref+": "+l.Why)
		}
	}
}
