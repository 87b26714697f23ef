package githubtest

import (
	"net/http"
	"slices"
	"strings"
)

func issueOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/issues":                  {"issues:read", listIssues},
		"POST /repos/{owner}/{repo}/issues":                 {"issues:write", createIssue},
		"PATCH /repos/{owner}/{repo}/issues/{issue_number}": {"issues:write", editIssue},
		"GET /repos/{owner}/{repo}/labels": {"issues:read", func(c *call) (int, any, error) {
			return paged(c, c.repo.labels, func(l *label) any { return c.shapeLabel(c.repo, l) })
		}},
		"POST /repos/{owner}/{repo}/labels":                       {"labels:write", createLabel},
		"POST /repos/{owner}/{repo}/issues/{issue_number}/labels": {"labels:write", addLabels},
	}
}

func listIssues(c *call) (int, any, error) {
	want, creator := c.query("state", "open"), c.query("creator", "")
	var found []*item
	for _, i := range c.repo.items {
		if (want == "all" || state(i) == want) && (creator == "" || i.author.login == creator) {
			found = append(found, i)
		}
	}
	if c.query("direction", "desc") == "desc" {
		slices.Reverse(found)
	}
	return paged(c, found, func(i *item) any { return c.shapeItem(c.repo, i) })
}

func createIssue(c *call) (int, any, error) {
	var in struct {
		Title, Body string
		Labels      []string
	}
	c.decode(&in)
	i := c.newItem(c.repo, c.by, in.Title, in.Body)
	i.labels = c.named(in.Labels)
	c.tellIssue(c.repo, i, "opened", c.by)
	return http.StatusCreated, c.shapeItem(c.repo, i), nil
}

func editIssue(c *call) (int, any, error) {
	var in struct{ Title, Body, State *string }
	c.decode(&in)
	i := c.repo.item(int(c.number("issue_number")))
	if i == nil {
		return 0, nil, notFound()
	}
	if in.Title != nil {
		i.title = *in.Title
	}
	if in.Body != nil {
		i.body = *in.Body
	}
	if in.State != nil {
		c.setState(c.repo, i, *in.State == "closed", c.by)
	}
	return http.StatusOK, c.shapeItem(c.repo, i), nil
}

func (r *repository) label(name string) *label {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l
		}
	}
	return nil
}

// named returns labels; unlike GitHub it does not make those that are missing,
// which is not in the description.
func (c *call) named(names []string) (all []*label) {
	for _, name := range names {
		l := c.repo.label(name)
		if l == nil {
			c.t.Errorf("the label %q is used before it is made", name)
			continue
		}
		all = append(all, l)
	}
	return all
}

func createLabel(c *call) (int, any, error) {
	var in struct{ Name, Color string }
	c.decode(&in)
	if c.repo.label(in.Name) != nil {
		return 0, nil, invalid("Label", "name", "already_exists", "")
	}
	l := &label{id: c.nextID(), name: in.Name, color: in.Color}
	c.repo.labels = append(c.repo.labels, l)
	return http.StatusCreated, c.shapeLabel(c.repo, l), nil
}

func addLabels(c *call) (int, any, error) {
	var in struct{ Labels []string }
	c.decode(&in)
	i := c.repo.item(int(c.number("issue_number")))
	if i == nil {
		return 0, nil, notFound()
	}
	for _, l := range c.named(in.Labels) {
		if !slices.Contains(i.labels, l) {
			i.labels = append(i.labels, l)
		}
	}
	return http.StatusOK, c.shapeLabels(c.repo, i.labels), nil
}
