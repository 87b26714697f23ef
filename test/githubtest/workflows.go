package githubtest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

// workflowRun is a run of a workflow that was dispatched.
type workflowRun struct {
	id                 int64
	file, branch, head string
	title              string
	status, conclusion string
	by                 *account
	created            time.Time
}

const workflowDir = ".github/workflows/"

func workflowOperations() map[string]operation {
	return map[string]operation{
		"POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches": {"actions:write", dispatchWorkflow},
		"GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs": {"actions:read", func(c *call) (int, any, error) {
			if _, exists := c.repo.file("main", workflowDir+c.params["workflow_id"]); !exists {
				return 0, nil, notFound()
			}
			var found []*workflowRun
			for _, run := range slices.Backward(c.repo.runs) {
				if path.Base(run.file) == c.params["workflow_id"] && c.query("branch", run.branch) == run.branch && c.query("event", "workflow_dispatch") == "workflow_dispatch" {
					found = append(found, run)
				}
			}
			status, list, err := paged(c, found, func(run *workflowRun) any { return c.shapeRun(c.repo, run) })
			p, _ := list.(page)
			p.items = map[string]any{"total_count": len(found), "workflow_runs": p.items}
			return status, p, err
		}},
	}
}

// dispatchWorkflow starts a run, which stays queued. GitHub refuses what a
// workflow does not declare.
func dispatchWorkflow(c *call) (int, any, error) {
	var in struct {
		Ref    string
		Inputs map[string]string
	}
	c.decode(&in)
	file := workflowDir + c.params["workflow_id"]
	if _, exists := c.repo.file("main", file); !exists {
		return 0, nil, notFound()
	}
	data, exists := c.repo.file(in.Ref, file)
	if !exists {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "No ref found for: "+in.Ref)
	}
	workflow, err := forgetest.ReadWorkflow(data)
	if err != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, err.Error())
	}
	if unexpected := workflow.Unexpected(in.Inputs); len(unexpected) > 0 {
		return 0, nil, refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Unexpected inputs provided: %q", unexpected))
	}
	c.repo.runs = append(c.repo.runs, &workflowRun{
		id: c.nextID(), file: file, branch: in.Ref, head: c.repo.branches[in.Ref].String(), title: workflow.Title(in.Inputs), status: "queued", by: c.by, created: c.now(),
	})
	return http.StatusNoContent, nil, nil
}

// file reads a file of a branch.
func (r *repository) file(branch, name string) ([]byte, bool) {
	head, exists := r.branches[branch]
	if !exists {
		return nil, false
	}
	entry, exists := r.git.files(r.git.commit(head).TreeHash)[name]
	if !exists {
		return nil, false
	}
	return must(r.git.content(entry.hash)), true
}

func (s *Server) shapeRun(r *repository, run *workflowRun) map[string]any {
	url := fmt.Sprintf("%s/repos/%s/actions", s.URL, r.name)
	at := fmt.Sprintf("%s/runs/%d", url, run.id)
	got := s.shape("workflow-run", map[string]any{
		"id": run.id, "node_id": node("WorkflowRun", run.id), "name": run.file, "head_branch": run.branch, "head_sha": run.head, "path": run.file,
		"run_number": run.id - 1000, "event": "workflow_dispatch", "display_title": run.title, "status": run.status, "conclusion": body(run.conclusion),
		"workflow_id": 1, "url": at, "html_url": fmt.Sprintf("%s/%s/actions/runs/%d", s.web(), r.name, run.id), "pull_requests": []any{},
		"created_at": stamp(run.created), "updated_at": stamp(run.created), "run_started_at": stamp(run.created),
		"actor": s.user(run.by), "triggering_actor": s.user(run.by),
		"jobs_url": at + "/jobs", "logs_url": at + "/logs", "artifacts_url": at + "/artifacts", "cancel_url": at + "/cancel", "rerun_url": at + "/rerun",
	})
	return got
}

// SetRun puts the newest run of a repository's workflows into a state, as GitHub
// calls it: "completed", "success".
func (s *Server) SetRun(name forge.Name, status, conclusion string) {
	s.mustRepo(name, func(r *repository) {
		run := r.runs[len(r.runs)-1]
		run.status, run.conclusion = status, conclusion
	})
}
