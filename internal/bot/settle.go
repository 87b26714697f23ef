package bot

import (
	"context"
	"path"
	"slices"

	"github.com/nuobit/odyssey/internal/refresh"
)

// settle tries the merges of a proposal, and brings what is to be pushed to what
// applies. It returns why nothing is left to propose, "" when something is.
func (r *reconciler) settle(ctx context.Context, p *refresh.Proposal, made *proposal) (nothing string, err error) {
	if r.Rehearser == nil || p.Settled {
		return "", nil
	}
	if err := r.discreet(ctx, p); err != nil {
		return "", err
	}
	if err := p.Settle(ctx, r.Rehearser); err != nil {
		return "", err
	}
	r.plan.Reasons = append(r.plan.Reasons, p.Reasons...)
	made.target, made.files[0].new = p.Target, p.New
	if p.Kind == refresh.Merges && len(p.Changes) == 0 {
		return p.Reasons[0].Why, nil
	}
	return "", nil
}

// applicable refuses a demand for a commit with which the merges of its
// destination do not apply: less than that was not asked for.
func (r *reconciler) applicable(ctx context.Context, d Demand) error {
	for _, c := range d.Choices {
		branch := r.state.Branch(c.Dest, c.Remote, c.Ref)
		i := slices.IndexFunc(r.plan.Proposals, func(p refresh.Proposal) bool { return p.Branch == branch })
		if c.To == "" || i < 0 || r.Rehearser == nil {
			continue
		}
		p := &r.plan.Proposals[i]
		if err := r.discreet(ctx, p); err != nil {
			return err
		}
		attempt, err := p.Rehearse(ctx, r.Rehearser, c)
		if err != nil {
			return err
		}
		if attempt != nil {
			return &RefusedError{"that does not apply, so nothing was changed. " + attempt.Markdown(p.Discretion)}
		}
	}
	return nil
}

// discreet finds out of which remotes a proposal's text may tell.
func (r *reconciler) discreet(ctx context.Context, p *refresh.Proposal) (err error) {
	if p.Discretion.Public || p.Discretion.Enterprise != nil {
		return nil
	}
	var urls, enterprise []string
	for _, s := range r.state.Standings() { // what the text says of addons may be of any
		urls = append(urls, s.URL)
		if path.Clean(s.Dest) == path.Clean(r.state.Policy.Enterprise.Destination) {
			enterprise = append(enterprise, s.URL)
		}
	}
	p.Discretion, err = r.discretion(ctx, r.forge, r.repo, urls, enterprise)
	return err
}

// stuck notes of the merges of a proposal whose pull request stands that it is
// not about their newest commits.
func (r *reconciler) stuck(p *refresh.Proposal, body string) {
	if was := readMark(body); was.wants() == was.target || p.Settled {
		return
	}
	for _, c := range p.Changes {
		if !slices.ContainsFunc(r.plan.Reasons, func(known refresh.Reason) bool {
			return known.Dest == c.Dest && known.Remote == c.Remote && known.Ref == c.Ref
		}) {
			r.plan.Reasons = append(r.plan.Reasons, refresh.Reason{
				Dest: c.Dest, Remote: c.Remote, Ref: c.Ref, Why: "the newest commits do not all apply; the pull request names what conflicts",
			})
		}
	}
}
