package gitea

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehook"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// payload is what is read of a delivery's body (Gitea 1.26,
// modules/structs/hook.go; Forgejo's is the same).
type payload struct {
	Action      string       `json:"action"`
	Ref         string       `json:"ref"`
	Before      string       `json:"before"`
	After       string       `json:"after"`
	Number      int64        `json:"number"`
	IsPull      bool         `json:"is_pull"`
	Repository  *payloadRepo `json:"repository"`
	Sender      *payloadUser `json:"sender"`
	PullRequest *payloadPull `json:"pull_request"`
	Issue       *struct {
		Number int64        `json:"number"`
		User   *payloadUser `json:"user"`
		Body   string       `json:"body"`
	} `json:"issue"`
	Changes *struct {
		Body *struct {
			From string `json:"from"`
		} `json:"body"`
	} `json:"changes"`
	Comment     *payloadComment        `json:"comment"`
	WorkflowRun *forgehook.WorkflowRun `json:"workflow_run"`
}

type payloadRepo struct {
	FullName string `json:"full_name"`
}

type payloadUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

type payloadPull struct {
	Head *payloadBranch `json:"head"`
	Base *payloadBranch `json:"base"`
}

type payloadBranch struct {
	Label  string `json:"label"` // the branch's name, also once it is gone
	SHA    string `json:"sha"`
	RepoID int64  `json:"repo_id"`
}

type payloadComment struct {
	ID      int64        `json:"id"`
	User    *payloadUser `json:"user"`
	Body    string       `json:"body"`
	URL     string       `json:"html_url"`
	Created time.Time    `json:"created_at"`
	Updated time.Time    `json:"updated_at"`
}

// fill reads the body of an event whose type is one that the bot acts on.
//
// Gitea has no ping: its button "test delivery" sends a push that moves
// nothing. "pull_request_comment" is a review, whose comments are no commands.
func fill(event *forge.Event, body []byte) error {
	read := map[string]func(*forge.Event, payload) error{
		"push": push, "pull_request": pulled, "issue_comment": commented, "repository": founded,
		"issues": issued, "pull_request_approved": pulled, "pull_request_rejected": pulled, "workflow_run": worked,
	}[event.Type]
	if read == nil {
		return nil
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("the body is no such payload: %s", forgehttp.Excerpt(err.Error()))
	}
	var err error
	if event.Repo, err = p.repo(); err != nil {
		return err
	}
	if event.Sender, err = p.Sender.name(); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	return read(event, p)
}

func push(event *forge.Event, p payload) error {
	branch, ok := strings.CutPrefix(p.Ref, "refs/heads/")
	if !ok && strings.HasPrefix(p.Ref, "refs/") {
		return nil
	}
	if err := cmp.Or(forgehook.IsBranch("ref", branch), forgehook.IsCommit("before", p.Before), forgehook.IsCommit("after", p.After)); err != nil {
		return err
	}
	switch {
	case strings.Trim(p.After, "0") == "": // deleted
		return nil
	case p.After == p.Before:
		event.Kind = forge.EventPing
		return nil
	}
	event.Kind, event.Branch, event.Head = forge.EventPush, branch, p.After
	return nil
}

func pulled(event *forge.Event, p payload) error {
	if p.PullRequest == nil {
		return errors.New("pull_request is missing")
	}
	if err := cmp.Or(forgehook.IsID("number", p.Number), p.PullRequest.check()); err != nil {
		return err
	}
	event.Kind, event.Number = forge.EventPullRequest, p.Number
	if pr := p.PullRequest; pr.Head != nil {
		event.Head = pr.Head.SHA
		if pr.Base != nil && pr.Head.RepoID > 0 && pr.Head.RepoID == pr.Base.RepoID {
			event.Branch = pr.Head.Label
		}
	}
	return nil
}

