package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// keepUp brings an open pull request to its proposal, if it is not there.
func (r *reconciler) keepUp(ctx context.Context, p *refresh.Proposal, pr forge.PullRequest) error {
	now := readMark(pr.Body)
	stands := now.target == p.Target && slices.Equal(r.readChoices(pr.Body), p.Choices)
	if stands && now.lock == digest(p.Old) && !r.wanted.anew {
		r.report(p.Group, Unchanged, pr, "")
		return nil
	}
	branch, err := r.forge.Branch(ctx, r.repo, p.Branch)
	if errors.Is(err, forge.ErrNotFound) {
		r.report(p.Group, Held, pr, "its branch was deleted, so the forge closes it")
		return nil
	}
	if err != nil {
		return err
	}
	if !r.own(branch) {
		return r.leaveAlone(ctx, p, pr)
	}
	if stands && !r.wanted.anew {
		conflict, err := r.conflicts(ctx, p, now.parent, branch.Head)
		if err != nil {
			return err
		}
		if !conflict {
			// The pull request stands as it is; only what was looked at is noted.
			now.lock = digest(p.Old)
			_, err := r.forge.EditPullRequest(ctx, r.repo, pr.Number, forge.Edit{Body: marked(pr.Body, now)})
			r.report(p.Group, Unchanged, pr, "")
			return err
		}
	}
	return r.update(ctx, p, pr, branch, Updated)
}

// conflicts reports whether the branch's lock no longer merges into the
// default branch's.
func (r *reconciler) conflicts(ctx context.Context, p *refresh.Proposal, parent, head string) (bool, error) {
	base, err := r.fileAt(ctx, parent)
	if err != nil {
		return false, err
	}
	theirs, err := r.fileAt(ctx, head)
	if err != nil {
		return false, err
	}
	return r.Git.Conflicts(ctx, base, p.Old, theirs)
}

// fileAt returns the lock at a commit, empty when it has none.
func (r *reconciler) fileAt(ctx context.Context, commit string) ([]byte, error) {
	data, err := r.forge.File(ctx, r.repo, commit, refresh.LockFile)
	if errors.Is(err, forge.ErrNotFound) {
		return nil, nil
	}
	return data, err
}

// update replaces the branch, if it still has the head that was seen, and
// then the pull request's text.
func (r *reconciler) update(ctx context.Context, p *refresh.Proposal, pr forge.PullRequest, branch forge.Branch, action Action) error {
	text, err := r.describe(ctx, p)
	if err != nil {
		return err
	}
	pushed, err := r.push(ctx, p, text, branch)
	if err != nil {
		return err
	}
	body := r.body(p, text)
	if !pushed && action == Updated && pr.Title == text.Title && pr.Body == body {
		r.report(p.Group, Unchanged, pr, "")
		return nil
	}
	_, err = r.forge.EditPullRequest(ctx, r.repo, pr.Number, forge.Edit{Title: text.Title, Body: body})
	if err != nil {
		return err
	}
	pr.Title = text.Title
	r.open[p.Branch] = pr
	r.report(p.Group, action, pr, "")
	return nil
}

// maxNewest is how many merges a note lists.
const maxNewest = 20

// leaveAlone says in a pull request that somebody else's commits are on its
// branch, and what the newest target is.
func (r *reconciler) leaveAlone(ctx context.Context, p *refresh.Proposal, pr forge.PullRequest) error {
	newest := p.List()
	if more := len(newest) - maxNewest; more > 0 {
		newest = append(newest[:maxNewest], fmt.Sprintf("… and %d more", more))
	}
	note := "> **Somebody pushed to this branch, so the bot leaves it as it is.** What it would propose now:\n>\n> - " +
		strings.Join(newest, "\n> - ") + "\n>\n> To hand it back, delete the branch `" + p.Branch + "`: the next run makes it anew."
	if body := noted(unmarked(pr.Body), note); body != pr.Body {
		if _, err := r.forge.EditPullRequest(ctx, r.repo, pr.Number, forge.Edit{Body: body}); err != nil {
			return err
		}
	}
	r.report(p.Group, Held, pr, "somebody pushed to "+p.Branch+"; it is left alone")
	return nil
}
