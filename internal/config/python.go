package config

import "time"

// Python is the policy for refreshing requirements.lock.txt.
type Python struct {
	Refresh  `yaml:",inline"`
	ByForge  `yaml:",inline"`
	Executor Executor `yaml:"executor" jsonschema:"enum=auto,enum=local,enum=workflow,default=auto" jsonschema_description:"What resolves the lock: local, the machine of the bot, where its operator allows that (python.local); workflow, a workflow of this repository, which the bot starts, and whose lock it proposes; auto, local where it is allowed, or else the workflow if there is one."`
	Workflow string   `yaml:"workflow" jsonschema:"default=python-lock.yml,minLength=5,maxLength=100,pattern=^[A-Za-z0-9_][A-Za-z0-9_.-]*\\.ya?ml$" jsonschema_description:"Name of the workflow's file, in .github/workflows, .gitea/workflows or .forgejo/workflows. It takes an input branch, has it in its run-name, and pushes the new lock to that branch."`
}

// Executor says what resolves a Python lock.
type Executor string

// What there is to resolve a Python lock.
const (
	ExecutorAuto     Executor = "auto"     // local where the operator allows it, else the workflow
	ExecutorLocal    Executor = "local"    // the machine of the bot
	ExecutorWorkflow Executor = "workflow" // the forge's own CI
)

// defaultPython: a new lock moves all packages, which somebody has to try.
func defaultPython() Python {
	return Python{Refresh: refreshed(true, "0 4 1 * *", 24*time.Hour), Executor: ExecutorAuto, Workflow: "python-lock.yml"}
}
