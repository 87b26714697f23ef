package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// meet brings the keeper's pull requests to an offer, or that one alone which a
// demand is about.
func (k *keeper) meet(ctx context.Context, offer refresh.Offer, v *visit) error {
	wanted := func(branch string) bool { return v.demand.Branch == "" || v.demand.Branch == branch }
	var failures []error
	held, err := k.onHold(ctx, &offer, v)
	if err != nil {
		return err
	}
	for _, pr := range v.all {
		drafted := slices.ContainsFunc(offer.Drafts, func(d refresh.Draft) bool { return d.Branch == pr.Head })
		if _, isOpen := k.open[pr.Head]; !isOpen || !k.ours(pr) || !wanted(pr.Head) || drafted && pr.Base == k.repo.DefaultBranch {
			continue
		}
		if held[pr.Head] && pr.Base == k.repo.DefaultBranch {
			continue
		}
		if reason, waits := offer.Waiting[pr.Head]; waits && pr.Base == k.repo.DefaultBranch {
			if reason != "" {
				k.report(groupOf(pr.Head), Held, pr, reason)
			} else if _, err := k.tend(ctx, &proposal{branch: pr.Head}, k.open[pr.Head]); err != nil { // it stands
				failures = append(failures, fmt.Errorf("#%d: %w", pr.Number, err))
			}
			continue
		}
		if err := k.retire(ctx, pr, k.gone(pr, offer)); err != nil {
			failures = append(failures, fmt.Errorf("close #%d: %w", pr.Number, err))
		}
		if stops(errors.Join(failures...)) {
			return errors.Join(failures...)
		}
	}
	for i := range offer.Drafts {
		if stops(errors.Join(failures...)) {
			break
		}
		d := &offer.Drafts[i]
		if !wanted(d.Branch) {
			continue
		}
		if err := k.propose(ctx, drafted(d)); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", d.Group, err))
		}
	}
	if !stops(errors.Join(failures...)) {
		failures = append(failures, k.disarmRest(ctx, wanted))
	}
	for _, held := range offer.Held {
		action := Held
		if held.UnderWay {
			action = Waiting
		}
		k.report(held.Group, action, forge.PullRequest{URL: held.At.URL, Title: held.At.Title}, held.Reason)
	}
	return errors.Join(failures...)
}

// onHold takes the drafts out of an offer that are about a destination that is
// held, reports them, and returns their branches.
func (k *keeper) onHold(ctx context.Context, offer *refresh.Offer, v *visit) (branches map[string]bool, err error) {
	about := func(d refresh.Draft) bool { return d.Dest != "" }
	if !slices.ContainsFunc(offer.Drafts, about) {
		return nil, nil //nolint:nilnil // none, and no fault
	}
	if err := v.own(ctx); err != nil {
		return nil, err
	}
	holds := readHolds(v.issues)
	branches = map[string]bool{}
	offer.Drafts = slices.DeleteFunc(slices.Clone(offer.Drafts), func(d refresh.Draft) bool {
		hold, is := holds.find(d.Dest)
		if is = is && about(d); is {
			branches[d.Branch] = true
			k.report(d.Group, Held, k.open[d.Branch], hold.String())
		}
		return is
	})
	return branches, nil
}

// holdKind reports whether people hold a kind of refresh as a whole. Then what is
// open of it stays as it is, and is not merged by the forge.
func (v *visit) holdKind(ctx context.Context, done *result, kind refresh.Kind, k *keeper) (held bool, err error) {
	if kind == refresh.Merges { // of which destinations are held
		return false, nil
	}
	if err := v.own(ctx); err != nil {
		return false, err
	}
	hold, held := readHolds(v.issues).kind(kind)
	if !held {
		return false, nil
	}
	if err := v.look(ctx); err != nil {
		return true, err
	}
	k.open = v.open
	pr := forge.PullRequest{}
	for branch, open := range k.open {
		if k.mine(branch) {
			pr = open
		}
	}
	k.report(string(kind), Held, pr, hold.String())
	done.outcomes = append(done.outcomes, k.outcomes...)
	return true, k.disarmRest(ctx, func(string) bool { return true })
}

// gone says why nothing stands for a pull request, as Markdown.
func (k *keeper) gone(pr forge.PullRequest, offer refresh.Offer) string {
	if pr.Base != k.repo.DefaultBranch {
		return "this is onto `" + pr.Base + "`, but the default branch is `" + k.repo.DefaultBranch + "`"
	}
	if reason := offer.Gone[pr.Head]; reason != "" {
		return reason
	}
	return "`" + k.repo.DefaultBranch + "` has what this proposed, or nothing is newer any more"
}

// drafted is the proposal of a draft.
func drafted(d *refresh.Draft) *proposal {
	p := &proposal{
		group: d.Group, branch: d.Branch, target: d.Target, newer: d.Newer,
		stands:   func(string) bool { return true },
		describe: d.Describe,
		list:     func() []string { return d.List },
	}
	for _, f := range d.Files {
		p.files = append(p.files, file{f.Path, f.Old, f.New})
	}
	return p
}
