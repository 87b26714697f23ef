package gitea_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
)

// What becomes of a run is seen, and told by a webhook when it ends.
func TestWorkflowRuns(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	if _, err := h.srv.AddWebhook(t.Context(), h.owner, "/repos/"+h.name.String(), h.url, hookSecret, "workflow_run"); err != nil {
		t.Fatal(err)
	}
	head := h.Push(t, forgetest.Commit{Branch: "main", Message: "Add a workflow", Files: map[string]forgetest.File{
		".gitea/workflows/lock.yml": {Content: "run-name: Lock ${{ inputs.branch }}\non: {workflow_dispatch: {inputs: {branch: {type: string}}}}\njobs: {lock: {runs-on: here, steps: [{run: \"true\"}]}}\n"},
	}})[0]
	as := func(token string) *gitea.Forge {
		t.Helper()
		f, err := gitea.New(gitea.Options{URL: h.srv.URL, Token: secret.New(token), HTTP: quick()})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	driver, asOwner := as(h.bot.Token), as(h.owner.Token)
	repo, err := driver.Repo(t.Context(), h.name)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := h.srv.NewRunner(t.Context(), h.owner, h.name.String(), "here")
	if err != nil {
		t.Fatal(err)
	}
	states := func() (all []forge.RunState) {
		t.Helper()
		runs, err := driver.WorkflowRuns(t.Context(), repo, "lock.yml")
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			all = append(all, run.State)
			if time.Since(run.Created).Abs() > time.Minute || !strings.HasPrefix(run.Title, "Lock ") {
				t.Errorf("%+v", run)
			}
		}
		return all
	}
	want := func(want ...forge.RunState) {
		t.Helper()
		for range 100 {
			if got := states(); len(got) == len(want) && got[0] == want[0] {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("states %v, want %v", states(), want)
	}
	for _, success := range []bool{true, false} {
		if err := asOwner.DispatchWorkflow(t.Context(), repo, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main", Inputs: map[string]string{"branch": "b"}}); err != nil {
			t.Fatal(err)
		}
		before := states()[1:]
		want(append([]forge.RunState{forge.RunWaiting}, before...)...)
		task, err := runner.Take(t.Context())
		if err != nil || task == nil {
			t.Fatalf("%+v, %v", task, err)
		}
		want(append([]forge.RunState{forge.RunRunning}, before...)...)
		if err := runner.End(t.Context(), task, success, "done\n"); err != nil {
			t.Fatal(err)
		}
		end := map[bool]forge.RunState{true: forge.RunSucceeded, false: forge.RunFailed}[success]
		want(append([]forge.RunState{end}, before...)...)
		name := map[bool]string{true: "workflow-succeeded", false: "workflow-failed"}[success]
		conclusion := map[bool]string{true: `"conclusion": "success"`, false: `"conclusion": "failure"`}[success]
		h.take(t, name, h.await(t, "workflow_run", action("completed"), conclusion), forge.Event{Kind: forge.EventWorkflow, Head: head, Branch: "main", Workflow: "lock.yml"})
	}
	h.as(t, h.owner, http.MethodPatch, h.name, "", map[string]any{"has_actions": false}, nil)
	_, err = driver.WorkflowRuns(t.Context(), repo, "lock.yml")
	for _, err := range []error{err, driver.DispatchWorkflow(t.Context(), repo, forge.WorkflowDispatch{Workflow: "lock.yml", Branch: "main"})} {
		if !errors.Is(err, forge.ErrUnauthorized) {
			t.Errorf("Actions are off: %v", err)
		}
	}
}
