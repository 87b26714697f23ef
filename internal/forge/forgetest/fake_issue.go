package forgetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
)

// PullRequest reads a pull request.
func (f *Fake) PullRequest(ctx context.Context, repo forge.Repo, number int64) (got forge.PullRequest, err error) {
	err = f.do(ctx, Call{Method: "PullRequest", Repo: repo.Name, Number: number}, func(r *repository) error {
		pr, err := r.pull(number)
		if err == nil {
			got = r.show(pr)
		}
		return err
	})
	return got, err
}

// OwnIssues lists FakeBot's open issues, the newest first.
func (f *Fake) OwnIssues(ctx context.Context, repo forge.Repo) (own []forge.Issue, err error) {
	err = f.do(ctx, Call{Method: "OwnIssues", Repo: repo.Name}, func(r *repository) error {
		for _, i := range slices.Backward(r.issues) {
			if i.Author == FakeBot && i.State == forge.Open {
				own = append(own, i.Issue)
			}
		}
		return nil
	})
	return own, err
}

// CreateIssue opens an issue as FakeBot.
func (f *Fake) CreateIssue(ctx context.Context, repo forge.Repo, in forge.NewIssue) (got forge.Issue, err error) {
	call := Call{Method: "CreateIssue", Repo: repo.Name, Write: true, Text: in.Title}
	err = f.do(ctx, call, func(r *repository) error {
		got = r.report(FakeBot, in).Issue
		return nil
	})
	if err != nil {
		return forge.Issue{}, err
	}
	return got, nil
}

// EditIssue changes what is set in the edit.
func (f *Fake) EditIssue(ctx context.Context, repo forge.Repo, number int64, edit forge.Edit) (got forge.Issue, err error) {
	call := Call{Method: "EditIssue", Repo: repo.Name, Write: true, Number: number, Text: edit.Title}
	err = f.do(ctx, call, func(r *repository) error {
		i, err := r.issue(number)
		if err != nil {
			return err
		}
		err = i.edit(edit)
		got = i.Issue
		return err
	})
	if err != nil {
		return forge.Issue{}, err
	}
	return got, nil
}

// Repositories lists the repositories of an owner, with a topic, or both, by
// name.
func (f *Fake) Repositories(ctx context.Context, q forge.RepositoryQuery) (found []forge.Repo, err error) {
	err = f.surround(ctx, Call{Method: "Repositories", Text: strings.TrimSpace(q.Owner + " " + q.Topic)}, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if q == (forge.RepositoryQuery{}) {
			return errNoQuery
		}
		known := q.Owner == ""
		for name, r := range f.repos {
			known = known || q.Owner == name.Owner
			if (q.Owner == "" || q.Owner == name.Owner) && (q.Topic == "" || slices.Contains(r.topics, q.Topic)) {
				found = append(found, r.describe())
			}
		}
		if !known {
			return forge.ErrNotFound
		}
		slices.SortFunc(found, func(a, b forge.Repo) int { return strings.Compare(a.String(), b.String()) })
		return nil
	})
	return found, err
}

func (r *repository) describe() forge.Repo {
	return forge.Repo{
		Name: r.name, Account: FakeBot, DefaultBranch: "main", WebURL: r.url(),
		Empty: len(r.branches) == 0, Private: r.private, Changed: r.changed,
	}
}

// item returns whether a number is a pull request's.
func (r *repository) item(number int64) (isPull bool, err error) {
	if _, err := r.issue(number); err == nil {
		return false, nil
	}
	_, err = r.pull(number)
	return true, err
}

func (r *repository) issue(number int64) (*issue, error) {
	for _, i := range r.issues {
		if i.Number == number {
			return i, nil
		}
	}
	return nil, forge.ErrNotFound
}

func (r *repository) report(author string, in forge.NewIssue) *issue {
	made := &issue{
		Issue: forge.Issue{
			Number: r.number(), Author: author, Title: in.Title, Body: in.Body, State: forge.Open,
			URL: fmt.Sprintf("%s/issues/%d", r.url(), r.number()),
		},
		labels: slices.Sorted(slices.Values(in.Labels)),
	}
	r.issues = append(r.issues, made)
	return made
}

func (i *issue) edit(edit forge.Edit) error {
	switch edit.State {
	case "":
	case forge.Open, forge.Closed:
		i.State = edit.State
	default:
		return fmt.Errorf("%q is no state to ask for", edit.State)
	}
	if edit.Title != "" {
		i.Title = edit.Title
	}
	if edit.Body != "" {
		i.Body = edit.Body
	}
	return nil
}

func (r *repository) comment(id int64) (*comment, error) {
	for _, c := range r.comments {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, forge.ErrNotFound
}

func (r *repository) say(number int64, author, body string) (*comment, error) {
	onPull, err := r.item(number)
	if err != nil {
		return nil, err
	}
	r.ids++
	kind := "issues"
	if onPull {
		kind = "pulls"
	}
	now := r.now()
	made := &comment{Comment: forge.Comment{
		ID: r.ids, Number: number, OnPull: onPull, Author: author, Bot: r.robots[author], Body: body,
		URL:     fmt.Sprintf("%s/%s/%d#issuecomment-%d", r.url(), kind, number, r.ids),
		Created: now, Updated: now,
	}}
	r.comments = append(r.comments, made)
	return made, nil
}

func (r *repository) react(id int64, made reaction) error {
	c, err := r.comment(id)
	if err == nil && !slices.Contains(c.reactions, made) {
		c.reactions = append(c.reactions, made)
	}
	return err
}
