package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// graphFailure is an error in an answer of GraphQL's.
type graphFailure struct {
	Type    string   `json:"type"`
	Path    []string `json:"path"`
	Message string   `json:"message"`
}

// graph answers GraphQL, of which it knows updateRefs, and what has a pull
// request merged.
func (s *Server) graph(r *http.Request, who *actor) outcome {
	body, _ := io.ReadAll(r.Body)
	request, field, err := s.description.checkGraph(body)
	mutation := map[string]func(*actor, map[string]any) *graphFailure{
		"updateRefs": s.updateRefs, "enablePullRequestAutoMerge": s.enableAuto, "disablePullRequestAutoMerge": s.disableAuto,
	}[field]
	if err != nil || mutation == nil || r.Method != http.MethodPost {
		s.t.Errorf("GitHub's GraphQL has no such request, or the fake has not: %s: %v", body, err)
		return s.send(r, nil, 0, nil, refuse(http.StatusInternalServerError, "not as GitHub describes it"))
	}
	answer := map[string]any{"data": map[string]any{field: map[string]any{"clientMutationId": nil}}}
	if failure := mutation(who, request.Variables); failure != nil {
		failure.Path = []string{field}
		answer = map[string]any{"data": map[string]any{field: nil}, "errors": []*graphFailure{failure}}
	}
	return s.send(r, nil, http.StatusOK, answer, nil)
}

// updateRefs moves branches that are where the asker believes them to be: all
// or none.
func (s *Server) updateRefs(who *actor, variables map[string]any) *graphFailure {
	var in struct {
		Input struct {
			RepositoryID string
			RefUpdates   []struct {
				Name, BeforeOid, AfterOid string
				Force                     bool
			}
		}
	}
	mustNot(json.Unmarshal(must(json.Marshal(variables)), &in))
	var repo *repository
	for _, r := range s.repos {
		if node("Repository", r.id) == in.Input.RepositoryID && who.on(r) > 0 {
			repo = r
		}
	}
	switch {
	case repo == nil:
		return &graphFailure{Type: "NOT_FOUND", Message: "Could not resolve to a node with the global id of '" + in.Input.RepositoryID + "'."}
	case who.mayCall(operation{needs: "contents:write"}, repo) != nil:
		return &graphFailure{Type: "FORBIDDEN", Message: "Resource not accessible by integration"}
	case repo.archived:
		return &graphFailure{Type: "UNPROCESSABLE", Message: "Repository was archived so is read-only."}
	}
	for _, u := range in.Input.RefUpdates {
		before, after := plumbing.NewHash(u.BeforeOid), plumbing.NewHash(u.AfterOid)
		at := repo.branches[strings.TrimPrefix(u.Name, "refs/heads/")]
		switch {
		case u.BeforeOid != "" && at != before:
			return &graphFailure{Type: "UNPROCESSABLE", Message: "Reference cannot be updated: it is not at " + u.BeforeOid}
		case !after.IsZero() && !repo.git.has(after):
			return &graphFailure{Type: "NOT_FOUND", Message: "Object does not exist"}
		case !after.IsZero() && !at.IsZero() && !u.Force && !repo.git.isAncestor(at, after):
			return &graphFailure{Type: "UNPROCESSABLE", Message: "Update is not a fast forward"}
		}
	}
	for _, u := range in.Input.RefUpdates {
		s.moveBranch(repo, strings.TrimPrefix(u.Name, "refs/heads/"), plumbing.NewHash(u.AfterOid), who.by)
	}
	return nil
}
