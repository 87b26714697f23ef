package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// reconciler brings one repository to one plan.
type reconciler struct {
	*Bot
	forge    Forge
	repo     forge.Repo
	snapshot forge.Snapshot
	plan     *refresh.Plan

	open     map[string]forge.PullRequest // the bot's, by branch
	outcomes []Outcome
}

func (r *reconciler) reconcile(ctx context.Context) error {
	all, err := r.forge.OpenPullRequests(ctx, r.repo)
	if err != nil {
		return err
	}
	r.open = map[string]forge.PullRequest{}
	for _, pr := range all {
		if r.ours(pr) {
			r.open[pr.Head] = pr
		}
	}
	failures := r.retireAll(ctx, all)
	for i := range r.plan.Proposals {
		if stops(errors.Join(failures...)) {
			break
		}
		p := &r.plan.Proposals[i]
		if err := r.propose(ctx, p); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.Group, err))
		}
	}
	for _, dest := range r.plan.Held {
		r.outcomes = append(r.outcomes, Outcome{
			Repo: r.repo.String(), Group: dest, Action: Held,
			Reason: refresh.ReposFile + " and the lock disagree; its merges move once they agree",
		})
	}
	return errors.Join(failures...)
}

// stops reports whether an error is a reason to leave the rest undone as well:
// what was seen is old, or the forge takes no calls, or the run ends.
func stops(err error) bool {
	limited := (*forge.RateLimitError)(nil)
	return errors.Is(err, forge.ErrLeaseLost) || errors.As(err, &limited) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// ours reports whether a pull request is one that the bot made. People may open
// others from its branch, with whatever mark: they count for nothing.
func (r *reconciler) ours(pr forge.PullRequest) bool {
	return !pr.FromFork && strings.HasPrefix(pr.Head, refresh.BranchPrefix) && pr.Author == r.repo.Account
}

func (r *reconciler) propose(ctx context.Context, p *refresh.Proposal) error {
	if pr, isOpen := r.open[p.Branch]; isOpen {
		return r.keepUp(ctx, p, pr)
	}
	return r.start(ctx, p)
}

// report records what became of a proposal.
func (r *reconciler) report(group string, action Action, pr forge.PullRequest, reason string) {
	r.outcomes = append(r.outcomes, Outcome{
		Repo: r.repo.String(), Group: group, Action: action, Title: pr.Title, URL: pr.URL, Reason: reason,
	})
}

// start opens a pull request for a proposal that has none open.
func (r *reconciler) start(ctx context.Context, p *refresh.Proposal) error {
	last, err := r.forge.LastPullRequest(ctx, r.repo, p.Branch)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	known := err == nil && r.ours(last)
	if known && readMark(last.Body).target == p.Target {
		r.report(p.Group, Held, last, "this was "+string(last.State)+" before; it comes back when there are newer commits")
		return nil
	}
	if limit := r.plan.Policy.PullRequests.Limit; len(r.open) >= limit {
		r.report(p.Group, Held, forge.PullRequest{}, fmt.Sprintf("%d pull requests are open, and pullRequests.limit is %d", len(r.open), limit))
		return nil
	}
	branch, err := r.forge.Branch(ctx, r.repo, p.Branch)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	exists := err == nil
	if exists && !r.own(branch) {
		r.report(p.Group, Held, forge.PullRequest{}, "the branch "+p.Branch+" has commits that are not the bot's; delete it to hand it back")
		return nil
	}
	if known && exists && last.State == forge.Closed && last.Base == r.repo.DefaultBranch {
		reopened, err := r.reopen(ctx, p, last, branch)
		if reopened || err != nil {
			return err
		}
	}
	return r.create(ctx, p, branch)
}

// reopen takes up a closed pull request again, for newer commits than it was
// closed at. It returns false when the forge cannot.
func (r *reconciler) reopen(ctx context.Context, p *refresh.Proposal, last forge.PullRequest, branch forge.Branch) (bool, error) {
	_, err := r.forge.EditPullRequest(ctx, r.repo, last.Number, forge.Edit{State: forge.Open})
	if errors.Is(err, forge.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.open[p.Branch] = last
	return true, r.update(ctx, p, last, branch, Reopened)
}

func (r *reconciler) create(ctx context.Context, p *refresh.Proposal, branch forge.Branch) error {
	text, err := p.Describe(ctx, r.Git)
	if err != nil {
		return err
	}
	if !r.holds(branch, p) {
		if err := r.push(ctx, p, text, branch.Head); err != nil {
			return err
		}
	}
	pr, err := r.forge.CreatePullRequest(ctx, r.repo, forge.NewPullRequest{
		Head: p.Branch, Base: r.repo.DefaultBranch, Title: text.Title, Body: marked(text.Body, r.mark(p)),
		Labels: r.plan.Policy.Merges.Labels,
	})
	if errors.Is(err, forge.ErrConflict) || errors.Is(err, forge.ErrNotFound) {
		// Another run opened it, or somebody deleted the branch: look again.
		return fmt.Errorf("%w: %w", forge.ErrLeaseLost, err)
	}
	if err != nil {
		return err
	}
	r.open[p.Branch] = pr
	r.report(p.Group, Opened, pr, "")
	if reviewers := r.plan.Policy.Merges.Reviewers; len(reviewers) > 0 {
		if err := r.forge.RequestReviews(ctx, r.repo, pr.Number, reviewers); err != nil {
			r.Log.Warn("reviewers not asked", "repo", r.repo.String(), "pr", pr.Number, "err", err)
		}
	}
	return nil
}

func (r *reconciler) push(ctx context.Context, p *refresh.Proposal, text refresh.Text, lease string) error {
	_, err := r.forge.Push(ctx, r.repo, forge.Change{
		Base: r.repo.DefaultBranch, BaseHead: r.snapshot.Commit, Branch: p.Branch, Lease: lease,
		Files:   map[string][]byte{refresh.LockFile: p.New},
		Message: text.Message + r.madeOn(), By: r.Identity, When: r.Now(),
	})
	return err
}

// madeOn is the trailer that says which commit the bot's commit stands on.
func (r *reconciler) madeOn() string { return "Odyssey-Base: " + r.snapshot.Commit + "\n" }

// holds reports whether the branch is what a push would make it: an earlier
// run got so far and no further.
func (r *reconciler) holds(branch forge.Branch, p *refresh.Proposal) bool {
	return branch.Head != "" && strings.HasSuffix(strings.TrimSpace(branch.Message)+"\n", refresh.Trailer+p.Target+"\n"+r.madeOn())
}

func (r *reconciler) mark(p *refresh.Proposal) mark {
	return mark{target: p.Target, parent: r.snapshot.Commit, lock: digest(p.Old)}
}
