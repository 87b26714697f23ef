package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Dispatcher is a forge that runs workflows.
type Dispatcher interface {
	DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error
	WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) ([]forge.WorkflowRun, error)
}

// dispatcher returns what a forge runs workflows by, or errors.ErrUnsupported.
func dispatcher(f Forge) (Dispatcher, error) {
	d, is := f.(Dispatcher)
	if !is {
		return nil, errors.ErrUnsupported
	}
	return d, nil
}

// DispatchWorkflow implements Dispatcher, also of a forge that is none.
func (g guarded) DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error {
	inner, err := dispatcher(g.Forge)
	if err != nil {
		return err
	}
	return g.write(ctx, "DispatchWorkflow", func() error { return inner.DispatchWorkflow(ctx, repo, d) })
}

// WorkflowRuns implements Dispatcher, also of a forge that is none.
func (g guarded) WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) ([]forge.WorkflowRun, error) {
	inner, err := dispatcher(g.Forge)
	if err != nil {
		return nil, err
	}
	return inner.WorkflowRuns(ctx, repo, workflow)
}

// DispatchWorkflow implements Dispatcher.
func (dryRun) DispatchWorkflow(context.Context, forge.Repo, forge.WorkflowDispatch) error { return nil }

// WorkflowRuns implements Dispatcher, also of a forge that is none.
func (d dryRun) WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) ([]forge.WorkflowRun, error) {
	inner, err := dispatcher(d.Forge)
	if err != nil {
		return nil, err
	}
	return inner.WorkflowRuns(ctx, repo, workflow)
}

// Runs implements refresh.Workflows.
func (v *visit) Runs(ctx context.Context, workflow string) ([]forge.WorkflowRun, error) {
	d, err := dispatcher(v.forge)
	if err != nil {
		return nil, err
	}
	return d.WorkflowRuns(ctx, v.repo, workflow)
}

// Head implements refresh.Workflows.
func (v *visit) Head(ctx context.Context, branch string) (string, error) {
	got, err := v.forge.Branch(ctx, v.repo, branch)
	if errors.Is(err, forge.ErrNotFound) {
		return "", nil
	}
	return got.Head, err
}

// File implements refresh.Workflows.
func (v *visit) File(ctx context.Context, commit, path string) ([]byte, error) {
	return v.forge.File(ctx, v.repo, commit, path)
}

// dispatch has a workflow run, on the default branch as it is then. It returns
// what is to be told of that.
func (v *visit) dispatch(ctx context.Context, wanted *refresh.Dispatch) (refresh.Held, error) {
	d, err := dispatcher(v.forge)
	if held, known := wanted.Unable(err); known {
		return held, nil
	}
	if _, dry := v.forge.(dryRun); dry {
		return wanted.Would(), nil
	}
	for _, branch := range wanted.Clear {
		if err := v.remove(ctx, branch, ""); err != nil {
			return refresh.Held{}, err
		}
	}
	wanted.Tell(ctx, refresh.RunAsked)
	err = d.DispatchWorkflow(ctx, v.repo, forge.WorkflowDispatch{Workflow: wanted.Workflow, Branch: v.repo.DefaultBranch, Inputs: wanted.Inputs()})
	if held, known := wanted.Unable(err); known {
		wanted.Tell(ctx, refresh.RunRefused)
		return held, nil
	}
	if err != nil {
		return refresh.Held{}, err
	}
	wanted.Tell(ctx, refresh.RunStarted)
	v.Log.Info("workflow started", "repo", v.repo.String(), "workflow", wanted.Workflow, "branch", wanted.Branch)
	runs, err := d.WorkflowRuns(ctx, v.repo, wanted.Workflow)
	if err != nil { // it is started; a later look finds its page
		v.Log.Warn("workflow's run not found", "repo", v.repo.String(), "workflow", wanted.Workflow, "err", err)
	}
	return wanted.Wait(runs), nil
}

// clear removes the branches that nobody needs any more, once all drafts of the
// offer are proposed: what the limit of pull requests holds back is not lost.
func (v *visit) clear(ctx context.Context, offer refresh.Offer, outcomes []Outcome) error {
	for _, d := range offer.Drafts {
		if !slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Group == d.Group && o.Action != Held }) {
			return nil
		}
	}
	for _, branch := range slices.Sorted(maps.Keys(offer.Spent)) {
		if err := v.remove(ctx, branch, offer.Spent[branch]); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a branch that is at a commit, "" for wherever it is. It may be
// gone, or somewhere else.
func (v *visit) remove(ctx context.Context, branch, at string) error {
	head, err := v.Head(ctx, branch)
	if err != nil || head == "" || at != "" && head != at {
		return err
	}
	if err := v.forge.DeleteBranch(ctx, v.repo, branch, head); err != nil && !errors.Is(err, forge.ErrLeaseLost) {
		return fmt.Errorf("remove branch %s: %w", branch, err)
	}
	return nil
}
