package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// farewell marks the comment with which the bot closes a pull request.
const farewell = "<!-- odyssey closes this -->"

// retireAll retires the bot's pull requests that no proposal stands for. Those
// of destinations that wait for the lock to be in sync stay.
func (r *reconciler) retireAll(ctx context.Context, all []forge.PullRequest) (failures []error) {
	proposed := map[string]bool{}
	for i := range r.plan.Proposals {
		proposed[r.plan.Proposals[i].Branch] = true
	}
	for _, pr := range all {
		wanted := pr.Base == r.repo.DefaultBranch && (proposed[pr.Head] || r.plan.Waiting[pr.Head])
		if !r.ours(pr) || wanted || !r.wanted.branch(pr.Head) {
			continue
		}
		if err := r.retire(ctx, pr, r.outdated(pr)); err != nil {
			failures = append(failures, fmt.Errorf("close #%d: %w", pr.Number, err))
		}
		if stops(errors.Join(failures...)) {
			break
		}
	}
	return failures
}

// outdated says why nothing stands for a pull request, as Markdown.
func (r *reconciler) outdated(pr forge.PullRequest) string {
	switch {
	case pr.Base != r.repo.DefaultBranch:
		return "this is onto `" + pr.Base + "`, but the default branch is `" + r.repo.DefaultBranch + "`"
	case !r.plan.Branches[pr.Head]:
		return "`" + refresh.ReposFile + "` or the grouping in `" + refresh.ConfigFile + "` changed, so nothing belongs to this pull request any more"
	}
	return "`" + r.repo.DefaultBranch + "` has what this proposed, or its upstream went back to what is locked"
}

// groupOf is what a branch is about, for people, when nothing else tells.
func groupOf(branch string) string { return strings.TrimPrefix(branch, refresh.BranchPrefix) }

// retire closes a pull request that has nothing left to propose, with a word,
// and deletes its branch. One with somebody else's commits stays open.
func (k *keeper) retire(ctx context.Context, pr forge.PullRequest, reason string) error {
	branch, err := k.forge.Branch(ctx, k.repo, pr.Head)
	exists := !errors.Is(err, forge.ErrNotFound)
	if err != nil && exists {
		return err
	}
	group := groupOf(pr.Head)
	if exists && !k.own(branch) {
		k.report(group, Held, pr, "nothing is left to propose, but somebody pushed to its branch; close it when it is not needed")
		return nil
	}
	if err := k.say(ctx, pr.Number, "Closing: "+reason+".\n\n"+farewell); err != nil {
		return err
	}
	if err := k.takeDown(ctx, pr, branch, exists); err != nil {
		return err
	}
	delete(k.open, pr.Head)
	k.report(group, Closed, pr, strings.ReplaceAll(reason, "`", ""))
	return nil
}

// takeDown deletes a pull request's branch and closes it, in this order: what
// is open is found again after a fault, a branch alone is not. The forge may
// close it together with the branch, so its mark goes before.
func (k *keeper) takeDown(ctx context.Context, pr forge.PullRequest, branch forge.Branch, exists bool) error {
	if body := unmarked(pr.Body); body != pr.Body {
		if _, err := k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{Body: body}); err != nil {
			return err
		}
	}
	if exists {
		err := k.forge.DeleteBranch(ctx, k.repo, pr.Head, branch.Head)
		if err != nil && !errors.Is(err, forge.ErrNotFound) && !errors.Is(err, forge.ErrUnauthorized) {
			return err
		}
	}
	_, err := k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{State: forge.Closed})
	return err
}

// say comments once: a second attempt finds the first one's comment.
func (k *keeper) say(ctx context.Context, number int64, text string) error {
	comments, err := k.forge.Comments(ctx, k.repo, number)
	if err != nil {
		return err
	}
	for _, c := range comments {
		if c.Author == k.repo.Account && strings.Contains(c.Body, farewell) {
			return nil
		}
	}
	_, err = k.forge.AddComment(ctx, k.repo, number, text)
	return err
}
