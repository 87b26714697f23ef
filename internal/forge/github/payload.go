package github

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehook"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// payload is what is read of a delivery's body (docs.github.com, "Webhook
// events and payloads").
type payload struct {
	Action      string           `json:"action"`
	Ref         string           `json:"ref"`
	Before      string           `json:"before"`
	After       string           `json:"after"`
	Number      int64            `json:"number"`
	Repository  *payloadRepo     `json:"repository"`
	Sender      *payloadUser     `json:"sender"`
	PullRequest *payloadPull     `json:"pull_request"`
	Issue       *payloadIssue    `json:"issue"`
	Comment     *payloadComment  `json:"comment"`
	CheckRun    *payloadCheck    `json:"check_run"`
	CheckSuite  *payloadSuite    `json:"check_suite"`
	WorkflowRun *payloadWorkflow `json:"workflow_run"`
	Changes     payloadChanges   `json:"changes"`
}

// payloadChanges is what a repository was called before, or an issue's text.
type payloadChanges struct {
	Repository struct {
		Name struct{ From string } `json:"name"`
	} `json:"repository"`
	Body  struct{ From *string } `json:"body"` // of an issue whose text was edited
	Owner struct {
		From struct{ User, Organization *payloadUser } `json:"from"`
	} `json:"owner"`
}

type payloadRepo struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

type payloadUser struct {
	Login string `json:"login"`
	Type  string `json:"type"` // "User", "Bot", "Organization", "Mannequin"
}

type payloadPull struct {
	Number int64          `json:"number"`
	Head   *payloadBranch `json:"head"`
	Base   *payloadBranch `json:"base"`
}

type payloadBranch struct {
	Ref  string       `json:"ref"`
	SHA  string       `json:"sha"`
	Repo *payloadRepo `json:"repo"` // null once the fork is gone
}

type payloadIssue struct {
	Number      int64        `json:"number"`
	User        *payloadUser `json:"user"`
	Body        string       `json:"body"`
	PullRequest *struct{}    `json:"pull_request"` // it is one
}

type payloadComment struct {
	ID      int64        `json:"id"`
	User    *payloadUser `json:"user"`
	Body    string       `json:"body"`
	URL     string       `json:"html_url"`
	Created time.Time    `json:"created_at"`
	Updated time.Time    `json:"updated_at"`
}

type payloadCheck struct {
	HeadSHA string        `json:"head_sha"`
	Suite   *payloadSuite `json:"check_suite"`
}

type payloadSuite struct {
	HeadSHA string `json:"head_sha"`
	Branch  string `json:"head_branch"` // null of one from a fork
}

type payloadWorkflow struct {
	*forgehook.WorkflowRun
	HeadRepo *payloadRepo `json:"head_repository"`
}

// reader reads the body of an event of one type.
type reader struct {
	read      func(*forge.Event, payload) error
	wholesale bool // it may be about no single repository
}

// readerOf returns the reader of a type that the bot acts on, or the zero value.
func readerOf(eventType string) reader {
	return map[string]reader{
		"ping":                      {pinged, true},
		"push":                      {pushed, false},
		"pull_request":              {pulled, false},
		"pull_request_review":       {reviewed, false},
		"issue_comment":             {commented, false},
		"issues":                    {issued, false},
		"repository":                {founded, false},
		"installation":              {installed, true},
		"installation_repositories": {installed, true},
		"check_run":                 {checked, false},
		"check_suite":               {checked, false},
		"workflow_run":              {worked, false},
	}[eventType]
}

// fill reads the body of an event whose type is one that the bot acts on.
func fill(event *forge.Event, body []byte) error {
	r := readerOf(event.Type)
	if r.read == nil {
		return nil
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("the body is no such payload: %s", forgehttp.Excerpt(err.Error()))
	}
	if !r.wholesale {
		name, watchable, err := p.Repository.name()
		if err != nil || !watchable {
			return err
		}
		event.Repo = name
	}
	var err error
	if event.Sender, err = p.Sender.name(); err != nil && event.Type != "ping" {
		return fmt.Errorf("sender: %w", err)
	}
	return r.read(event, p)
}

func pinged(event *forge.Event, _ payload) error {
	event.Kind = forge.EventPing
	return nil
}

func pushed(event *forge.Event, p payload) error {
	branch, ok := strings.CutPrefix(p.Ref, "refs/heads/")
	if !ok && strings.HasPrefix(p.Ref, "refs/") {
		return nil
	}
	if err := cmp.Or(forgehook.IsBranch("ref", branch), forgehook.IsCommit("before", p.Before), forgehook.IsCommit("after", p.After)); err != nil {
		return err
	}
	if strings.Trim(p.After, "0") == "" { // deleted
		return nil
	}
	event.Kind, event.Branch, event.Head = forge.EventPush, branch, p.After
	return nil
}

func pulled(event *forge.Event, p payload) error {
	pr := p.PullRequest
	if pr == nil || pr.Head == nil {
		return errors.New("pull_request or its head is missing")
	}
	err := cmp.Or(forgehook.IsID("number", p.Number), forgehook.IsBranch("pull_request.head.ref", pr.Head.Ref), forgehook.IsCommit("pull_request.head.sha", pr.Head.SHA))
	if err != nil {
		return err
	}
	event.Kind, event.Number, event.Head = forge.EventPullRequest, p.Number, pr.Head.SHA
	if pr.Head.Repo != nil && pr.Head.Repo.ID > 0 && pr.Head.Repo.ID == p.Repository.ID {
		event.Branch = pr.Head.Ref
	}
	return nil
}

