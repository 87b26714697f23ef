package gitea

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

const (
	// mostRuns is how many of a repository's newest dispatched runs are looked at.
	mostRuns = 200
	// mostDated is of how many runs that wait it is asked since when.
	mostDated = 3
)

// DispatchWorkflow has a workflow run: one API call. An answer that was lost
// leaves open whether it does. forge.ErrNotFound: there is no such workflow on
// the branch, or the server is older than Gitea 1.26. forge.ErrUnauthorized: the
// account may not write, or Actions are off. Inputs
// that the workflow does not declare are ignored by Gitea.
func (f *Forge) DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error {
	doing := "start the workflow " + d.Workflow
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	if !forge.IsWorkflow(d.Workflow) {
		return f.failed(repo.Name, doing, forge.ErrNotFound)
	}
	option := sdk.CreateActionWorkflowDispatchOption{Ref: "refs/heads/" + d.Branch, Inputs: d.Inputs}
	_, resp, err := client.DispatchRepoActionWorkflow(repo.Owner, repo.Name.Name, d.Workflow, option, false)
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, doing, err)
	}
	return nil
}

// WorkflowRuns lists the runs of a workflow of the default branch that were
// dispatched, the newest first: those among the newest 200 of the repository, one
// API call for each 50, and one more for each of the newest that wait.
// forge.ErrNotFound: the server is older than Gitea 1.26. forge.ErrUnauthorized:
// Actions are off.
func (f *Forge) WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) (runs []forge.WorkflowRun, err error) {
	doing := "list the runs of " + workflow
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	path := workflow + "@refs/heads/" + repo.DefaultBranch
	dated := 0
	for page, seen := 1, 0; seen < mostRuns; page++ {
		got, resp, err := client.ListRepoActionRuns(repo.Owner, repo.Name.Name, sdk.ListRepoActionRunsOptions{
			ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}, Event: "workflow_dispatch", Branch: repo.DefaultBranch,
		})
		if err := answer(resp, err); err != nil {
			return nil, f.failed(repo.Name, doing, err)
		}
		for _, r := range got.WorkflowRuns {
			if r.Path != path {
				continue
			}
			run := runOf(r)
			if run.Created.IsZero() && !run.State.Ended() && dated < mostDated {
				dated++
				if run.Created, err = f.created(client, repo, r.ID); err != nil {
					return nil, f.failed(repo.Name, doing, err)
				}
			}
			runs = append(runs, run)
		}
		seen += len(got.WorkflowRuns)
		if len(got.WorkflowRuns) == 0 || int64(seen) >= got.TotalCount {
			break
		}
	}
	return runs, nil
}

// created asks since when a run waits, which Gitea tells of its jobs alone.
func (f *Forge) created(client *sdk.Client, repo forge.Repo, id int64) (at time.Time, err error) {
	got, resp, err := client.ListRepoActionRunJobs(repo.Owner, repo.Name.Name, id, sdk.ListRepoActionJobsOptions{})
	if err := answer(resp, err); err != nil {
		return at, fmt.Errorf("ask for its jobs: %w", err)
	}
	for _, job := range got.Jobs {
		if made := told(job.CreatedAt); at.IsZero() || made.Before(at) {
			at = made
		}
	}
	return at, nil
}

// told is a time that Gitea tells; what it does not know it calls 1970.
func told(at time.Time) time.Time {
	if at.Unix() <= 0 {
		return time.Time{}
	}
	return at.UTC()
}

func runOf(r *sdk.ActionWorkflowRun) forge.WorkflowRun {
	run := forge.WorkflowRun{Number: r.RunNumber, Title: r.DisplayTitle, URL: r.HTMLURL, State: forge.RunWaiting, Created: told(r.StartedAt)}
	switch conclusion := strings.ToLower(r.Conclusion); {
	case r.Status == "in_progress":
		run.State = forge.RunRunning
	case r.Status != "completed":
	case conclusion == "success":
		run.State = forge.RunSucceeded
	case conclusion == "cancelled":
		run.State = forge.RunCancelled
	default: // "failure"; "skipped" did not do it either
		run.State = forge.RunFailed
	}
	return run
}
