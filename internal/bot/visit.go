package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// visit is one attempt at a repository: what its refreshes share.
type visit struct {
	*Bot
	forge    Forge
	repo     forge.Repo
	snapshot forge.Snapshot // of refresh.Files
	policy   config.Repo
	demand   Demand

	lookup            *refresh.Asked               // upstreams, for the time of the visit
	reports           reports                      // on commits of upstreams
	looked, onboarded bool                         // onboarded: a first policy was proposed, and that has ended
	all               []forge.PullRequest          // that are open, of whomever
	open              map[string]forge.PullRequest // the bot's, by branch, of all kinds
	issues            []forge.Issue                // the bot's; nil when nobody asked for them
}

// Kinds lists the kinds of refresh that the bot makes.
func (b *Bot) Kinds() []refresh.Kind {
	return slices.DeleteFunc(refresh.Kinds(), func(kind refresh.Kind) bool {
		return kind != refresh.Merges && (kind != refresh.Enterprise || len(b.Mirrors) == 0) && !slices.ContainsFunc(b.Sources, func(s refresh.Source) bool { return s.Kind() == kind })
	})
}

// keeper returns what keeps the pull requests of the branches that are mine.
func (v *visit) keeper(mine func(branch string) bool, policy config.Refresh) keeper {
	return keeper{
		Bot: v.Bot, forge: v.forge, repo: v.repo, mine: mine, head: v.snapshot.Commit,
		limit: v.policy.PullRequests.Limit, labels: policy.Labels, reviewers: policy.Reviewers,
		demanded: !v.demand.none(), anew: v.demand.Rebase, open: v.open,
	}
}

// look reads which pull requests are open, once.
func (v *visit) look(ctx context.Context) error {
	if v.looked {
		return nil
	}
	k := v.keeper(refresh.IsBranch, config.Refresh{})
	all, err := k.look(ctx)
	if err != nil {
		return err
	}
	v.looked, v.all, v.open = true, all, k.open
	return nil
}

// own reads the bot's issues, once.
func (v *visit) own(ctx context.Context) (err error) {
	if v.issues == nil {
		v.issues, err = ownIssues(ctx, v.forge, v.repo)
	}
	return err
}

