package githubtest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// review is what somebody said of a pull request as a whole.
type review struct {
	id    int64
	by    *account
	state string // "APPROVED", "CHANGES_REQUESTED"
	at    time.Time
}

func reviewOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews": {"pull_requests:read", func(c *call) (int, any, error) {
			i := c.repo.item(int(c.number("pull_number")))
			if i == nil || i.pull == nil {
				return 0, nil, notFound()
			}
			return paged(c, i.pull.reviews, func(r *review) any {
				return c.shape("pull-request-review-items", map[string]any{
					"id": r.id, "node_id": node("PullRequestReview", r.id), "user": c.user(r.by), "state": r.state, "submitted_at": stamp(r.at), "commit_id": i.pull.headSHA.String(),
				})
			})
		}},
	}
}

// Review approves a pull request, or asks for changes.
func (h human) Review(t testing.TB, number int64, approve bool) {
	t.Helper()
	h.item(t, number, func(_ *repository, i *item, by *account) {
		state := map[bool]string{true: "APPROVED", false: "CHANGES_REQUESTED"}[approve]
		i.pull.reviews = append(i.pull.reviews, &review{h.server.nextID(), by, state, h.server.clock()})
	})
}

// Require has a status required before a merge into main.
func (h human) Require(t testing.TB, check string) {
	t.Helper()
	h.do(t, func(r *repository, _ *account) error {
		r.required = check
		return nil
	})
}

// AllowAutoMerge says whether GitHub may merge pull requests by itself. It may
// unless somebody says otherwise, which is not what GitHub begins with.
func (s *Server) AllowAutoMerge(name forge.Name, allow bool) {
	s.mustRepo(name, func(r *repository) { r.noAuto = !allow })
}

// passed reports whether what is required has passed on a commit.
func (*Server) passed(r *repository, head string) bool {
	for _, s := range slices.Backward(r.statuses) {
		if s.head == head && s.context == r.required {
			return s.state == "success"
		}
	}
	return r.required == ""
}

// inputPull finds the pull request that a mutation is about, if its asker may
// write to it.
func (s *Server) inputPull(who *actor, variables map[string]any) (r *repository, i *item, head string, failure *graphFailure) {
	var in struct {
		Input struct{ PullRequestID, ExpectedHeadOid string }
	}
	mustNot(json.Unmarshal(must(json.Marshal(variables)), &in))
	for _, r := range s.repos {
		for _, i := range r.items {
			if i.pull == nil || node("PullRequest", i.id) != in.Input.PullRequestID || who.on(r) == 0 {
				continue
			}
			if who.mayCall(operation{needs: "pull_requests:write"}, r) != nil || who.mayCall(operation{needs: "contents:write"}, r) != nil {
				return nil, nil, "", &graphFailure{Type: "FORBIDDEN", Message: "Resource not accessible by integration"}
			}
			return r, i, in.Input.ExpectedHeadOid, nil
		}
	}
	return nil, nil, "", &graphFailure{Type: "NOT_FOUND", Message: "Could not resolve to a node with the global id of '" + in.Input.PullRequestID + "'."}
}

// enableAuto refuses in GitHub's words, as its command line tool's users report
// them.
func (s *Server) enableAuto(who *actor, variables map[string]any) *graphFailure {
	r, i, head, failure := s.inputPull(who, variables)
	switch {
	case failure != nil:
		return failure
	case r.noAuto:
		return &graphFailure{Type: "UNPROCESSABLE", Message: "Pull request Auto merge is not allowed for this repository"}
	case head != "" && head != i.pull.headSHA.String():
		return &graphFailure{Type: "UNPROCESSABLE", Message: "Head branch was modified. Review and try the merge again."}
	case s.passed(r, i.pull.headSHA.String()):
		return &graphFailure{Type: "UNPROCESSABLE", Message: "Pull request Pull request is in clean status"}
	}
	i.pull.auto = who.by
	return nil
}

func (s *Server) disableAuto(who *actor, variables map[string]any) *graphFailure {
	_, i, _, failure := s.inputPull(who, variables)
	if failure != nil {
		return failure
	}
	if i.pull.auto == nil {
		return &graphFailure{Type: "UNPROCESSABLE", Message: "Can't disable auto-merge for this pull request."}
	}
	i.pull.auto = nil
	return nil
}

func (s *Server) shapeAuto(p *pull) any {
	if p.auto == nil {
		return nil
	}
	return map[string]any{"enabled_by": s.user(p.auto), "merge_method": "merge", "commit_title": "", "commit_message": ""}
}
