package github_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/test/githubtest"
)

// How far a run is, in GitHub's words.
func TestWorkflowStates(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	f := s.driver(t)
	s.Human.Push(t, forgetest.Commit{Branch: "main", Message: "Add a workflow", Files: map[string]forgetest.File{
		".github/workflows/lock.yml": {Content: "run-name: Lock\non: {workflow_dispatch: {inputs: {branch: {}}}}\n"},
	}})
	err := f.DispatchWorkflow(t.Context(), s.repo, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main", Inputs: map[string]string{"bronch": "x"}})
	if !errors.Is(err, forge.ErrConflict) || !strings.Contains(err.Error(), "bronch") {
		t.Errorf("an input that nobody declared: %v", err)
	}
	if err := f.DispatchWorkflow(t.Context(), s.repo, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main"}); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]forge.RunState{
		"queued ": forge.RunWaiting, "pending ": forge.RunWaiting, "in_progress ": forge.RunRunning, "completed success": forge.RunSucceeded, "completed cancelled": forge.RunCancelled,
		"completed failure": forge.RunFailed, "completed timed_out": forge.RunFailed, "completed startup_failure": forge.RunFailed, "completed action_required": forge.RunWaiting,
	} {
		status, conclusion, _ := strings.Cut(words, " ")
		s.SetRun(s.Repo, status, conclusion)
		runs, err := f.WorkflowRuns(t.Context(), s.repo, "lock.yml")
		if err != nil || len(runs) != 1 || runs[0].State != want {
			t.Errorf("%s: %+v, %v; want %s", words, runs, err, want)
		}
	}
	s.SetRun(s.Repo, "resting", "")
	if _, err := f.WorkflowRuns(t.Context(), s.repo, "lock.yml"); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("a state that nobody knows: %v", err)
	}
}

// An App that may not start workflows is told which permission it lacks.
func TestWorkflowPermission(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	s.Intercept(only(1, &githubtest.Answer{
		Status: http.StatusForbidden, Header: map[string]string{"X-Accepted-GitHub-Permissions": "actions=write"},
		Body: `{"message":"Resource not accessible by integration"}`,
	}, at(http.MethodPost, "/dispatches")))
	err := s.driver(t).DispatchWorkflow(t.Context(), s.repo, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main"})
	if !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "actions") {
		t.Errorf("error %v", err)
	}
}
