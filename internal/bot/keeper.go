package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// keeper keeps the bot's pull requests in one repository, whatever they are
// about: it opens them, brings them up to date, and leaves alone what people
// made or decided.
type keeper struct {
	*Bot
	forge             Forge
	repo              forge.Repo
	mine              func(branch string) bool // reports whether a branch of the bot's is among those that are kept
	head              string                   // commit of the default branch that was read
	limit             int                      // of pull requests that are open
	labels, reviewers []string
	demanded          bool            // somebody asks for it: what was closed or taken back counts for nothing
	anew              bool            // what stands is made again, too
	automerge         bool            // the forge merges what nobody has to look at
	tended            map[string]bool // branches whose automerge was seen to

	open     map[string]forge.PullRequest // the bot's, by branch; those that count together for the limit
	outcomes []Outcome
}

// proposal is one pull request that should exist.
type proposal struct {
	group, branch string
	target        string // digest of what it leads to
	wanted        string // digest of what it should lead to, when settle may find that it cannot; "": target
	files         []file
	remember      string // hidden text of its own
	newer         string // what brings it back once it was closed: "newer commits"

	// commit is what the branch is to be at, and push puts it there, if it is at
	// lease now: for what is not made of files by the forge.
	commit string
	push   func(ctx context.Context, lease string) error

	// stands reports whether the text of a pull request is of this proposal, as
	// far as the target does not tell.
	stands   func(body string) bool
	describe func(ctx context.Context) (refresh.Text, error)
	list     func() []string // what it leads to, a line each, as Markdown

	// settle brings target and files to what can be proposed, before anything
	// is written. It returns why nothing can be, "" when something can. Nil: all can.
	settle func(ctx context.Context) (nothing string, err error)
}

// wants is the digest of what the proposal should lead to.
func (p *proposal) wants() string { return cmp.Or(p.wanted, p.target) }

// settled settles a proposal.
func (p *proposal) settled(ctx context.Context) (nothing string, err error) {
	if p.settle == nil {
		return "", nil
	}
	return p.settle(ctx)
}

// file is a file of the repository, as it is and as proposed.
type file struct {
	path     string
	old, new []byte
}

// before is a digest of the files as they are.
func (p *proposal) before() string {
	if p.commit != "" {
		return digest([]byte(p.commit))
	}
	if len(p.files) == 1 {
		return digest(p.files[0].old)
	}
	var all strings.Builder
	for _, f := range p.files {
		all.WriteString(f.path + "\x00" + digest(f.old) + "\n")
	}
	return digest([]byte(all.String()))
}

// proposed are the files as they should be, by path.
func (p *proposal) proposed() map[string][]byte {
	all := map[string][]byte{}
	for _, f := range p.files {
		all[f.path] = f.new
	}
	return all
}

// look reads which pull requests are open, and returns all of them.
func (k *keeper) look(ctx context.Context) ([]forge.PullRequest, error) {
	all, err := k.forge.OpenPullRequests(ctx, k.repo)
	if err != nil {
		return nil, err
	}
	k.open = map[string]forge.PullRequest{}
	for _, pr := range all {
		if k.ours(pr) {
			k.open[pr.Head] = pr
		}
	}
	return all, nil
}

// ours reports whether a pull request is one that the bot made. People may open
// others from its branch, with whatever mark: they count for nothing.
func (k *keeper) ours(pr forge.PullRequest) bool {
	return !pr.FromFork && k.mine(pr.Head) && pr.Author == k.repo.Account
}

func (k *keeper) propose(ctx context.Context, p *proposal) error {
	k.seen(p.branch)
	if pr, isOpen := k.open[p.branch]; isOpen {
		return k.keepUp(ctx, p, pr)
	}
	return k.start(ctx, p)
}

// report records what became of a proposal.
func (k *keeper) report(group string, action Action, pr forge.PullRequest, reason string) {
	k.outcomes = append(k.outcomes, Outcome{
		Repo: k.repo.String(), Group: group, Action: action, Title: pr.Title, URL: pr.URL, Reason: reason,
	})
}

// start opens a pull request for a proposal that has none open.
func (k *keeper) start(ctx context.Context, p *proposal) error {
	last, err := k.forge.LastPullRequest(ctx, k.repo, p.branch)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	known := err == nil && k.ours(last)
	if known && p.refused(last) && !k.demanded {
		k.report(p.group, Held, last, p.refusal(last))
		return nil
	}
	if len(k.open) >= k.limit {
		k.report(p.group, Held, forge.PullRequest{}, fmt.Sprintf("%d pull requests are open, and pullRequests.limit is %d", len(k.open), k.limit))
		return nil
	}
	branch, err := k.forge.Branch(ctx, k.repo, p.branch)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	exists := err == nil
	if exists && !k.own(branch) {
		k.report(p.group, Held, forge.PullRequest{}, "the branch "+p.branch+" has commits that are not the bot's; delete it to hand it back")
		return nil
	}
	nothing, err := p.settled(ctx)
	if err != nil {
		return err
	}
	if nothing != "" {
		k.report(p.group, Held, forge.PullRequest{}, nothing)
		return nil
	}
	if known && p.refused(last) && !k.demanded {
		k.report(p.group, Held, last, p.refusal(last))
		return nil
	}
	if known && exists && last.State == forge.Closed && last.Base == k.repo.DefaultBranch {
		reopened, err := k.reopen(ctx, p, last, branch)
		if reopened || err != nil {
			return err
		}
	}
	return k.create(ctx, p, branch)
}

