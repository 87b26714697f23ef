package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// refs are the branches of a repository.
type refs struct {
	session *session
	client  *sdk.Client
	repo    forge.Repo
}

// at compares a branch with the head it must have, "" for none.
func (r refs) at(ctx context.Context, branch, want string) error {
	got, err := head(ctx, r.client, r.repo, branch)
	switch {
	case errors.Is(err, errEmpty):
	case err != nil:
		return err
	}
	if got == want {
		return nil
	}
	if got == "" { // perhaps all of the repository is
		if err := exists(ctx, r.client, r.repo); err != nil {
			return err
		}
	}
	return lost(branch, got, want)
}

// create makes a branch that does not exist.
func (r refs) create(ctx context.Context, branch, sha string) error {
	_, resp, err := r.client.Git.CreateRef(ctx, r.repo.Owner, r.repo.Name.Name, &sdk.Reference{
		Ref: new("refs/heads/" + branch), Object: &sdk.GitObject{SHA: &sha},
	})
	if err := answer(resp, err); err != nil {
		return r.settle(ctx, branch, "", sha, fmt.Errorf("make the branch %s: %w", branch, err))
	}
	return nil
}

// noCommit stands for no commit in updateRefs: "A value of 000… can be used to
// delete a reference" (docs.github.com, GraphQL, RefUpdate).
const noCommit = "0000000000000000000000000000000000000000"

// move puts a branch from one commit to another, noCommit to delete it, if it
// still is at the first.
func (r refs) move(ctx context.Context, branch, from, to string) error {
	repo, resp, err := r.client.Repositories.Get(ctx, r.repo.Owner, r.repo.Name.Name)
	if err := answer(resp, err); err != nil {
		return err
	}
	err = r.mutate(ctx, "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }", map[string]any{
		"repositoryId": repo.GetNodeID(),
		"refUpdates": []map[string]any{{
			"name": "refs/heads/" + branch, "beforeOid": from, "afterOid": to, "force": true,
		}},
	})
	if err != nil {
		return r.settle(ctx, branch, from, to, fmt.Errorf("move the branch %s: %w", branch, err))
	}
	return nil
}

// settle finds out what became of a branch when moving it failed: it may be
// where it was to be although the answer was lost, or somebody else moved it.
func (r refs) settle(ctx context.Context, branch, from, to string, failure error) error {
	if !isUnsure(failure) {
		return failure
	}
	got, err := head(ctx, r.client, r.repo, branch)
	switch {
	case err != nil:
		return failure
	case got == to, got == "" && to == noCommit:
		return nil
	case got != from:
		return lost(branch, got, from)
	}
	return failure
}

// graphError is one of the errors of an answer of GraphQL's.
type graphError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// mutate sends a GraphQL mutation whose variable is its input. Its errors come
// with status 200.
func (r refs) mutate(ctx context.Context, query string, input any) error {
	req, err := r.client.NewRequest(http.MethodPost, graphURL(r.session.api), map[string]any{
		"query": query, "variables": map[string]any{"input": input},
	})
	if err != nil {
		return err
	}
	var got struct {
		Data   map[string]any `json:"data"`
		Errors []graphError   `json:"errors"`
	}
	resp, err := r.client.Do(ctx, req, &got)
	if err := answer(resp, err); err != nil {
		return err
	}
	if len(got.Errors) > 0 {
		return graphRefusal(resp, got.Errors)
	}
	if len(got.Data) == 0 {
		return fmt.Errorf("%w: GraphQL says neither that it was done nor why not", forge.ErrTransient)
	}
	return nil
}

// graphURL is where GraphQL is beside a REST API: below the host of
// api.github.com, and beside /api/v3 of an Enterprise Server.
func graphURL(api string) string { return strings.TrimSuffix(api, "v3/") + "graphql" }

// graphRefusal classifies the errors of an answer, by the first one's type.
func graphRefusal(resp *sdk.Response, errs []graphError) error {
	var said []string
	for _, e := range errs {
		said = append(said, e.Message)
	}
	status := http.StatusUnprocessableEntity
	switch errs[0].Type {
	case "":
		status = http.StatusBadGateway // "Something went wrong while executing your query"
	case "RATE_LIMITED":
		status = http.StatusTooManyRequests
	case "FORBIDDEN", "INSUFFICIENT_SCOPES", "UNAUTHENTICATED":
		status = http.StatusForbidden
	case "NOT_FOUND":
		status = http.StatusNotFound
	}
	as := &http.Response{StatusCode: status, Header: resp.Header}
	return forgehttp.Error(as, errors.New(strings.Join(said, "; ")))
}
