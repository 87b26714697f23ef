package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// shape is one of GitHub's examples of an answer with values put in: an object
// within an object is merged.
func (s *Server) shape(example string, set map[string]any) map[string]any {
	value, ok := s.description.examples[example]
	if !ok {
		panic("githubtest: GitHub gives no example " + example)
	}
	if list, ok := value.([]any); ok {
		value = list[0]
	}
	var made map[string]any
	mustNot(json.Unmarshal(must(json.Marshal(value)), &made))
	return with(made, set)
}

func with(into, set map[string]any) map[string]any {
	for key, value := range set {
		below, isObject := value.(map[string]any)
		old, wasObject := into[key].(map[string]any)
		if isObject && wasObject {
			value = with(old, below)
		}
		into[key] = value
	}
	return into
}

func node(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%03d:%s%d", len(kind), kind, id))
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// user is the short description of an account that stands everywhere.
func (s *Server) user(a *account) map[string]any {
	url := s.URL + "/users/" + a.login
	return map[string]any{
		"login": a.login, "id": a.id, "node_id": node("User", a.id), "avatar_url": s.URL + "/avatar/" + a.login,
		"gravatar_id": "", "url": url, "html_url": s.web() + "/" + a.login, "type": a.kind, "site_admin": false,
		"followers_url": url + "/followers", "following_url": url + "/following{/other_user}", "gists_url": url + "/gists{/gist_id}",
		"starred_url": url + "/starred{/owner}{/repo}", "subscriptions_url": url + "/subscriptions",
		"organizations_url": url + "/orgs", "repos_url": url + "/repos", "events_url": url + "/events{/privacy}",
		"received_events_url": url + "/received_events", "user_view_type": "public",
	}
}

// web is where the pages are.
func (s *Server) web() string { return s.URL + "/web" }

func (s *Server) self(a *account) map[string]any {
	return with(s.shape("private-user-response-with-public-and-private-profile-information", s.user(a)), map[string]any{"user_view_type": "private"})
}

func (s *Server) publicUser(a *account) map[string]any {
	return s.shape("public-user-default-response", s.user(a))
}

func (s *Server) shapeRepo(r *repository) map[string]any {
	url, page := s.URL+"/repos/"+r.name.String(), s.web()+"/"+r.name.String()
	topics := append([]string{}, r.topics...)
	got := s.shape("full-repository-default-response", map[string]any{
		"id": r.id, "node_id": node("Repository", r.id), "name": r.name.Name, "full_name": r.name.String(),
		"owner": s.user(s.account(r.name.Owner)), "private": r.private, "html_url": page, "url": url,
		"clone_url": page + ".git", "description": nil, "language": nil, "fork": r.fork, "default_branch": "main", "archived": r.archived, "topics": topics,
		"pushed_at": stamp(r.pushed), "created_at": stamp(r.created), "updated_at": stamp(r.pushed), "size": 0,
		"visibility": map[bool]string{true: "private", false: "public"}[r.private],
	})
	for _, other := range []string{"template_repository", "parent", "source", "organization"} {
		delete(got, other)
	}
	return got
}

func (s *Server) shapeItem(r *repository, i *item) map[string]any {
	url, page := s.URL+"/repos/"+r.name.String(), s.web()+"/"+r.name.String()
	got := s.shape("issue", map[string]any{
		"id": i.id, "node_id": node("Issue", i.id), "number": i.number, "title": i.title, "body": body(i.body), "state": state(i),
		"url": fmt.Sprintf("%s/issues/%d", url, i.number), "html_url": fmt.Sprintf("%s/issues/%d", page, i.number), "repository_url": url,
		"comments_url": fmt.Sprintf("%s/issues/%d/comments", url, i.number), "user": s.user(i.author),
		"labels": s.shapeLabels(r, i.labels), "assignee": nil, "assignees": []any{}, "milestone": nil, "locked": false, "active_lock_reason": nil,
		"created_at": stamp(i.created), "updated_at": stamp(i.created), "closed_at": nil, "closed_by": nil, "state_reason": nil,
	})
	got["reactions"] = reactions(got["url"], nil)
	delete(got, "pull_request")
	if i.pull != nil {
		got["html_url"] = fmt.Sprintf("%s/pull/%d", page, i.number)
		got["pull_request"] = map[string]any{
			"url": fmt.Sprintf("%s/pulls/%d", url, i.number), "html_url": got["html_url"],
			"diff_url": fmt.Sprintf("%s/pull/%d.diff", page, i.number), "patch_url": fmt.Sprintf("%s/pull/%d.patch", page, i.number),
			"merged_at": stamp(i.pull.merged),
		}
	}
	return got
}

func body(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func state(i *item) string {
	if i.closed {
		return "closed"
	}
	return "open"
}

// shapePull is a pull request, in full or as lists have it.
func (s *Server) shapePull(r *repository, i *item, full bool) map[string]any {
	url := fmt.Sprintf("%s/repos/%s", s.URL, r.name)
	page := fmt.Sprintf("%s/%s/pull/%d", s.web(), r.name, i.number)
	end := func(branch string, sha string, of *repository, owner *account) map[string]any {
		return map[string]any{"label": owner.login + ":" + branch, "ref": branch, "sha": sha, "user": s.user(owner), "repo": s.shapeRepo(of)}
	}
	reviewers := []any{}
	for _, a := range i.pull.reviewers {
		reviewers = append(reviewers, s.user(a))
	}
	example := "pull-request-simple-items"
	if full {
		example = "pull-request"
	}
	got := s.shape(example, map[string]any{
		"id": i.id, "node_id": node("PullRequest", i.id), "number": i.number, "title": i.title, "body": body(i.body), "state": state(i),
		"url": fmt.Sprintf("%s/pulls/%d", url, i.number), "html_url": page, "issue_url": fmt.Sprintf("%s/issues/%d", url, i.number),
		"user": s.user(i.author), "labels": s.shapeLabels(r, i.labels), "milestone": nil, "assignee": nil, "assignees": []any{},
		"requested_reviewers": reviewers, "requested_teams": []any{}, "locked": false, "active_lock_reason": nil, "draft": false,
		"created_at": stamp(i.created), "updated_at": stamp(i.created), "closed_at": nil, "merged_at": stamp(i.pull.merged), "auto_merge": s.shapeAuto(i.pull),
	})
	got["head"] = end(i.pull.head, i.pull.headSHA.String(), i.pull.from, i.pull.owner)
	got["base"] = end(i.pull.base, i.pull.baseSHA.String(), r, s.account(r.name.Owner))
	if full {
		got["merged"], got["merged_by"] = !i.pull.merged.IsZero(), nil
	}
	return got
}

func (s *Server) shapeLabel(r *repository, l *label) map[string]any {
	return s.shape("label", map[string]any{
		"id": l.id, "node_id": node("Label", l.id), "name": l.name, "color": l.color, "description": "", "default": false,
		"url": fmt.Sprintf("%s/repos/%s/labels/%d", s.URL, r.name, l.id),
	})
}

func (s *Server) shapeLabels(r *repository, labels []*label) []any {
	all := []any{}
	for _, l := range labels {
		all = append(all, s.shapeLabel(r, l))
	}
	return all
}

func (s *Server) shapeComment(r *repository, c *comment) map[string]any {
	kind := "issues"
	if c.item.pull != nil {
		kind = "pull"
	}
	return s.shape("issue-comment", map[string]any{
		"id": c.id, "node_id": node("IssueComment", c.id), "body": c.body, "user": s.user(c.author),
		"url":        fmt.Sprintf("%s/repos/%s/issues/comments/%d", s.URL, r.name, c.id),
		"html_url":   fmt.Sprintf("%s/%s/%s/%d#issuecomment-%d", s.web(), r.name, kind, c.item.number, c.id),
		"issue_url":  fmt.Sprintf("%s/repos/%s/issues/%d", s.URL, r.name, c.item.number),
		"created_at": stamp(c.created), "updated_at": stamp(c.updated), "performed_via_github_app": nil,
		"reactions": reactions(fmt.Sprintf("%s/repos/%s/issues/comments/%d", s.URL, r.name, c.id), c.reactions),
	})
}

// reactions is how many there are of each.
func reactions(url any, all []*reaction) map[string]any {
	counts := map[string]any{"url": fmt.Sprintf("%v/reactions", url), "total_count": len(all)}
	for _, content := range []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket"} {
		n := 0
		for _, r := range all {
			if r.content == content {
				n++
			}
		}
		counts[content] = n
	}
	return counts
}

func (s *Server) shapeReaction(r *reaction) map[string]any {
	return s.shape("reaction", map[string]any{
		"id": r.id, "node_id": node("Reaction", r.id), "user": s.user(r.by), "content": r.content, "created_at": stamp(r.created),
	})
}

func (s *Server) shapeCheck(r *repository, c *check) map[string]any {
	return s.shape("check-run", map[string]any{
		"id": c.id, "node_id": node("CheckRun", c.id), "name": c.name, "head_sha": c.head, "external_id": "",
		"url": fmt.Sprintf("%s/repos/%s/check-runs/%d", s.URL, r.name, c.id), "status": c.status, "conclusion": orNil(c.conclusion),
		"started_at": stamp(c.started), "completed_at": stamp(c.completed), "pull_requests": []any{},
		"output": map[string]any{"title": c.title, "summary": c.summary}, "app": s.shapeApp(c.app),
	})
}

// orNil is null for what there is not.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *Server) shapeSign(by object.Signature) map[string]any {
	return map[string]any{"name": by.Name, "email": by.Email, "date": stamp(by.When)}
}

