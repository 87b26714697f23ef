package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func pullOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/pulls":  {"pull_requests:read", listPulls},
		"POST /repos/{owner}/{repo}/pulls": {"pull_requests:write", createPull},
		"GET /repos/{owner}/{repo}/pulls/{pull_number}": {"pull_requests:read", func(c *call) (int, any, error) {
			i := c.repo.item(int(c.number("pull_number")))
			if i == nil || i.pull == nil {
				return 0, nil, notFound()
			}
			return http.StatusOK, c.shapePull(c.repo, i, true), nil
		}},
		"PATCH /repos/{owner}/{repo}/pulls/{pull_number}":                    {"pull_requests:write", editPull},
		"POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers": {"pull_requests:write", requestReviewers},
	}
}

func listPulls(c *call) (int, any, error) {
	want := c.query("state", "open")
	head, base := c.query("head", ""), c.query("base", "")
	var found []*item
	for _, i := range c.repo.items {
		if i.pull == nil || want != "all" && state(i) != want || base != "" && i.pull.base != base {
			continue
		}
		if strings.Contains(head, ":") && head != i.pull.owner.login+":"+i.pull.head {
			continue
		}
		found = append(found, i)
	}
	if c.query("direction", "desc") == "desc" {
		slices.Reverse(found)
	}
	return paged(c, found, func(i *item) any { return c.shapePull(c.repo, i, false) })
}

func createPull(c *call) (int, any, error) {
	var in struct{ Title, Head, Base, Body string }
	c.decode(&in)
	owner, branch := c.account(c.repo.name.Owner), in.Head
	if login, name, ok := strings.Cut(in.Head, ":"); ok {
		owner, branch = c.account(login), name
	}
	from := c.repo
	if owner != nil && owner.login != c.repo.name.Owner {
		from, _ = c.Server.repo(owner.login, c.repo.name.Name)
	}
	switch {
	case from == nil || from.branches[branch].IsZero():
		return 0, nil, invalid("PullRequest", "head", "invalid", "")
	case c.repo.branches[in.Base].IsZero():
		return 0, nil, invalid("PullRequest", "base", "invalid", "")
	case c.repo.git.isAncestor(from.branches[branch], c.repo.branches[in.Base]):
		return 0, nil, invalid("PullRequest", "", "custom", fmt.Sprintf("No commits between %s and %s", in.Base, branch))
	}
	for _, i := range c.repo.items {
		if i.pull != nil && !i.closed && i.pull.from == from && i.pull.head == branch && i.pull.base == in.Base {
			return 0, nil, invalid("PullRequest", "", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", owner.login, branch))
		}
	}
	i := c.newItem(c.repo, c.by, in.Title, in.Body)
	i.pull = &pull{
		head: branch, base: in.Base, from: from, owner: owner, headSHA: from.branches[branch], baseSHA: c.repo.branches[in.Base],
	}
	c.tellPull(c.repo, i, "opened", c.by)
	return http.StatusCreated, c.shapePull(c.repo, i, true), nil
}

func editPull(c *call) (int, any, error) {
	var in struct{ Title, Body, State *string }
	c.decode(&in)
	i := c.repo.item(int(c.number("pull_number")))
	if i == nil || i.pull == nil {
		return 0, nil, notFound()
	}
	if in.State != nil && *in.State == "open" && i.closed {
		if err := c.reopenable(i); err != nil {
			return 0, nil, err
		}
	}
	if in.State != nil {
		c.setState(c.repo, i, *in.State == "closed", c.by)
	}
	if in.Title != nil {
		i.title = *in.Title
	}
	if in.Body != nil {
		i.body = *in.Body
	}
	return http.StatusOK, c.shapePull(c.repo, i, true), nil
}

// reopenable refuses what was merged, and what lost its branch or the commit
// that it had.
func (c *call) reopenable(i *item) error {
	at := i.pull.from.branches[i.pull.head]
	switch {
	case !i.pull.merged.IsZero():
		return invalid("PullRequest", "state", "custom", "state cannot be changed. The pull request is merged.")
	case at.IsZero():
		return invalid("PullRequest", "state", "custom", fmt.Sprintf("state cannot be changed. The %s branch has been deleted.", i.pull.head))
	case !c.repo.git.isAncestor(i.pull.headSHA, at):
		return invalid("PullRequest", "state", "custom", fmt.Sprintf("state cannot be changed. The %s branch was force-pushed or recreated.", i.pull.head))
	}
	i.pull.headSHA = at
	return nil
}

func (s *Server) setState(r *repository, i *item, closed bool, by *account) {
	if i.closed == closed {
		return
	}
	i.closed = closed
	action := map[bool]string{true: "closed", false: "reopened"}[closed]
	if i.pull != nil {
		s.tellPull(r, i, action, by)
		return
	}
	s.tellIssue(r, i, action, by)
}

func requestReviewers(c *call) (int, any, error) {
	var in struct{ Reviewers []string }
	c.decode(&in)
	i := c.repo.item(int(c.number("pull_number")))
	if i == nil || i.pull == nil {
		return 0, nil, notFound()
	}
	var asked []*account
	for _, login := range in.Reviewers {
		a := c.account(login)
		_, given := c.repo.may[login]
		if a == nil || !given && login != c.repo.name.Owner {
			return 0, nil, refuse(http.StatusUnprocessableEntity,
				"Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the "+
					c.repo.name.String()+" repository.")
		}
		asked = append(asked, a)
	}
	for _, a := range asked {
		if !slices.Contains(i.pull.reviewers, a) {
			i.pull.reviewers = append(i.pull.reviewers, a)
		}
	}
	return http.StatusCreated, c.shapePull(c.repo, i, false), nil
}