// refused reports whether the proposal was closed before, or merged and taken
// back. What is merged may be less than what was wanted, which is no refusal.
func (p *proposal) refused(last forge.PullRequest) bool {
	was := readMark(last.Body)
	return was.target == p.target || last.State == forge.Closed && was.wants() == p.wants()
}

// refusal says why what was proposed before is not proposed again.
func (p *proposal) refusal(last forge.PullRequest) string {
	reason := "this was closed before"
	if last.State == forge.Merged {
		reason = "this was merged before and taken back since, which counts as a hold"
	}
	return reason + "; it comes back with " + p.newer
}

// reopen takes up a closed pull request again, for newer commits than it was
// closed at. It returns false when the forge cannot.
func (k *keeper) reopen(ctx context.Context, p *proposal, last forge.PullRequest, branch forge.Branch) (bool, error) {
	if k.armed(ctx, last) { // or the forge may merge what people have closed
		if err := k.cancel(ctx, last); err != nil {
			return false, err
		}
	}
	_, err := k.forge.EditPullRequest(ctx, k.repo, last.Number, forge.Edit{State: forge.Open})
	if errors.Is(err, forge.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k.open[p.branch] = last
	return true, k.update(ctx, p, last, branch, Reopened)
}

func (k *keeper) create(ctx context.Context, p *proposal, branch forge.Branch) error {
	text, err := p.describe(ctx)
	if err != nil {
		return err
	}
	head, pushed, err := k.push(ctx, p, text, branch)
	if err != nil {
		return err
	}
	if err := k.decide(ctx, p.branch, head, pushed, text); err != nil {
		return err
	}
	k.sayFit(ctx, head, text.Fit)
	pr, err := k.forge.CreatePullRequest(ctx, k.repo, forge.NewPullRequest{
		Head: p.branch, Base: k.repo.DefaultBranch, Title: text.Title, Body: k.body(p, text),
		Labels: k.labels,
	})
	if errors.Is(err, forge.ErrConflict) || errors.Is(err, forge.ErrNotFound) {
		// Another run opened it, or somebody deleted the branch: look again.
		return fmt.Errorf("%w: %w", forge.ErrLeaseLost, err)
	}
	if err != nil {
		return err
	}
	k.open[p.branch] = pr
	if len(k.reviewers) > 0 {
		if err := k.forge.RequestReviews(ctx, k.repo, pr.Number, k.reviewers); err != nil {
			k.Log.Warn("reviewers not asked", "repo", k.repo.String(), "pr", pr.Number, "err", err)
		}
	}
	return k.done(ctx, p, Opened, pr)
}

// done reports what became of a pull request, and sees to who merges it.
func (k *keeper) done(ctx context.Context, p *proposal, action Action, pr forge.PullRequest) error {
	why, err := k.tend(ctx, p, pr)
	if why != "" {
		why = "no automerge: " + why
	}
	k.report(p.group, action, pr, why)
	return err
}

// body is a pull request's text with what the bot remembers in it.
func (k *keeper) body(p *proposal, text refresh.Text) string {
	body := marked(text.Body+p.remember, k.mark(p))
	if k.automerge {
		state, reason := k.planned(text)
		body = withAutomerge(body, state, reason)
	}
	return body
}

// push makes the branch what the proposal is, on top of the default branch, if
// it still is what was seen. It returns false when the branch is that already.
func (k *keeper) push(ctx context.Context, p *proposal, text refresh.Text, branch forge.Branch) (head string, pushed bool, err error) {
	unknown := k.automerge && k.Memory != nil && k.recall(ctx, p.branch).Head != branch.Head // then the forge would not merge it
	if k.holds(branch, p) && !unknown {
		return branch.Head, false, nil
	}
	if p.push != nil {
		return "", true, p.push(ctx, branch.Head)
	}
	head, err = k.forge.Push(ctx, k.repo, forge.Change{
		Base: k.repo.DefaultBranch, BaseHead: k.head, Branch: p.branch, Lease: branch.Head,
		Files:   p.proposed(),
		Message: text.Message + k.madeOn(), By: k.Identity, When: k.Now(),
	})
	return head, err == nil, err
}

// madeOn is the trailer that says which commit the bot's commit stands on.
func (k *keeper) madeOn() string { return "Odyssey-Base: " + k.head + "\n" }

// holds reports whether the branch is what a push would make it: an earlier
// run got so far and no further.
func (k *keeper) holds(branch forge.Branch, p *proposal) bool {
	if p.commit != "" {
		return branch.Head == p.commit
	}
	return branch.Head != "" && strings.HasSuffix(strings.TrimSpace(branch.Message)+"\n", refresh.Trailer+p.target+"\n"+k.madeOn())
}

func (k *keeper) mark(p *proposal) mark {
	return mark{target: p.target, parent: k.head, lock: p.before(), wanted: p.wanted}
}
