package githubtest

import (
	"net/http"
	"slices"
	"time"
)

func talkOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/issues/comments":                                         {"issues:read", listComments},
		"GET /repos/{owner}/{repo}/issues/{issue_number}/comments":                          {"issues:read", listComments},
		"POST /repos/{owner}/{repo}/issues/{issue_number}/comments":                         {"issues:write", createComment},
		"GET /repos/{owner}/{repo}/issues/comments/{comment_id}":                            {"issues:read", onComment(readComment)},
		"PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}":                          {"issues:write", onComment(editComment)},
		"GET /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions":                  {"issues:read", onComment(listReactions)},
		"POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions":                 {"issues:write", onComment(createReaction)},
		"DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}": {"issues:write", onComment(deleteReaction)},
	}
}

// listComments lists those of one issue, by when they were written, or those
// of the repository.
func listComments(c *call) (int, any, error) {
	since := time.Time{}
	if text := c.query("since", ""); text != "" {
		since = must(time.Parse(time.RFC3339, text))
	}
	_, ofOne := c.params["issue_number"]
	if ofOne && c.repo.item(int(c.number("issue_number"))) == nil {
		return 0, nil, notFound()
	}
	var found []*comment
	for _, one := range c.repo.comments {
		// "after the given time": the fake takes it at its word.
		if (!ofOne || one.item.number == int(c.number("issue_number"))) && (since.IsZero() || one.updated.After(since)) {
			found = append(found, one)
		}
	}
	if c.query("sort", "created") == "updated" {
		slices.SortStableFunc(found, func(a, b *comment) int { return a.updated.Compare(b.updated) })
	}
	return paged(c, found, func(one *comment) any { return c.shapeComment(c.repo, one) })
}

func createComment(c *call) (int, any, error) {
	var in struct{ Body string }
	c.decode(&in)
	i := c.repo.item(int(c.number("issue_number")))
	if i == nil {
		return 0, nil, notFound()
	}
	made := c.say(c.repo, i, c.by, in.Body)
	c.tellComment(c.repo, made, "created", c.by)
	return http.StatusCreated, c.shapeComment(c.repo, made), nil
}

func onComment(act func(*call, *comment) (int, any, error)) func(*call) (int, any, error) {
	return func(c *call) (int, any, error) {
		one := c.repo.comment(c.number("comment_id"))
		if one == nil {
			return 0, nil, notFound()
		}
		return act(c, one)
	}
}

func readComment(c *call, one *comment) (int, any, error) {
	return http.StatusOK, c.shapeComment(c.repo, one), nil
}

func editComment(c *call, one *comment) (int, any, error) {
	var in struct{ Body string }
	c.decode(&in)
	one.body, one.updated = in.Body, c.now()
	return http.StatusOK, c.shapeComment(c.repo, one), nil
}

func listReactions(c *call, one *comment) (int, any, error) {
	return paged(c, one.reactions, func(r *reaction) any { return c.shapeReaction(r) })
}

func createReaction(c *call, one *comment) (int, any, error) {
	var in struct{ Content string }
	c.decode(&in)
	made, isNew := c.react(one, c.by, in.Content)
	if isNew {
		return http.StatusCreated, c.shapeReaction(made), nil
	}
	return http.StatusOK, c.shapeReaction(made), nil
}

func deleteReaction(c *call, one *comment) (int, any, error) {
	for i, r := range one.reactions {
		if r.id == c.number("reaction_id") && r.by == c.by {
			one.reactions = slices.Delete(one.reactions, i, i+1)
			return http.StatusNoContent, nil, nil
		}
	}
	return 0, nil, notFound()
}