func shapeVerification(c *object.Commit) map[string]any {
	if c.PGPSignature == "" {
		return map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
	}
	return map[string]any{
		"verified": true, "reason": "valid", "signature": c.PGPSignature, "payload": "tree " + c.TreeHash.String(), "verified_at": stamp(c.Committer.When),
	}
}

// shapeCommit is a commit as the Git Data API has it.
func (s *Server) shapeCommit(r *repository, c *object.Commit) map[string]any {
	url := fmt.Sprintf("%s/repos/%s/git", s.URL, r.name)
	parents := []any{}
	for _, p := range c.ParentHashes {
		parents = append(parents, map[string]any{
			"sha": p.String(), "url": url + "/commits/" + p.String(), "html_url": s.web() + "/" + r.name.String() + "/commit/" + p.String(),
		})
	}
	return map[string]any{
		"sha": c.Hash.String(), "node_id": "C_" + c.Hash.String(), "url": url + "/commits/" + c.Hash.String(),
		"html_url": s.web() + "/" + r.name.String() + "/commit/" + c.Hash.String(), "author": s.shapeSign(c.Author),
		"committer": s.shapeSign(c.Committer), "message": c.Message, "parents": parents, "verification": shapeVerification(c),
		"tree": map[string]any{"sha": c.TreeHash.String(), "url": url + "/trees/" + c.TreeHash.String()},
	}
}

