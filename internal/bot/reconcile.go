package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	state    *refresh.State
	plan     *refresh.Plan
	wanted   wanted
	issues   []forge.Issue // the bot's; nil unless they matter

	open     map[string]forge.PullRequest // the bot's, by branch
	outcomes []Outcome
	ahead    map[merge]int
}

// run reads what people have said, plans with it, and reconciles.
func (r *reconciler) run(ctx context.Context, d Demand) error {
	d, err := r.resolve(ctx, d)
	if err != nil {
		return err
	}
	if r.state.Behind > 0 || !d.none() {
		if r.issues, err = ownIssues(ctx, r.forge, r.repo); err != nil {
			return err
		}
	}
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
	held := readHolds(r.issues)
	r.wanted = want(d, r.state)
	choices := r.choices(d)
	if err := r.rememberable(d, choices); err != nil {
		return err
	}
	r.plan, err = r.state.Plan(refresh.Wishes{Held: held.destinations(), Choices: choices})
	if err != nil {
		return err
	}
	return r.reconcile(ctx, all, held)
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
		if err := r.propose(ctx, p); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.Group, err))
		}
	}
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

// pulls lists the bot's pull requests that are open, the oldest first, or nil
// when nobody asked for them.
func (r *reconciler) pulls() []Pull {
	if r.open == nil {
		return nil
	}
	all := slices.SortedFunc(maps.Values(r.open), func(a, b forge.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	pulls := make([]Pull, 0, len(all))
	for _, pr := range all {
		pulls = append(pulls, Pull{URL: pr.URL, Title: pr.Title})
	}
	return pulls
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
	if known && readMark(last.Body).target == p.Target && !r.wanted.demanded() {
		r.report(p.Group, Held, last, r.settled(last))
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

// settled says why what was proposed before is not proposed again.
func (r *reconciler) settled(last forge.PullRequest) string {
	reason := "this was closed before"
	if last.State == forge.Merged {
		reason = "this was merged before and taken back since, which counts as a hold"
	}
	reason += "; it comes back when there are newer commits"
	if r.Commands {
		reason += ", or by /refresh"
	}
	return reason
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
	text, err := r.describe(ctx, p)
	if err != nil {
		return err
	}
	if _, err := r.push(ctx, p, text, branch); err != nil {
		return err
	}
	pr, err := r.forge.CreatePullRequest(ctx, r.repo, forge.NewPullRequest{
		Head: p.Branch, Base: r.repo.DefaultBranch, Title: text.Title, Body: r.body(p, text),
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

// describe writes a proposal's text, and notes how far each merge moves.
func (r *reconciler) describe(ctx context.Context, p *refresh.Proposal) (refresh.Text, error) {
	text, err := p.Describe(ctx, r.Git)
	for i, n := range text.Ahead {
		if c := p.Changes[i]; n >= 0 {
			r.ahead[merge{c.Dest, c.Remote, c.Ref, c.Old, c.New}] = n
		}
	}
	return text, err
}

// body is a pull request's text with what the bot remembers in it.
func (r *reconciler) body(p *refresh.Proposal, text refresh.Text) string {
	return marked(text.Body+markChoices(p.Choices), r.mark(p))
}

// push makes the branch what the proposal is, on top of the default branch, if
// it still is what was seen. It returns false when the branch is that already.
func (r *reconciler) push(ctx context.Context, p *refresh.Proposal, text refresh.Text, branch forge.Branch) (pushed bool, err error) {
	if r.holds(branch, p) {
		return false, nil
	}
	_, err = r.forge.Push(ctx, r.repo, forge.Change{
		Base: r.repo.DefaultBranch, BaseHead: r.snapshot.Commit, Branch: p.Branch, Lease: branch.Head,
		Files:   map[string][]byte{refresh.LockFile: p.New},
		Message: text.Message + r.madeOn(), By: r.Identity, When: r.Now(),
	})
	return err == nil, err
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
