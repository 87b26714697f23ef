package github

import (
	"context"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// mostRuns is how many of a workflow's newest dispatched runs are looked at: one
// page.
const mostRuns = 100

// DispatchWorkflow has a workflow run: one API call, which needs the permission
// actions: write. An answer that was lost leaves open whether it does.
// forge.ErrNotFound: there is no such workflow. forge.ErrConflict: it does not
// take these inputs, or is switched off.
func (f *Forge) DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error {
	doing := "start the workflow " + d.Workflow
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	if !forge.IsWorkflow(d.Workflow) {
		return failed(repo.Name, doing, forge.ErrNotFound)
	}
	inputs := map[string]any{}
	for name, value := range d.Inputs {
		inputs[name] = value
	}
	resp, err := client.Actions.CreateWorkflowDispatchEventByFileName(ctx, repo.Owner, repo.Name.Name, d.Workflow,
		sdk.CreateWorkflowDispatchEventRequest{Ref: d.Branch, Inputs: inputs})
	if err := answer(resp, err); err != nil {
		return failed(repo.Name, doing, err)
	}
	return nil
}

// WorkflowRuns lists the runs of a workflow of the default branch that were
// dispatched, the newest first, at most 100: one API call. A run is on the list
// some seconds after it was asked for. forge.ErrNotFound: there is no such
// workflow.
func (f *Forge) WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) ([]forge.WorkflowRun, error) {
	doing := "list the runs of " + workflow
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	if !forge.IsWorkflow(workflow) {
		return nil, failed(repo.Name, doing, forge.ErrNotFound)
	}
	got, resp, err := client.Actions.ListWorkflowRunsByFileName(ctx, repo.Owner, repo.Name.Name, workflow, &sdk.ListWorkflowRunsOptions{
		Branch: repo.DefaultBranch, Event: "workflow_dispatch", ListOptions: sdk.ListOptions{PerPage: mostRuns},
	})
	if err := answer(resp, err); err != nil {
		return nil, failed(repo.Name, doing, err)
	}
	var runs []forge.WorkflowRun
	for _, r := range got.WorkflowRuns {
		state, err := runState(r.GetStatus(), r.GetConclusion())
		if err != nil {
			return nil, failed(repo.Name, doing, err)
		}
		runs = append(runs, forge.WorkflowRun{
			Number: int64(r.GetRunNumber()), Title: r.GetDisplayTitle(), URL: r.GetHTMLURL(), State: state, Created: r.GetCreatedAt().UTC(),
		})
	}
	return runs, nil
}

// runState reads how far a run is (docs.github.com, "List workflow runs").
func runState(status, conclusion string) (forge.RunState, error) {
	switch status {
	case "queued", "waiting", "requested", "pending", "action_required":
		return forge.RunWaiting, nil
	case "in_progress":
		return forge.RunRunning, nil
	case "completed":
		switch conclusion {
		case "success", "neutral":
			return forge.RunSucceeded, nil
		case "cancelled":
			return forge.RunCancelled, nil
		case "action_required":
			return forge.RunWaiting, nil
		}
		return forge.RunFailed, nil // "failure", "timed_out", "startup_failure", "stale", "skipped"
	}
	return "", fmt.Errorf("%w: it calls the state of a run %q", forge.ErrTransient, status)
}
