package forgetest

import (
	"context"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Comments lists the comments on a pull request or an issue.
func (f *Fake) Comments(ctx context.Context, repo forge.Repo, number int64) (got []forge.Comment, err error) {
	call := Call{Method: "Comments", Repo: repo.Name, Number: number}
	err = f.do(ctx, call, func(r *repository) error {
		if _, err := r.item(number); err != nil {
			return err
		}
		for _, c := range r.comments {
			if c.Number == number {
				got = append(got, c.Comment)
			}
		}
		return nil
	})
	return got, err
}

// AddComment comments as FakeBot.
func (f *Fake) AddComment(ctx context.Context, repo forge.Repo, number int64, body string) (got forge.Comment, err error) {
	call := Call{Method: "AddComment", Repo: repo.Name, Write: true, Number: number, Text: body}
	err = f.do(ctx, call, func(r *repository) error {
		made, err := r.say(number, FakeBot, body)
		if err == nil {
			got = made.Comment
		}
		return err
	})
	if err != nil {
		return forge.Comment{}, err
	}
	return got, nil
}

// EditComment changes a comment's text.
func (f *Fake) EditComment(ctx context.Context, repo forge.Repo, id int64, body string) error {
	call := Call{Method: "EditComment", Repo: repo.Name, Write: true, ID: id, Text: body}
	return f.do(ctx, call, func(r *repository) error {
		c, err := r.comment(id)
		if err == nil {
			c.Body, c.Updated = body, r.now()
		}
		return err
	})
}

// Comment reads a comment.
func (f *Fake) Comment(ctx context.Context, repo forge.Repo, id int64) (got forge.Comment, err error) {
	err = f.do(ctx, Call{Method: "Comment", Repo: repo.Name, ID: id}, func(r *repository) error {
		c, err := r.comment(id)
		if err == nil {
			got = c.Comment
		}
		return err
	})
	return got, err
}

// CommentsSince lists the comments that were written or edited since a time.
func (f *Fake) CommentsSince(ctx context.Context, repo forge.Repo, since time.Time) (page forge.CommentPage, err error) {
	since = since.Truncate(time.Second)
	err = f.do(ctx, Call{Method: "CommentsSince", Repo: repo.Name}, func(r *repository) error {
		for _, c := range r.comments {
			if !c.Updated.Before(since) {
				page.Comments = append(page.Comments, c.Comment)
			}
		}
		slices.SortStableFunc(page.Comments, func(a, b forge.Comment) int { return a.Updated.Compare(b.Updated) })
		return nil
	})
	return page, err
}

// Permission is what SetPermission set. FakeHuman and the owner may
// administer, FakeBot may write, FakeStranger may read, others are unknown.
func (f *Fake) Permission(ctx context.Context, repo forge.Repo, login string) (got forge.Permission, err error) {
	err = f.do(ctx, Call{Method: "Permission", Repo: repo.Name, Text: login}, func(r *repository) error {
		got = r.may[login]
		return nil
	})
	return got, err
}

// React reacts as FakeBot.
func (f *Fake) React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	call := Call{Method: "React", Repo: repo.Name, Write: true, ID: comment, Text: string(r)}
	return f.do(ctx, call, func(in *repository) error { return in.react(comment, reaction{FakeBot, r}) })
}

// Unreact takes FakeBot's reaction back.
func (f *Fake) Unreact(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	call := Call{Method: "Unreact", Repo: repo.Name, Write: true, ID: comment, Text: string(r)}
	return f.do(ctx, call, func(in *repository) error {
		c, err := in.comment(comment)
		if err == nil {
			c.reactions = slices.DeleteFunc(c.reactions, func(other reaction) bool { return other == reaction{FakeBot, r} })
		}
		return err
	})
}

// Reactions lists FakeBot's reactions, the oldest first.
func (f *Fake) Reactions(ctx context.Context, repo forge.Repo, comment int64) (own []forge.Reaction, err error) {
	err = f.do(ctx, Call{Method: "Reactions", Repo: repo.Name, ID: comment}, func(r *repository) error {
		c, err := r.comment(comment)
		if err != nil {
			return err
		}
		for _, reaction := range c.reactions {
			if reaction.login == FakeBot {
				own = append(own, reaction.Reaction)
			}
		}
		return nil
	})
	return own, err
}

// HeadSince tells when a pull request's branch was pushed.
func (f *Fake) HeadSince(ctx context.Context, repo forge.Repo, number int64, head string) (since time.Time, err error) {
	err = f.do(ctx, Call{Method: "HeadSince", Repo: repo.Name, Number: number}, func(r *repository) error {
		pr, err := r.pull(number)
		switch {
		case err != nil:
			return err
		case r.show(pr).HeadSHA != head:
			return forge.ErrTransient
		case pr.FromFork:
			since = pr.opened
		default:
			since = r.heads[pr.Head]
		}
		return nil
	})
	return since, err
}
