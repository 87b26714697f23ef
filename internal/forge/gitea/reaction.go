package gitea

import (
	"context"
	"fmt"

	"github.com/nuobit/odyssey/internal/forge"
)

// React reacts to a comment. Gitea takes a second time as the first.
func (f *Forge) React(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	_, resp, err := client.PostIssueCommentReaction(repo.Owner, repo.Name.Name, comment, string(r))
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, fmt.Sprintf("react to comment %d", comment), err)
	}
	return nil
}

// Unreact takes a reaction back, if it is there.
func (f *Forge) Unreact(ctx context.Context, repo forge.Repo, comment int64, r forge.Reaction) error {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return err
	}
	resp, err := client.DeleteIssueCommentReaction(repo.Owner, repo.Name.Name, comment, string(r))
	if err := answer(resp, err); err != nil {
		return f.failed(repo.Name, fmt.Sprintf("take back the reaction to comment %d", comment), err)
	}
	return nil
}

// Reactions lists those of the token's account to a comment.
func (f *Forge) Reactions(ctx context.Context, repo forge.Repo, comment int64) ([]forge.Reaction, error) {
	client, err := f.client(ctx, repo.Name)
	if err != nil {
		return nil, err
	}
	account, err := f.account(client, repo.Name)
	if err != nil {
		return nil, err
	}
	got, resp, err := client.GetIssueCommentReactions(repo.Owner, repo.Name.Name, comment)
	if err := answer(resp, err); err != nil {
		return nil, f.failed(repo.Name, fmt.Sprintf("read the reactions to comment %d", comment), err)
	}
	var own []forge.Reaction
	for _, r := range got {
		if r.User != nil && r.User.UserName == account {
			own = append(own, forge.Reaction(r.Reaction))
		}
	}
	return own, nil
}
