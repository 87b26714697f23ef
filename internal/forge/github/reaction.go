package github

import (
	"context"
	"fmt"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
)

// React reacts to a comment. GitHub takes a second time as the first.
func (f *Forge) React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	_, resp, err := client.Reactions.CreateIssueCommentReaction(ctx, repo.Owner, repo.Name.Name, comment, string(r))
	if err := answer(resp, err); err != nil {
		return failed(repo.Name, fmt.Sprintf("react to comment %d", comment), err)
	}
	return nil
}

// Unreact takes a reaction back, if it is there.
func (f *Forge) Unreact(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	own, err := f.own(ctx, client, repo, comment)
	if err != nil {
		return failed(repo.Name, fmt.Sprintf("read the reactions to comment %d", comment), err)
	}
	for _, reaction := range own {
		if forge.Reaction(reaction.GetContent()) != r {
			continue
		}
		resp, err := client.Reactions.DeleteIssueCommentReaction(ctx, repo.Owner, repo.Name.Name, comment, reaction.GetID())
		if err := answer(resp, err); err != nil {
			return failed(repo.Name, fmt.Sprintf("take back the reaction to comment %d", comment), err)
		}
	}
	return nil
}

// Reactions lists those of the account to a comment, the oldest first.
func (f *Forge) Reactions(ctx context.Context, repo forge.Repo, comment int64) ([]forge.Reaction, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	got, err := f.own(ctx, client, repo, comment)
	if err != nil {
		return nil, failed(repo.Name, fmt.Sprintf("read the reactions to comment %d", comment), err)
	}
	var own []forge.Reaction
	for _, r := range got {
		own = append(own, forge.Reaction(r.GetContent()))
	}
	return own, nil
}

// own lists the account's reactions to a comment.
func (f *Forge) own(ctx context.Context, client *sdk.Client, repo forge.Repo, comment int64) ([]*sdk.Reaction, error) {
	account, err := f.session.login(ctx)
	if err != nil {
		return nil, err
	}
	got, err := all(func(page sdk.ListOptions) ([]*sdk.Reaction, *sdk.Response, error) {
		return client.Reactions.ListIssueCommentReactions(ctx, repo.Owner, repo.Name.Name, comment, &page)
	})
	if err != nil {
		return nil, err
	}
	var own []*sdk.Reaction
	for _, r := range got {
		if r.GetUser().GetLogin() == account {
			own = append(own, r)
		}
	}
	return own, nil
}