// pulls lists the bot's pull requests that are open, of all kinds, the oldest
// first, or nil when nobody asked for them.
func (v *visit) pulls() []Pull {
	if !v.looked {
		return nil
	}
	all := slices.SortedFunc(maps.Values(v.open), func(a, b forge.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	pulls := make([]Pull, 0, len(all))
	for _, pr := range all {
		pulls = append(pulls, Pull{URL: pr.URL, Title: pr.Title})
	}
	return pulls
}

// run does what the demand is about, one kind after the other. A failure of
// one hinders no other, unless it is a reason to stop.
func (v *visit) run(ctx context.Context, done *result) error {
	var failures []error
	var idle string
	note := func(kind refresh.Kind, reason string, err error) {
		done.judged[kind] = errors.Join(done.judged[kind], err)
		if err != nil {
			failures = append(failures, err)
		} else if idle == "" {
			idle = reason
		}
	}
	switch refused, err := v.refused(ctx); {
	case err != nil:
		return err
	case refused:
		done.idle, done.outcomes = unasked, []Outcome{{Repo: v.repo.String(), Action: Idle, Reason: unasked}}
		return nil
	}
	if v.demand.aboutMerges() {
		reason, err := v.merges(ctx, done)
		note(refresh.Merges, reason, err)
	}
	for _, s := range v.Sources {
		if stops(errors.Join(failures...)) {
			break
		}
		if v.demand.about(s) {
			reason, err := v.keep(ctx, done, s)
			note(s.Kind(), reason, err)
		}
	}
	if v.demand.aboutEnterprise() && !stops(errors.Join(failures...)) {
		reason, err := v.enterprise(ctx, done)
		note(refresh.Enterprise, reason, err)
	}
	if len(done.outcomes) == 0 && len(failures) == 0 {
		if idle == "" {
			idle = "nothing here is of this kind"
		}
		done.idle = idle
		done.outcomes = []Outcome{{Repo: v.repo.String(), Action: Idle, Reason: idle}}
	}
	if len(failures) == 1 {
		return failures[0]
	}
	return errors.Join(failures...)
}

// merges brings the repository to the plan of its merges. It returns why there
// was nothing to do.
func (v *visit) merges(ctx context.Context, done *result) (idle string, err error) {
	done.state, err = refresh.Read(ctx, refresh.Input{Files: v.snapshot.Files, URLs: v.URLs, Jobs: v.Jobs, Lookup: v.lookup})
	if err != nil {
		return "", err
	}
	if done.state.Idle != "" {
		return done.state.Idle, v.disarmAll(ctx, refresh.IsMerges, nothingProposed)
	}
	r := &reconciler{keeper: v.keeper(refresh.IsMerges, v.policy.Merges.Refresh), visit: v, state: done.state, ahead: map[merge]int{}}
	r.automerge = v.policy.Merges.Automerge
	err = r.run(ctx)
	done.outcomes, done.ahead, done.decisions = append(done.outcomes, r.outcomes...), r.ahead, r.decisions
	if err == nil {
		err = v.onboard(ctx, done)
	}
	done.lose(r.wanted)
	return "every merge is at its newest commit", err
}

const nothingProposed = "nothing of its kind is proposed here any more"

// keep brings the repository to what a source offers.
func (v *visit) keep(ctx context.Context, done *result, s refresh.Source) (idle string, err error) {
	policy, err := v.policyOf(s.Kind())
	if err != nil {
		return "", err
	}
	if !policy.Enabled {
		return string(s.Kind()) + " refreshes are not enabled in " + refresh.ConfigFile, v.disarmAll(ctx, s.Mine, nothingProposed)
	}
	k := v.keeper(s.Mine, policy.Refresh)
	if held, err := v.holdKind(ctx, done, s.Kind(), &k); held || err != nil {
		return "", err
	}
	demanded := !v.demand.none()
	offer, err := s.Offer(ctx, refresh.Repository{
		Name: v.repo.String(), Policy: v.policy, Tree: v, Workflows: v, Lookup: v.lookup, Commands: v.Commands, Scheduled: v.demand.Scheduled, Demanded: demanded,
		Named: v.demand.All && slices.Contains(v.demand.Kinds, s.Kind()),
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Kind(), err)
	}
	if err := v.look(ctx); err != nil {
		return "", err
	}
	if offer.Dispatch != nil {
		held, err := v.dispatch(ctx, offer.Dispatch)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.Kind(), err)
		}
		offer.Held = append(slices.Clone(offer.Held), held)
	}
	k.open, k.automerge = v.open, policy.Automerge
	err = k.meet(ctx, offer, v)
	done.outcomes = append(done.outcomes, k.outcomes...)
	if err == nil {
		err = v.clear(ctx, offer, k.outcomes)
	}
	return offer.Idle, errors.Join(err, offer.Passing)
}

// policyOf returns the policy of a kind of refresh.
func (v *visit) policyOf(kind refresh.Kind) (config.Kind, error) {
	kinds := v.policy.Kinds()
	i := slices.IndexFunc(kinds, func(k config.Kind) bool { return k.Name == string(kind) })
	if i < 0 {
		return config.Kind{}, fmt.Errorf("%s has no kind of refresh %q", refresh.ConfigFile, kind)
	}
	return kinds[i], nil
}

// Paths implements refresh.Tree.
func (v *visit) Paths(ctx context.Context) ([]string, error) {
	return v.forge.Paths(ctx, v.repo, v.snapshot.Commit)
}

// Files implements refresh.Tree.
func (v *visit) Files(ctx context.Context, paths []string) (map[string][]byte, error) {
	files, unread := map[string][]byte{}, []string{}
	for _, path := range paths {
		if data, exists := v.snapshot.Files[path]; exists {
			files[path] = data
		} else if !slices.Contains(refresh.Files(), path) {
			unread = append(unread, path)
		}
	}
	if len(unread) == 0 {
		return files, nil
	}
	snapshot, err := v.forge.Snapshot(ctx, v.repo, unread)
	if err == nil && snapshot.Commit != v.snapshot.Commit {
		err = fmt.Errorf("%w: %s is at %s", forge.ErrLeaseLost, v.repo.DefaultBranch, snapshot.Commit)
	}
	maps.Copy(files, snapshot.Files)
	return files, err
}
