package githubtest

import (
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// status is what somebody reported on a commit.
type status struct {
	id                   int64
	by                   *account
	head, context, state string
	at                   time.Time
}

func statusOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/commits/{ref}/status": {"statuses:read", func(c *call) (int, any, error) {
			head := c.params["ref"]
			var newest []*status // of each context
			for _, s := range slices.Backward(c.repo.statuses) {
				if s.head == head && !slices.ContainsFunc(newest, func(n *status) bool { return n.context == s.context }) {
					newest = append(newest, s)
				}
			}
			state := "success"
			for _, s := range newest {
				if s.state == "error" || s.state == "failure" {
					state = "failure"
				} else if s.state == "pending" && state == "success" {
					state = "pending"
				}
			}
			if len(newest) == 0 {
				state = "pending" // as GitHub has it
			}
			url := c.URL + "/repos/" + c.repo.name.String()
			code, list, err := paged(c, newest, func(s *status) any {
				return map[string]any{
					"id": s.id, "node_id": node("StatusContext", s.id), "url": url + "/statuses/" + head, "state": s.state, "context": s.context,
					"description": nil, "target_url": nil, "avatar_url": nil, "created_at": stamp(s.at), "updated_at": stamp(s.at),
				}
			})
			p, _ := list.(page)
			p.items = c.shape("combined-commit-status", map[string]any{
				"state": state, "sha": head, "total_count": len(newest), "statuses": p.items, "url": url + "/commits/" + head + "/status",
				"commit_url": url + "/commits/" + head, "repository": map[string]any{"name": c.repo.name.Name, "full_name": c.repo.name.String()},
			})
			return code, p, err
		}},
	}
}

// Report reports on a commit by a status: "success", "pending", "failure".
func (h human) Report(t testing.TB, commit, name, state string) {
	t.Helper()
	h.do(t, func(r *repository, by *account) error {
		r.statuses = append(r.statuses, &status{id: h.server.nextID(), by: by, head: commit, context: name, state: state, at: h.server.clock()})
		for _, i := range r.items {
			if i.pull != nil && i.pull.auto != nil && !i.closed && i.pull.headSHA.String() == commit && h.server.passed(r, commit) {
				h.server.merge(r, i, i.pull.auto)
			}
		}
		return nil
	})
}

// AddCheckRun has an App show a check run beside a commit. conclusion is "" of
// one that has not ended.
func (s *Server) AddCheckRun(app *App, name forge.Name, head, called, conclusion string) {
	s.mustRepo(name, func(r *repository) {
		run := &check{id: s.nextID(), app: app, head: head, name: called, status: "in_progress", started: s.clock()}
		if conclusion != "" {
			run.status, run.conclusion, run.completed = "completed", conclusion, s.clock()
		}
		r.checks = append(r.checks, run)
	})
}