// reviewed reads a review of a pull request, or that one was edited or dismissed.
func reviewed(event *forge.Event, p payload) error {
	if p.PullRequest != nil {
		p.Number = p.PullRequest.Number
	}
	return pulled(event, p)
}

// commented reads a new comment. What was edited or deleted is no news. The
// head of a pull request is not said.
func commented(event *forge.Event, p payload) error {
	switch {
	case p.Action == "":
		return errors.New("action is missing")
	case p.Action != "created":
		return nil
	case p.Comment == nil, p.Issue == nil:
		return errors.New("comment or issue is missing")
	}
	c := p.Comment
	author, err := c.User.name()
	if err != nil && c.User != nil {
		return fmt.Errorf("comment.user: %w", err)
	}
	if c.User == nil { // who wrote it is deleted
		return nil
	}
	err = cmp.Or(forgehook.IsID("comment.id", c.ID), forgehook.IsID("issue.number", p.Issue.Number), forgehook.IsTime("comment.created_at", c.Created))
	if err != nil {
		return err
	}
	event.Kind, event.Number = forge.EventComment, p.Issue.Number
	event.Comment = forge.Comment{
		ID: c.ID, Number: p.Issue.Number, OnPull: p.Issue.PullRequest != nil,
		Author: author, Bot: c.User.Type != "User", Body: c.Body, URL: forgehook.WebAddress(c.URL),
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
	if !slices.Contains([]string{"closed", "deleted", "edited", "reopened", "transferred"}, p.Action) {
		return nil
	}
	event.Kind, event.Number, event.Bot = forge.EventIssue, p.Issue.Number, p.Sender.Type != "User"
	if from := p.Changes.Body.From; p.Action == "edited" && from != nil {
		event.Text, event.Before = p.Issue.Body, *from
	}
	if p.Issue.User != nil {
		var err error
		if event.Author, err = p.Issue.User.name(); err != nil {
			return fmt.Errorf("issue.user: %w", err)
		}
	}
	return nil
}

// founded reads that a repository was made, renamed or given away. It is known
// by the name that it had, if that can be one of a watched repository.
func founded(event *forge.Event, p payload) error {
	switch p.Action {
	case "":
		return errors.New("action is missing")
	case "deleted":
		return nil
	}
	before := event.Repo
	if from := p.Changes.Repository.Name.From; p.Action == "renamed" && from != "" {
		before.Name = from
	}
	if from := cmp.Or(p.Changes.Owner.From.Organization, p.Changes.Owner.From.User); p.Action == "transferred" && from != nil {
		before.Owner = from.Login
	}
	if name, err := forge.ParseName(before.String()); err == nil {
		event.Repo = name
	}
	event.Kind = forge.EventRepository
	return nil
}

// installed reads that the App may work in other repositories than before. They
// may be many, so the event names none.
func installed(event *forge.Event, p payload) error {
	if p.Action == "" {
		return errors.New("action is missing")
	}
	event.Kind = forge.EventRepository
	return nil
}

// checked reads that somebody pressed the button that runs a check again, or the
// one that runs all of the App's checks of a commit again.
func checked(event *forge.Event, p payload) error {
	var head string
	what, suite := event.Type, p.CheckSuite
	switch {
	case p.Action == "":
		return errors.New("action is missing")
	case p.Action != "rerequested":
		return nil
	case what == "check_run" && p.CheckRun != nil:
		head, suite = p.CheckRun.HeadSHA, p.CheckRun.Suite
	case what == "check_suite" && suite != nil:
		head = suite.HeadSHA
	default:
		return fmt.Errorf("%s is missing", what)
	}
	if err := forgehook.IsCommit(what+".head_sha", head); err != nil {
		return err
	}
	event.Kind, event.Head = forge.EventRerun, head
	if suite != nil && suite.Branch != "" {
		event.Branch = suite.Branch
		return forgehook.IsBranch(what+": head_branch", suite.Branch)
	}
	return nil
}

// worked reads that a workflow of the repository itself ended.
func worked(event *forge.Event, p payload) error {
	w := p.WorkflowRun
	if w == nil {
		w = &payloadWorkflow{}
	}
	ended, err := w.Ended(event, p.Action)
	if err != nil || !ended || w.HeadBranch == "" || w.HeadRepo == nil || w.HeadRepo.ID != p.Repository.ID {
		return err
	}
	event.Branch = w.HeadBranch
	return forgehook.IsBranch("workflow_run.head_branch", w.HeadBranch)
}

var githubName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}$`)

// name returns a repository's name, and whether the bot can watch such a one.
// It cannot watch what begins with a dot (".github").
func (r *payloadRepo) name() (name forge.Name, watchable bool, err error) {
	if r == nil {
		return forge.Name{}, false, errors.New("repository is missing")
	}
	name, err = forge.ParseName(r.FullName)
	if err != nil && githubName.MatchString(r.FullName) {
		return forge.Name{}, false, nil
	}
	if err != nil {
		return forge.Name{}, false, fmt.Errorf("repository.full_name: %s", forgehttp.Excerpt(err.Error()))
	}
	return name, true, nil
}

func (u *payloadUser) name() (string, error) {
	if u == nil || !forgehook.IsLine(u.Login) {
		return "", errors.New("it has no login")
	}
	return u.Login, nil
}
