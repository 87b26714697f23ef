package forgehook

import (
	"errors"

	"github.com/nuobit/odyssey/internal/forge"
)

// WorkflowRun is what all forges tell alike of a run of a workflow.
type WorkflowRun struct {
	Event      string `json:"event"`
	Path       string `json:"path"`        // on Gitea "check.yml@refs/heads/main"
	HeadBranch string `json:"head_branch"` // null of some events
	HeadSHA    string `json:"head_sha"`
}

// Ended reads into an event that a run ended, but for its branch, which may be
// another repository's. It returns false when the action is another one.
func (w *WorkflowRun) Ended(event *forge.Event, action string) (bool, error) {
	switch {
	case action == "":
		return false, errors.New("action is missing")
	case action != "completed":
		return false, nil
	case w == nil:
		return false, errors.New("workflow_run is missing")
	}
	if err := IsCommit("workflow_run.head_sha", w.HeadSHA); err != nil {
		return false, err
	}
	event.Kind, event.Head = forge.EventWorkflow, w.HeadSHA
	if w.Event == "workflow_dispatch" {
		event.Workflow = forge.WorkflowOf(w.Path)
	}
	return true, nil
}
