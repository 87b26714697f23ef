package forge

import (
	"regexp"
	"strings"
	"time"
)

// RunState is how far a run of a workflow is.
type RunState string

// The states of a run.
const (
	RunWaiting   RunState = "waiting" // for a runner, an approval, or another run
	RunRunning   RunState = "running"
	RunSucceeded RunState = "succeeded"
	RunFailed    RunState = "failed" // or took too long, or could not be started
	RunCancelled RunState = "cancelled"
)

// Ended reports whether nothing more will come of the run.
func (s RunState) Ended() bool { return s == RunSucceeded || s == RunFailed || s == RunCancelled }

// WorkflowRun is a run of a workflow of the forge's own CI.
type WorkflowRun struct {
	Number  int64  // counts the runs of the workflow or, on Gitea, of the repository
	Title   string // as the workflow's run-name has it
	URL     string // of its page
	State   RunState
	Created time.Time // zero when the forge does not tell
}

// WorkflowDispatch asks for a run of a workflow.
type WorkflowDispatch struct {
	Workflow string            // name of its file: "python-lock.yml"
	Branch   string            // whose workflow runs, on its newest commit
	Inputs   map[string]string // that the workflow declares
}

// workflowName is more than enough for names, and nothing that means something
// else in a URL.
var workflowName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}\.ya?ml$`)

// WorkflowOf returns the name of a workflow's file by its path, of which "@" and a
// ref may be the end; "" when it can be none.
func WorkflowOf(path string) string {
	path, _, _ = strings.Cut(path, "@")
	if name := path[strings.LastIndex(path, "/")+1:]; IsWorkflow(name) {
		return name
	}
	return ""
}

// IsWorkflow reports whether a text can be the name of a workflow's file.
func IsWorkflow(name string) bool { return workflowName.MatchString(name) }
