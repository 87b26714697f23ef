package refresh

import (
	"context"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/forge"
)

// Workflows are those of the forge's own CI in the repository that a refresh is
// made for, and its branches.
type Workflows interface {
	// Runs lists the runs of a workflow of the default branch that were
	// dispatched, the newest first. forge.ErrNotFound: there is no such workflow,
	// or the forge runs none. errors.ErrUnsupported: not by this forge.
	Runs(ctx context.Context, workflow string) ([]forge.WorkflowRun, error)
	// Head is the newest commit of a branch, "" when there is no such branch.
	Head(ctx context.Context, branch string) (string, error)
	// File reads a file at a commit, of at most forge.MaxFile bytes.
	File(ctx context.Context, commit, path string) ([]byte, error)
}

// Dispatch is a run of a workflow that should be started.
type Dispatch struct {
	Group    string
	Workflow string // name of its file
	Branch   string // its input branchInput, which it hands its result in by
	// Clear are further branches of earlier runs, to be removed before.
	Clear []string
	// Tell is told how far it is, since a forge does not list a run at once.
	Tell func(ctx context.Context, progress Progress)
}

// Progress is how far a Dispatch is.
type Progress string

// The ways of a Dispatch.
const (
	RunAsked   Progress = "asked"   // it is asked for, with what answer is not known
	RunStarted Progress = "started" // the forge starts it
	RunRefused Progress = "refused" // it does not
)

// Inputs are those of the workflow.
func (d *Dispatch) Inputs() map[string]string { return map[string]string{branchInput: d.Branch} }

// Wait is what is told of a run that is under way.
func (d *Dispatch) Wait(runs []forge.WorkflowRun) Held {
	if run := runFor(runs, d.Branch); run != nil {
		return underWay(d.Group, d.Workflow, *run)
	}
	return Held{Group: d.Group, Reason: "the workflow " + d.Workflow + " was asked for, and resolves it", UnderWay: true}
}

// Would is what is told of a run that the next look starts.
func (d *Dispatch) Would() Held {
	return Held{Group: d.Group, Reason: "the next run has the workflow " + d.Workflow + " resolve it", UnderWay: true}
}

// branchInput is the input of a workflow that names the branch to push to.
const branchInput = "branch"

// maxWorkflow is how long a workflow's file is that is read, in bytes.
const maxWorkflow = 256 << 10

// takesBranch reports whether a workflow's file can be dispatched with the name
// of a branch, by which its runs are called.
func takesBranch(data []byte) bool {
	var file struct {
		RunName string `yaml:"run-name"`
		On      struct {
			Dispatch struct {
				Inputs map[string]yaml.Node
			} `yaml:"workflow_dispatch"`
		}
	}
	if len(data) > maxWorkflow || yaml.Unmarshal(data, &file) != nil {
		return false
	}
	_, takes := file.On.Dispatch.Inputs[branchInput]
	return takes && strings.Contains(file.RunName, "inputs."+branchInput)
}

// runFor finds the newest of the runs that was started for a branch, nil when
// there is none. Its title has the branch's name as a word.
func runFor(runs []forge.WorkflowRun, branch string) *forge.WorkflowRun {
	for i := range runs {
		if slices.Contains(strings.Fields(runs[i].Title), branch) {
			return &runs[i]
		}
	}
	return nil
}
