package forgetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Dispatcher has workflows of the forge's own CI run, and follows them. It is an
// ability that not all drivers have.
type Dispatcher interface {
	DispatchWorkflow(ctx context.Context, repo forge.Repo, d forge.WorkflowDispatch) error
	WorkflowRuns(ctx context.Context, repo forge.Repo, workflow string) ([]forge.WorkflowRun, error)
}

const dispatched = `name: Lock
run-name: Lock ${{ inputs.branch }}
on:
  workflow_dispatch:
    inputs:
      branch:
        type: string
        default: ""
jobs:
  lock:
    runs-on: none-such
    steps:
      - run: "true"
`

// ExerciseWorkflows tries a driver that is a Dispatcher, where no runner takes
// anything. A run is called what its inputs say, and waits.
func ExerciseWorkflows(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	fixture := newFixture(t)
	driver, is := fixture.Forge.(Dispatcher)
	if !is {
		t.Fatal("the driver starts no workflows")
	}
	repo, err := fixture.Forge.Repo(t.Context(), fixture.Repo)
	if err != nil {
		t.Fatal(err)
	}
	workflows := map[string]File{}
	for _, dir := range []string{".gitea/workflows/", ".github/workflows/"} {
		workflows[dir+"lock.yml"] = File{Content: dispatched}
		workflows[dir+"other.yml"] = File{Content: strings.ReplaceAll(dispatched, "Lock", "Other")}
	}
	fixture.Human.Push(t, Commit{Branch: "main", Message: "Add workflows", Files: workflows})
	fixture.Human.Push(t, Commit{Branch: "elsewhere", Message: "Branch off", Files: map[string]File{"f": {Content: "x"}}})

	start := time.Now()
	for _, d := range []forge.WorkflowDispatch{
		{Workflow: "lock.yml", Branch: "main", Inputs: map[string]string{"branch": "one"}},
		{Workflow: "other.yml", Branch: "main", Inputs: map[string]string{"branch": "one"}},
		{Workflow: "lock.yml", Branch: "elsewhere", Inputs: map[string]string{"branch": "one"}},
		{Workflow: "lock.yml", Branch: "main", Inputs: map[string]string{"branch": "$(two) `two` ${{ 1 }}"}},
	} {
		if err := driver.DispatchWorkflow(t.Context(), repo, d); err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
	}
	got, err := driver.WorkflowRuns(t.Context(), repo, "lock.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Title != "Lock $(two) `two` ${{ 1 }}" || got[1].Title != "Lock one" {
		t.Fatalf("runs: %+v", got)
	}
	for _, run := range got {
		if run.State != forge.RunWaiting || run.Number < 1 || !strings.HasPrefix(run.URL, "http") || run.Created.Sub(start).Abs() > time.Minute {
			t.Errorf("%+v", run)
		}
	}
	for _, d := range []forge.WorkflowDispatch{
		{Workflow: "none.yml", Branch: "main"}, {Workflow: "lock.yml", Branch: "nowhere"}, {Workflow: "../../lock.yml", Branch: "main"},
	} {
		if err := driver.DispatchWorkflow(t.Context(), repo, d); err == nil {
			t.Errorf("%+v is started", d)
		} else if d.Branch == "main" {
			wantIs(t, d.Workflow, err, forge.ErrNotFound)
		}
	}
	if got, err := driver.WorkflowRuns(t.Context(), repo, "none.yml"); len(got) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	err = driver.DispatchWorkflow(t.Context(), forge.Repo{Name: forge.Name{Owner: fixture.Repo.Owner, Name: "nothing"}}, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main"})
	wantIs(t, "no repository", err, forge.ErrNotFound)
}
