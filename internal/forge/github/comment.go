package github

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// Comments lists the comments on a pull request or an issue, the oldest first.
// Those on lines of code are not among them.
func (f *Forge) Comments(ctx context.Context, repo forge.Repo, number int64) ([]forge.Comment, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.IssueComment, *sdk.Response, error) {
		return client.Issues.ListComments(ctx, repo.Owner, repo.Name.Name, int(number), &sdk.IssueListCommentsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, failed(repo.Name, fmt.Sprintf("list the comments on %d", number), err)
	}
	comments := make([]forge.Comment, 0, len(got))
	for _, c := range got {
		comments = append(comments, comment(c))
	}
	return comments, nil
}

// AddComment comments on a pull request or an issue.
func (f *Forge) AddComment(ctx context.Context, repo forge.Repo, number int64, body string) (forge.Comment, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Comment{}, err
	}
	got, resp, err := client.Issues.CreateComment(ctx, repo.Owner, repo.Name.Name, int(number), &sdk.IssueComment{Body: &body})
	if err := answer(resp, err); err != nil {
		return forge.Comment{}, failed(repo.Name, fmt.Sprintf("comment on %d", number), err)
	}
	f.session.wrote(got.GetUser().GetLogin())
	return comment(got), nil
}

// EditComment changes a comment's text.
func (f *Forge) EditComment(ctx context.Context, repo forge.Repo, id int64, body string) error {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	_, resp, err := client.Issues.EditComment(ctx, repo.Owner, repo.Name.Name, id, &sdk.IssueComment{Body: &body})
	if err := answer(resp, err); err != nil {
		return failed(repo.Name, fmt.Sprintf("edit comment %d", id), err)
	}
	return nil
}

// Comment reads a comment. forge.ErrNotFound: it was deleted, or is on a line
// of code.
func (f *Forge) Comment(ctx context.Context, repo forge.Repo, id int64) (forge.Comment, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.Comment{}, err
	}
	got, resp, err := client.Issues.GetComment(ctx, repo.Owner, repo.Name.Name, id)
	if err := answer(resp, err); err != nil {
		return forge.Comment{}, failed(repo.Name, fmt.Sprintf("read comment %d", id), err)
	}
	return comment(got), nil
}

// maxComments that CommentsSince reads before it calls its page full.
const maxComments = 500

// CommentsSince lists the comments of the whole repository that were written
// or edited at a time or later, by when that was: one API call for each 100.
// GitHub keeps times in whole seconds, and what is written in the present one
// may not be there yet; ask again from it.
//
// Each call asks from the time of the last comment that was read. Numbered
// pages would lose some: a comment that is edited moves to the end, and those
// behind it move up.
func (f *Forge) CommentsSince(ctx context.Context, repo forge.Repo, since time.Time) (forge.CommentPage, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return forge.CommentPage{}, err
	}
	since = since.UTC().Truncate(time.Second)
	found := map[int64]forge.Comment{}
	from, number, more := since, 1, true
	for calls := 0; more && (len(found) < maxComments || from.Equal(since)); calls++ {
		if calls == maxPages {
			return forge.CommentPage{}, failed(repo.Name, "list the comments since "+since.Format(time.RFC3339), errManyPages)
		}
		got, resp, err := client.Issues.ListComments(ctx, repo.Owner, repo.Name.Name, everywhere, &sdk.IssueListCommentsOptions{
			Sort: new("updated"), Direction: new("asc"), Since: sinceOf(from),
			ListOptions: sdk.ListOptions{PerPage: pageSize, Page: number},
		})
		if err := answer(resp, err); err != nil {
			return forge.CommentPage{}, failed(repo.Name, "list the comments since "+since.Format(time.RFC3339), err)
		}
		for _, c := range got {
			if c := comment(c); !c.Updated.Before(since) {
				found[c.ID] = c
			}
		}
		more = resp.NextPage != 0 && len(got) > 0
		if more {
			number++ // within one second
			if last := got[len(got)-1].GetUpdatedAt().UTC(); last.After(from) {
				from, number = last, 1
			}
		}
	}
	page := forge.CommentPage{More: more}
	for _, c := range found {
		page.Comments = append(page.Comments, c)
	}
	slices.SortFunc(page.Comments, func(a, b forge.Comment) int {
		if order := a.Updated.Compare(b.Updated); order != 0 {
			return order
		}
		return int(a.ID - b.ID)
	})
	return page, nil
}

// everywhere is the number for which the SDK lists a repository's comments.
const everywhere = 0

// sinceOf asks from a second earlier: GitHub says "after the given time", and
// not whether that is among it.
func sinceOf(t time.Time) *time.Time {
	if t.Unix() <= 0 {
		return nil
	}
	return new(t.Add(-time.Second))
}

// comment fills in what GitHub's API says of a comment. Which pull request or
// issue it is on stands in addresses only. GitHub keeps whole seconds, so an
// edit in the second of the writing does not show.
func comment(c *sdk.IssueComment) forge.Comment {
	got := forge.Comment{
		ID: c.GetID(), Body: c.GetBody(), URL: c.GetHTMLURL(),
		Author: c.GetUser().GetLogin(), Bot: c.GetUser().GetType() == "Bot",
		Created: c.GetCreatedAt().UTC(), Updated: c.GetUpdatedAt().UTC(),
		OnPull: onPull(c.GetHTMLURL()),
	}
	got.Number, _ = strconv.ParseInt(path.Base(c.GetIssueURL()), 10, 64)
	return got
}

// onPull reports whether a comment's page, …/OWNER/NAME/pull/NUMBER#…, is a pull
// request's.
func onPull(page string) bool {
	u, err := url.Parse(page)
	return err == nil && path.Base(path.Dir(u.Path)) == "pull"
}