// byEmail finds whose commit it is, nil when nobody's.
func (s *Server) byEmail(email string) any {
	for _, a := range s.accounts {
		if a.email() == email {
			return s.user(a)
		}
	}
	if email == webFlow().Email {
		return s.user(&account{login: "web-flow", id: 19864447, kind: "User"})
	}
	return nil
}

// shapeBranch is a branch with its newest commit.
func (s *Server) shapeBranch(r *repository, name string) map[string]any {
	c := r.git.commit(r.branches[name])
	data := s.shapeCommit(r, c)
	url := fmt.Sprintf("%s/repos/%s", s.URL, r.name)
	got := s.shape("branch-get", map[string]any{"name": name, "protected": false})
	got["commit"] = map[string]any{
		"sha": data["sha"], "node_id": data["node_id"], "url": url + "/commits/" + c.Hash.String(), "html_url": data["html_url"],
		"comments_url": url + "/commits/" + c.Hash.String() + "/comments", "parents": data["parents"],
		"author": s.byEmail(c.Author.Email), "committer": s.byEmail(c.Committer.Email),
		"commit": map[string]any{
			"url": data["url"], "author": data["author"], "committer": data["committer"], "message": data["message"],
			"tree": data["tree"], "comment_count": 0, "verification": data["verification"],
		},
	}
	got["_links"] = map[string]any{"html": s.web() + "/" + r.name.String() + "/tree/" + name, "self": url + "/branches/" + name}
	return got
}
