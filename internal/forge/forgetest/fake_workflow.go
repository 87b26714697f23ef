package forgetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// FakeWorkflows is where a Fake looks for workflows.
const FakeWorkflows = ".gitea/workflows/"

// run is a run of a workflow of a Fake's.
type run struct {
	forge.WorkflowRun
	workflow, branch string
}

// DispatchWorkflow starts a run, which waits until SetRun.
func (f *Fake) DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error {
	call := Call{Method: "DispatchWorkflow", Repo: repo.Name, Write: true, Branch: d.Branch, Text: d.Workflow}
	return f.do(ctx, call, func(r *repository) error {
		file, exists := r.commits[r.branches[d.Branch]].Files[FakeWorkflows+d.Workflow]
		if !exists {
			return forge.ErrNotFound
		}
		workflow, err := ReadWorkflow([]byte(file.Content))
		if err != nil {
			return fmt.Errorf("%w: %w", forge.ErrConflict, err)
		}
		number := int64(len(r.runs) + 1)
		r.runs = append(r.runs, &run{
			WorkflowRun: forge.WorkflowRun{
				Number: number, Title: workflow.Title(d.Inputs), State: forge.RunWaiting, Created: r.now(),
				URL: fmt.Sprintf("https://fake.example.org/%s/actions/runs/%d", r.name, number),
			},
			workflow: d.Workflow, branch: d.Branch,
		})
		return nil
	})
}

// WorkflowRuns lists the runs of a workflow of the default branch, the newest
// first.
func (f *Fake) WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) (all []forge.WorkflowRun, err error) {
	err = f.do(ctx, Call{Method: "WorkflowRuns", Repo: repo.Name, Text: workflow}, func(r *repository) error {
		for _, run := range slices.Backward(r.runs) {
			if run.workflow == workflow && run.branch == repo.DefaultBranch {
				all = append(all, run.WorkflowRun)
			}
		}
		return nil
	})
	return all, err
}

// SetRun puts a repository's newest run into a state.
func (f *Fake) SetRun(t testing.TB, name forge.Name, state forge.RunState) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repos[name]
	if len(r.runs) == 0 {
		t.Fatalf("%s has no run", name)
	}
	r.runs[len(r.runs)-1].State = state
}

// ForgetRuns removes a repository's runs, as a forge does after a while.
func (f *Fake) ForgetRuns(name forge.Name) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repos[name].runs = nil
}

// AgeRuns makes a repository's runs older.
func (f *Fake) AgeRuns(name forge.Name, by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, run := range f.repos[name].runs {
		run.Created = run.Created.Add(-by)
	}
}