// commented reads a new comment. What was edited or deleted is no news.
func commented(event *forge.Event, p payload) error {
	switch {
	case p.Action == "":
		return errors.New("action is missing")
	case p.Action != "created":
		return nil
	case p.Comment == nil, p.Issue == nil:
		return errors.New("comment or issue is missing")
	}
	author, err := p.Comment.User.name()
	if err != nil {
		return fmt.Errorf("comment.user: %w", err)
	}
	c := p.Comment
	if err := cmp.Or(forgehook.IsID("comment.id", c.ID), forgehook.IsID("issue.number", p.Issue.Number), forgehook.IsTime("comment.created_at", c.Created)); err != nil {
		return err
	}
	if p.PullRequest != nil {
		if err := p.PullRequest.check(); err != nil {
			return err
		}
		if p.PullRequest.Head != nil {
			event.Head = p.PullRequest.Head.SHA
		}
	}
	event.Kind, event.Number = forge.EventComment, p.Issue.Number
	event.Comment = forge.Comment{
		ID: c.ID, Number: p.Issue.Number, OnPull: p.IsPull || p.PullRequest != nil,
		Author: author, Bot: c.User.ID <= 0, Body: c.Body, URL: forgehook.WebAddress(c.URL),
		Created: c.Created.UTC(), Updated: c.Updated.UTC(),
	}
	return nil
}

// issued reads what became of an issue that was there before.
func issued(event *forge.Event, p payload) error {
	if p.Action == "" || p.Issue == nil {
		return errors.New("action or issue is missing")
	}
	if err := forgehook.IsID("issue.number", p.Issue.Number); err != nil {
		return err
	}
	if !slices.Contains([]string{"closed", "deleted", "edited", "reopened"}, p.Action) {
		return nil
	}
	event.Kind, event.Number, event.Bot = forge.EventIssue, p.Issue.Number, p.Sender.ID <= 0
	if p.Action == "edited" && p.Changes != nil && p.Changes.Body != nil {
		event.Text, event.Before = p.Issue.Body, p.Changes.Body.From
	}
	if p.Issue.User != nil {
		var err error
		if event.Author, err = p.Issue.User.name(); err != nil {
			return fmt.Errorf("issue.user: %w", err)
		}
	}
	return nil
}

// worked reads that a workflow ended.
func worked(event *forge.Event, p payload) error {
	w := p.WorkflowRun
	ended, err := w.Ended(event, p.Action)
	if err != nil || !ended || w.HeadBranch == "" { // of a pull request it is none
		return err
	}
	event.Branch = w.HeadBranch
	return forgehook.IsBranch("workflow_run.head_branch", w.HeadBranch)
}

func founded(event *forge.Event, p payload) error {
	switch p.Action {
	case "":
		return errors.New("action is missing")
	case "deleted":
		return nil
	}
	event.Kind = forge.EventRepository
	return nil
}

func (p payload) repo() (forge.Name, error) {
	if p.Repository == nil {
		return forge.Name{}, errors.New("repository is missing")
	}
	name, err := forge.ParseName(p.Repository.FullName)
	if err != nil {
		return forge.Name{}, fmt.Errorf("repository.full_name: %s", forgehttp.Excerpt(err.Error()))
	}
	return name, nil
}

// check leaves the head unchecked where the payload has none.
func (pr *payloadPull) check() error {
	if pr.Head == nil {
		return nil
	}
	var errs []error
	if pr.Head.SHA != "" {
		errs = append(errs, forgehook.IsCommit("pull_request.head.sha", pr.Head.SHA))
	}
	if pr.Head.Label != "" {
		errs = append(errs, forgehook.IsBranch("pull_request.head.label", pr.Head.Label))
	}
	return cmp.Or(errs...)
}

// name returns a login. Forgejo has some of other servers ("@a@b.example").
func (u *payloadUser) name() (string, error) {
	if u == nil || !forgehook.IsLine(u.Login) {
		return "", errors.New("it has no login")
	}
	return u.Login, nil
}
