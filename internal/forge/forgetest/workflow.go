package forgetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Workflow is what a forge reads of a workflow's file when somebody dispatches
// it.
type Workflow struct {
	runName string
	inputs  map[string]struct{ Default string }
}

// ErrNoDispatch says that a workflow cannot be dispatched.
var ErrNoDispatch = errors.New("Workflow does not have 'workflow_dispatch' trigger")

// ReadWorkflow reads a workflow's file.
func ReadWorkflow(data []byte) (Workflow, error) {
	var file struct {
		RunName string `yaml:"run-name"`
		On      map[string]yaml.Node
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return Workflow{}, err
	}
	node, is := file.On["workflow_dispatch"]
	if !is {
		return Workflow{}, ErrNoDispatch
	}
	var on struct {
		Inputs map[string]struct{ Default string }
	}
	if err := node.Decode(&on); err != nil {
		return Workflow{}, err
	}
	return Workflow{runName: file.RunName, inputs: on.Inputs}, nil
}

// Unexpected lists the inputs that the workflow does not declare, sorted.
func (w Workflow) Unexpected(inputs map[string]string) (names []string) {
	for name := range inputs {
		if _, known := w.inputs[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Title is what a run with these inputs is called, "" when the workflow does not
// say. Of expressions it knows those that are an input alone.
func (w Workflow) Title(inputs map[string]string) string {
	title := w.runName
	for name, declared := range w.inputs {
		value, given := inputs[name]
		if !given {
			value = declared.Default
		}
		title = strings.ReplaceAll(title, fmt.Sprintf("${{ inputs.%s }}", name), value)
	}
	return title
}
