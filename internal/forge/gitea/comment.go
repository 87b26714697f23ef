package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/nuobit/odyssey/internal/forge"
)

// Comments lists the comments on a pull request or an issue, the oldest
// first: one API call, for Gitea gives them all at once.
func (f *Forge) Comments(ctx context.Context, repo forge.Repo, number int64) ([]forge.Comment, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, resp, err := client.ListIssueComments(repo.Owner, repo.Name.Name, number, sdk.ListIssueCommentOptions{})
	if err := onItem(client, repo, number, resp, err); err != nil {
		return nil, f.failed(repo.Name, fmt.Sprintf("list the comments on %d", number), err)
	}
	comments := make([]forge.Comment, 0, len(got))
	for _, c := range got {
		comments = append(comments, comment(c))
	}
	return comments, nil
}

// AddComment comments on a pull request or an issue.
func (f *Forge) AddComment(ctx context.Context, repo forge.Repo, number int64, body string) (forge.Comment, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.Comment{}, err
	}
	got, resp, err := client.CreateIssueComment(repo.Owner, repo.Name.Name, number, sdk.CreateIssueCommentOption{Body: body})
	if err := onItem(client, repo, number, resp, err); err != nil {
		return forge.Comment{}, f.failed(repo.Name, fmt.Sprintf("comment on %d", number), err)
	}
	return comment(got), nil
}

// onItem is answer for a call about a pull request or an issue that Gitea
// answers with status 500 when there is none: the forge is asked again.
func onItem(client *sdk.Client, repo forge.Repo, number int64, resp *sdk.Response, err error) error {
	err = answer(resp, err)
	if resp == nil || resp.StatusCode != http.StatusInternalServerError {
		return err
	}
	_, resp, lookup := client.GetIssue(repo.Owner, repo.Name.Name, number)
	if lookup := answer(resp, lookup); errors.Is(lookup, forge.ErrNotFound) {
		return lookup
	}
	return err
}

// EditComment changes a comment's text. The same edit twice is like once.
func (f *Forge) EditComment(ctx context.Context, repo forge.Repo, id int64, body string) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	_, resp, err := client.EditIssueComment(repo.Owner, repo.Name.Name, id, sdk.EditIssueCommentOption{Body: body})
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, fmt.Sprintf("edit comment %d", id), err)
	}
	return nil
}

// Comment reads a comment. forge.ErrNotFound: it was deleted, or is no plain
// comment.
func (f *Forge) Comment(ctx context.Context, repo forge.Repo, id int64) (forge.Comment, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.Comment{}, err
	}
	got, resp, err := client.GetIssueComment(repo.Owner, repo.Name.Name, id)
	if resp != nil && resp.StatusCode == http.StatusNoContent {
		// What Gitea says of a review's comment, or of an entry such as
		// "closed this".
		return forge.Comment{}, f.failed(repo.Name, fmt.Sprintf("read comment %d", id), forge.ErrNotFound)
	}
	if err := answer(resp, err); err != nil {
		return forge.Comment{}, f.failed(repo.Name, fmt.Sprintf("read comment %d", id), err)
	}
	return comment(got), nil
}

// maxComments that CommentsSince reads before it calls its page full.
const maxComments = 500

// CommentsSince lists the comments of the whole repository that were written
// or edited at a time or later, by when that was: one API call for each 50.
// Gitea keeps times in whole seconds, and what is written in the present one
// may not be there yet; ask again from it.
//
// Gitea lists them by when they were written. When there are too many, those
// are left for the next page that were edited later than others were written
// that have not been read.
func (f *Forge) CommentsSince(ctx context.Context, repo forge.Repo, since time.Time) (forge.CommentPage, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return forge.CommentPage{}, err
	}
	var page forge.CommentPage
	err = walk(func(page sdk.ListOptions) ([]*sdk.Comment, *sdk.Response, error) {
		return client.ListRepoIssueComments(repo.Owner, repo.Name.Name, sdk.ListIssueCommentOptions{ListOptions: page, Since: since})
	}, func(c *sdk.Comment) error {
		if n := len(page.Comments); n > 0 && n%maxComments == 0 {
			if settled := settled(page.Comments, since); settled != nil {
				page = forge.CommentPage{Comments: settled, More: true}
				return errStop
			}
		}
		page.Comments = append(page.Comments, comment(c))
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return forge.CommentPage{}, f.failed(repo.Name, "list the comments since "+since.UTC().Format(time.RFC3339), err)
	}
	slices.SortStableFunc(page.Comments, func(a, b forge.Comment) int { return a.Updated.Compare(b.Updated) })
	return page, nil
}

// settled returns the comments that were last changed before any that follow
// these was written, nil when whoever goes on from them would not get beyond
// since.
func settled(comments []forge.Comment, since time.Time) []forge.Comment {
	newest := comments[len(comments)-1].Created
	var done []forge.Comment
	progress := false
	for _, c := range comments {
		if !c.Updated.After(newest) {
			done = append(done, c)
			progress = progress || c.Updated.After(since)
		}
	}
	if !progress {
		return nil
	}
	return done
}

// comment fills in what Gitea's API says of a comment. Which pull request or
// issue it is on stands in an address only: the one that is set of two. Gitea
// changes updated_at with the text alone, not by reactions or replies; it keeps
// whole seconds, so an edit in the second of the writing does not show.
func comment(c *sdk.Comment) forge.Comment {
	got := forge.Comment{ID: c.ID, Body: c.Body, URL: c.HTMLURL, Created: c.Created.UTC(), Updated: c.Updated.UTC()}
	at := c.IssueURL
	if c.PRURL != "" {
		at, got.OnPull = c.PRURL, true
	}
	got.Number, _ = strconv.ParseInt(path.Base(at), 10, 64)
	if c.Poster != nil {
		got.Author = c.Poster.UserName
		got.Bot = c.Poster.ID <= 0
	}
	return got
}
