package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// reconciler brings one repository to one plan.
type reconciler struct {
	keeper
	visit   *visit
	state   *refresh.State
	plan    *refresh.Plan
	wanted  wanted
	limited []refresh.Limit // what may not move, or not so far, for the policy's sake
	ahead   map[merge]int
	survey  refresh.Historian // of the plan; nil before it is needed

	decisions []refresh.Decision
}

// run reads what people have said, plans with it, and reconciles.
func (r *reconciler) run(ctx context.Context) error {
	d, err := r.resolve(ctx, r.visit.demand)
	if err != nil {
		return err
	}
	if r.state.Behind > 0 || !d.none() {
		if err := r.visit.own(ctx); err != nil {
			return err
		}
	}
	if err := r.visit.look(ctx); err != nil {
		return err
	}
	r.open = r.visit.open
	held := readHolds(r.visit.issues)
	r.wanted = want(d, r.state)
	r.demanded, r.anew = r.wanted.demanded(), r.wanted.anew
	choices := r.choices(d)
	if err := r.rememberable(d, choices); err != nil {
		return err
	}
	asked := func(s refresh.Standing) bool {
		_, onHold := held.find(s.Dest)
		is := func(c refresh.Choice) bool { return c.Same(refresh.Choice{Dest: s.Dest, Remote: s.Remote, Ref: s.Ref}) }
		return !onHold && r.wanted.branch(r.state.Branch(s.Dest, s.Remote, s.Ref)) && !slices.ContainsFunc(choices, is)
	}
	if r.limited, err = r.limits(ctx, asked); err != nil {
		return err
	}
	r.plan, err = r.state.Plan(refresh.Wishes{Held: held.destinations(), Choices: choices, Limits: r.limited})
	if err != nil {
		return err
	}
	if err := r.applicable(ctx, d); err != nil {
		return err
	}
	err = r.reconcile(ctx, r.visit.all, held)
	r.decisions = r.decide(held)
	return err
}

func (r *reconciler) reconcile(ctx context.Context, all []forge.PullRequest, held holds) error {
	failures := r.retireAll(ctx, all)
	for i := range r.plan.Proposals {
		if stops(errors.Join(failures...)) {
			break
		}
		p := &r.plan.Proposals[i]
		if !r.wanted.branch(p.Branch) && (p.Kind != refresh.Sync || !r.wanted.anyOf(r.plan.Held)) {
			continue
		}
		p.Commands = r.Commands
		if err := r.propose(ctx, r.proposal(p)); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.Group, err))
		}
		r.stuck(p, r.open[p.Branch].Body)
	}
	if !stops(errors.Join(failures...)) {
		failures = append(failures, r.tendSilent(ctx, held), r.disarmRest(ctx, r.wanted.branch))
	}
	r.reportLost()
	r.reportLimits(r.limited)
	for _, dest := range r.plan.Held {
		if r.wanted.destination(dest) {
			r.report(dest, Held, forge.PullRequest{}, refresh.ReposFile+" and the lock disagree; its merges move once they agree")
		}
	}
	for _, dest := range r.state.Destinations() {
		hold, is := held.find(dest)
		if is && !slices.Contains(r.plan.Held, dest) && (r.wanted.named(dest) || slices.Contains(r.plan.OnHold, dest) && r.wanted.destination(dest)) {
			r.report(dest, Held, forge.PullRequest{}, hold.String())
		}
	}
	return errors.Join(failures...)
}

// tendSilent sees to who merges the pull requests of which nothing new is proposed
// while a remote of theirs does not answer.
func (r *reconciler) tendSilent(ctx context.Context, held holds) error {
	var failures []error
	for i := range r.state.Lost {
		l := &r.state.Lost[i]
		branch := r.state.Branch(l.Dest, l.Remote, l.Ref)
		pr, isOpen := r.open[branch]
		if _, onHold := held.find(l.Dest); !isOpen || onHold || !refresh.Passes(l) || r.tended[branch] || !r.wanted.branch(branch) {
			continue
		}
		_, err := r.tend(ctx, &proposal{branch: branch}, pr)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// reportLost says of the merges whose refs could not be resolved that they stay.
func (r *reconciler) reportLost() {
	for i := range r.state.Lost {
		l := &r.state.Lost[i]
		if r.wanted.destination(l.Dest) {
			r.report(l.Dest, Held, r.open[r.state.Branch(l.Dest, l.Remote, l.Ref)], l.Remote+" "+l.Ref+": "+refresh.WhyLost(l))
		}
	}
}

// stops reports whether an error is a reason to leave the rest undone as well:
// what was seen is old, or the forge takes no calls, or the run ends.
func stops(err error) bool {
	limited := (*forge.RateLimitError)(nil)
	return errors.Is(err, forge.ErrLeaseLost) || errors.As(err, &limited) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// proposal is one of the plan's.
func (r *reconciler) proposal(p *refresh.Proposal) *proposal {
	newer := "newer commits"
	if r.Commands {
		newer += ", or by /refresh"
	}
	made := &proposal{
		group: p.Group, branch: p.Branch, target: p.Target, wanted: p.Wanted,
		files:    []file{{refresh.LockFile, p.Old, p.New}},
		remember: markChoices(p.Choices), newer: newer, list: p.List,
		stands:   func(body string) bool { return slices.Equal(r.readChoices(body), p.Choices) },
		describe: func(ctx context.Context) (refresh.Text, error) { return r.describe(ctx, p) },
	}
	made.settle = func(ctx context.Context) (string, error) { return r.settle(ctx, p, made) }
	return made
}

// describe writes a proposal's text, and notes how far each merge moves.
func (r *reconciler) describe(ctx context.Context, p *refresh.Proposal) (refresh.Text, error) {
	if err := r.discreet(ctx, p); err != nil {
		return refresh.Text{}, err
	}
	p.Around.Tree = r.visit
	p.Around.Installed, p.Around.InstalledIn = r.visit.deployed(ctx)
	text, err := p.Describe(ctx, r.historian())
	for i, n := range text.Ahead {
		if c := p.Changes[i]; n >= 0 {
			r.ahead[merge{c.Dest, c.Remote, c.Ref, c.Old, c.New}] = n
		}
	}
	return text, err
}

// historian tells histories, and what is in commits where git shows that.
func (r *reconciler) historian() refresh.Historian {
	if r.survey == nil {
		r.survey = r.Git
		if from, is := r.Git.(refresh.Surveyor); is {
			r.survey = refresh.NewSurvey(from, r.plan)
		}
	}
	return r.survey
}
