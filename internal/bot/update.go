package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// keepUp brings an open pull request to its proposal, if it is not there.
func (k *keeper) keepUp(ctx context.Context, p *proposal, pr forge.PullRequest) error {
	now := readMark(pr.Body)
	stands := now.wants() == p.wants() && p.stands(pr.Body) && (!k.automerge || automerge(pr.Body) != "")
	if stands && now.lock == p.before() && !k.anew {
		return k.done(ctx, p, Unchanged, pr)
	}
	branch, err := k.forge.Branch(ctx, k.repo, p.branch)
	if errors.Is(err, forge.ErrNotFound) {
		k.report(p.group, Held, pr, "its branch was deleted, so the forge closes it")
		return nil
	}
	if err != nil {
		return err
	}
	if !k.own(branch) {
		return k.leaveAlone(ctx, p, pr)
	}
	if stands && !k.anew && p.commit == "" {
		conflict, err := k.conflicts(ctx, p, now.parent, branch.Head)
		if err != nil {
			return err
		}
		if !conflict {
			// The pull request stands as it is; only what was looked at is noted.
			now.lock = p.before()
			pr.Body = marked(pr.Body, now)
			if _, err := k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{Body: pr.Body}); err != nil {
				return err
			}
			return k.done(ctx, p, Unchanged, pr)
		}
	}
	nothing, err := p.settled(ctx)
	switch {
	case err != nil:
		return err
	case nothing != "":
		return k.retire(ctx, pr, "nothing of what it proposed applies any more: "+refresh.Inline(nothing))
	}
	return k.update(ctx, p, pr, branch, Updated)
}

// conflicts reports whether the branch's files no longer merge into the
// default branch's.
func (k *keeper) conflicts(ctx context.Context, p *proposal, parent, head string) (bool, error) {
	for _, f := range p.files {
		base, err := k.fileAt(ctx, parent, f.path)
		if err != nil {
			return false, err
		}
		theirs, err := k.fileAt(ctx, head, f.path)
		if err != nil {
			return false, err
		}
		if conflict, err := k.Git.Conflicts(ctx, base, f.old, theirs); conflict || err != nil {
			return conflict, err
		}
	}
	return false, nil
}

// fileAt returns a file at a commit, empty when it is not there.
func (k *keeper) fileAt(ctx context.Context, commit, path string) ([]byte, error) {
	data, err := k.forge.File(ctx, k.repo, commit, path)
	if errors.Is(err, forge.ErrNotFound) {
		return nil, nil
	}
	return data, err
}

// update replaces the branch, if it still has the head that was seen, and
// then the pull request's text.
func (k *keeper) update(ctx context.Context, p *proposal, pr forge.PullRequest, branch forge.Branch, action Action) error {
	text, err := p.describe(ctx)
	if err != nil {
		return err
	}
	if k.armed(ctx, pr) { // the forge is not to merge what nobody has decided about yet
		if err := k.cancel(ctx, pr); err != nil {
			return err
		}
	}
	head, pushed, err := k.push(ctx, p, text, branch)
	if err != nil {
		return err
	}
	if err := k.decide(ctx, p.branch, head, pushed, text); err != nil {
		return err
	}
	body := k.body(p, text)
	if !pushed && action == Updated && pr.Title == text.Title && pr.Body == body {
		return k.done(ctx, p, Unchanged, pr)
	}
	k.sayFit(ctx, head, text.Fit)
	_, err = k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{Title: text.Title, Body: body})
	if err != nil {
		return err
	}
	pr.Title, pr.Body = text.Title, body
	k.open[p.branch] = pr
	return k.done(ctx, p, action, pr)
}

// maxNewest is how many merges a note lists.
const maxNewest = 20

// leaveAlone says in a pull request that somebody else's commits are on its
// branch, and what the newest target is.
func (k *keeper) leaveAlone(ctx context.Context, p *proposal, pr forge.PullRequest) error {
	newest := p.list()
	if more := len(newest) - maxNewest; more > 0 {
		newest = append(newest[:maxNewest], fmt.Sprintf("… and %d more", more))
	}
	note := "> **Somebody pushed to this branch, so the bot leaves it as it is.** What it would propose now:\n>\n> - " +
		strings.Join(newest, "\n> - ") + "\n>\n> To hand it back, delete the branch `" + p.branch + "`: the next run makes it anew."
	if k.armed(ctx, pr) {
		if err := k.cancel(ctx, pr); err != nil {
			return err
		}
		pr.Body = withAutomerge(pr.Body, automergeOff, "somebody pushed to its branch")
	}
	if body := noted(unmarked(pr.Body), note); body != k.open[p.branch].Body {
		if _, err := k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{Body: body}); err != nil {
			return err
		}
	}
	k.report(p.group, Held, pr, "somebody pushed to "+p.branch+"; it is left alone")
	return nil
}
