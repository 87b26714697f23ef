package githubtest

import (
	"net/http"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nuobit/odyssey/internal/forge"
)

// wantedCheck is the body of a request for a check run.
type wantedCheck struct {
	Name, Status, Conclusion string
	HeadSHA                  string `json:"head_sha"`
	Output                   struct{ Title, Summary string }
}

func (w wantedCheck) into(c *check) {
	if w.Name != "" {
		c.name = w.Name
	}
	if w.Status != "" {
		c.status = w.Status
	}
	if w.Conclusion != "" {
		c.conclusion = w.Conclusion
	}
	if w.Output.Title != "" {
		c.title, c.summary = w.Output.Title, w.Output.Summary
	}
}

func checkOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/commits/{ref}/check-runs": {"checks:read", func(c *call) (int, any, error) {
			var found []*check
			for _, run := range slices.Backward(c.repo.checks) {
				if run.head == c.params["ref"] && (c.query("check_name", run.name) == run.name) {
					found = append(found, run)
				}
			}
			status, list, err := paged(c, found, func(run *check) any { return c.shapeCheck(c.repo, run) })
			p, _ := list.(page)
			p.items = map[string]any{"total_count": len(found), "check_runs": p.items}
			return status, p, err
		}},
		"POST /repos/{owner}/{repo}/check-runs": {"checks:write", func(c *call) (int, any, error) {
			var in wantedCheck
			c.decode(&in)
			if !c.repo.git.has(plumbing.NewHash(in.HeadSHA)) {
				return 0, nil, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+in.HeadSHA)
			}
			run := &check{id: c.nextID(), app: c.grant.install.app, head: in.HeadSHA, started: c.now(), completed: c.now()}
			in.into(run)
			c.repo.checks = append(c.repo.checks, run)
			return http.StatusCreated, c.shapeCheck(c.repo, run), nil
		}},
		"PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}": {"checks:write", func(c *call) (int, any, error) {
			var in wantedCheck
			c.decode(&in)
			for _, run := range c.repo.checks {
				if run.id == c.number("check_run_id") && run.app == c.grant.install.app {
					in.into(run)
					run.completed = c.now()
					return http.StatusOK, c.shapeCheck(c.repo, run), nil
				}
			}
			return 0, nil, notFound()
		}},
	}
}

// Rerequest presses the button that asks for the newest check run of a
// repository again or, with all, for all of its commit.
func (s *Server) Rerequest(login string, name forge.Name, all bool) {
	s.mustRepo(name, func(r *repository) {
		run := r.checks[len(r.checks)-1]
		shape := s.shapeCheck(r, run)
		suite, _ := shape["check_suite"].(map[string]any)
		suite = with(suite, map[string]any{
			"head_sha": run.head, "head_branch": "main", "app": s.shapeApp(run.app), "pull_requests": []any{}, "status": "completed",
			"conclusion": run.conclusion, "before": run.head, "after": run.head, "created_at": stamp(run.started), "updated_at": stamp(run.completed),
			"url": shape["url"], "node_id": node("CheckSuite", run.id),
		})
		event := "check_run"
		if all {
			event = "check_suite"
			c := r.git.commit(plumbing.NewHash(run.head))
			shape = with(suite, map[string]any{
				"check_runs_url": shape["url"], "latest_check_runs_count": 1, "rerequestable": true, "runs_rerequestable": true,
				"head_commit": map[string]any{
					"id": run.head, "tree_id": c.TreeHash.String(), "message": c.Message, "timestamp": stamp(c.Committer.When),
					"author":    map[string]any{"name": c.Author.Name, "email": c.Author.Email},
					"committer": map[string]any{"name": c.Committer.Name, "email": c.Committer.Email},
				},
			})
		} else {
			shape["check_suite"] = suite
		}
		s.tell(r, event, "rerequested", s.account(login), map[string]any{event: shape})
	})
}
