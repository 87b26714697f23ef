package github

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgegit"
)

// Push makes the change's commit by the Git Data API and moves the branch to
// it: about five calls to read and three to write.
//
// As an App it says nothing of who made the commit and when: GitHub makes the
// App the author, commits and signs it itself, and shows it as verified; then
// Branch says that it is the account's own. With a plain token GitHub signs
// nothing, so the change's By is author and committer at its When, and the
// same change makes the same commit.
//
// A new branch is made by "create a reference", which fails when there is one.
// A branch that exists is moved by GraphQL's updateRefs, which alone compares
// it with Lease as it does so ("update a reference" asks at most for a
// fast-forward, and a branch that is made anew on a newer base is none;
// createCommitOnBranch compares, but commits only on top of the branch). When
// the answer to the move is lost the branch is looked at.
//
// forge.ErrLeaseLost: Base is not at BaseHead, or Branch is not at Lease.
// *forge.FileError: a path cannot be a plain file in Base's tree.
func (f *Forge) Push(ctx context.Context, repo forge.Repo, c forge.Change) (string, error) {
	if err := forgegit.Validate(c); err != nil {
		return "", failed(repo.Name, "push", err)
	}
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return "", err
	}
	sha, err := (&push{refs{f.session, client, repo}, c}).run(ctx)
	if err != nil {
		return "", failed(repo.Name, "push", err)
	}
	return sha, nil
}

type push struct {
	refs
	change forge.Change
}

func (p *push) run(ctx context.Context) (string, error) {
	c := p.change
	if err := p.check(ctx); err != nil {
		return "", err
	}
	base, err := p.commit(ctx, c.BaseHead)
	if err != nil {
		return "", err
	}
	made, err := p.makeTree(ctx, base.GetTree().GetSHA())
	if err != nil {
		return "", err
	}
	if done, err := p.isDone(ctx, made); done || err != nil {
		return c.Lease, err
	}
	sha, err := p.makeCommit(ctx, made)
	if err != nil || sha == c.Lease {
		return sha, err
	}
	if err := p.check(ctx); err != nil {
		return "", err
	}
	if c.Lease == "" {
		return sha, p.create(ctx, c.Branch, sha)
	}
	return sha, p.move(ctx, c.Branch, c.Lease, sha)
}

// check compares the base and the branch with what was seen of them.
func (p *push) check(ctx context.Context) error {
	if err := p.at(ctx, p.change.Base, p.change.BaseHead); err != nil {
		return err
	}
	return p.at(ctx, p.change.Branch, p.change.Lease)
}

// commit reads a commit that a branch was at a moment ago.
func (p *push) commit(ctx context.Context, sha string) (*sdk.Commit, error) {
	got, resp, err := p.client.Git.GetCommit(ctx, p.repo.Owner, p.repo.Name.Name, sha)
	if err := answer(resp, err); err != nil {
		return nil, fmt.Errorf("read commit %.10s: %w", sha, err)
	}
	if got.GetTree().GetSHA() == "" {
		return nil, fmt.Errorf("%w: commit %.10s has no tree", forge.ErrTransient, sha)
	}
	return got, nil
}

// makeTree makes the base's tree with the files put in, and returns its
// object id. Modes of files that exist are kept.
func (p *push) makeTree(ctx context.Context, base string) (string, error) {
	below := newTree(p.client, p.repo.Name, base)
	var entries []*sdk.TreeEntry
	for _, path := range slices.Sorted(maps.Keys(p.change.Files)) {
		mode, err := writable(ctx, below, path)
		if err != nil {
			return "", err
		}
		entry := &sdk.TreeEntry{Path: &path, Mode: &mode, Type: new("blob")}
		if err := p.content(ctx, entry, p.change.Files[path]); err != nil {
			return "", err
		}
		entries = append(entries, entry)
	}
	got, resp, err := p.client.Git.CreateTree(ctx, p.repo.Owner, p.repo.Name.Name, base, entries)
	if err := answer(resp, err); err != nil {
		return "", fmt.Errorf("make a tree: %w", err)
	}
	return got.GetSHA(), nil
}

// writable returns the mode that a file at a path is to have, or a
// *forge.FileError where there cannot be one.
func writable(ctx context.Context, t *tree, path string) (string, error) {
	entry, above, err := t.entry(ctx, path)
	switch {
	case err != nil:
		return "", err
	case entry == nil:
		return modePlain, nil
	case above != "":
		return "", &forge.FileError{Path: above, Reason: "is no directory"}
	case kind(entry) != "":
		return "", &forge.FileError{Path: path, Reason: kind(entry)}
	}
	return entry.GetMode(), nil
}

// content puts text into the entry itself; for what is no text it makes a
// blob, since JSON cannot hold it.
func (p *push) content(ctx context.Context, entry *sdk.TreeEntry, content []byte) error {
	if utf8.Valid(content) && !bytes.ContainsRune(content, 0) {
		entry.Content = new(string(content))
		return nil
	}
	got, resp, err := p.client.Git.CreateBlob(ctx, p.repo.Owner, p.repo.Name.Name, &sdk.Blob{
		Content: new(base64.StdEncoding.EncodeToString(content)), Encoding: new("base64"),
	})
	if err := answer(resp, err); err != nil {
		return fmt.Errorf("store %s: %w", entry.GetPath(), err)
	}
	entry.SHA = got.SHA
	return nil
}

// isDone reports whether the branch is already at a commit of the App that
// says the same. Its time differs, so it would not be the same commit.
func (p *push) isDone(ctx context.Context, made string) (bool, error) {
	if p.change.Lease == "" || !p.session.isApp() {
		return false, nil
	}
	got, err := p.commit(ctx, p.change.Lease)
	if err != nil {
		return false, err
	}
	return got.GetTree().GetSHA() == made && len(got.Parents) == 1 && got.Parents[0].GetSHA() == p.change.BaseHead &&
		strings.TrimSpace(got.GetMessage()) == strings.TrimSpace(p.change.Message) && got.GetVerification().GetVerified(), nil
}

func (p *push) makeCommit(ctx context.Context, made string) (string, error) {
	commit := &sdk.Commit{
		Message: &p.change.Message,
		Tree:    &sdk.Tree{SHA: &made},
		Parents: []*sdk.Commit{{SHA: &p.change.BaseHead}},
	}
	if !p.session.isApp() {
		by := p.change.By
		commit.Author = &sdk.CommitAuthor{
			Name: &by.Name, Email: &by.Email, Date: &sdk.Timestamp{Time: p.change.When.UTC().Truncate(time.Second)},
		}
		commit.Committer = commit.Author
	}
	got, resp, err := p.client.Git.CreateCommit(ctx, p.repo.Owner, p.repo.Name.Name, commit, nil)
	err = answer(resp, err)
	switch {
	case err != nil:
		return "", fmt.Errorf("make a commit: %w", err)
	case !commitID.MatchString(got.GetSHA()):
		return "", fmt.Errorf("%w: the new commit has no id", forge.ErrTransient)
	}
	return got.GetSHA(), nil
}

// DeleteBranch deletes a branch that is at lease, by GraphQL's updateRefs; the
// REST API compares nothing. When the branch is elsewhere or gone the error is
// forge.ErrLeaseLost.
func (f *Forge) DeleteBranch(ctx context.Context, repo forge.Repo, branch, lease string) error {
	if !commitID.MatchString(lease) {
		return failed(repo.Name, "delete branch "+branch, fmt.Errorf("the lease %q is no commit", lease))
	}
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return err
	}
	r := refs{f.session, client, repo}
	err = r.at(ctx, branch, lease)
	if err == nil {
		err = r.move(ctx, branch, lease, noCommit)
	}
	if err != nil {
		return failed(repo.Name, "delete branch "+branch, err)
	}
	return nil
}

// lost is the error for a branch ("" of a head: gone) that is not at want.
func lost(branch, got, want string) error {
	switch {
	case got == "":
		return fmt.Errorf("branch %s is gone, not at %.10s: %w", branch, want, forge.ErrLeaseLost)
	case want == "":
		return fmt.Errorf("branch %s exists at %.10s: %w", branch, got, forge.ErrLeaseLost)
	}
	return fmt.Errorf("branch %s is at %.10s, not at %.10s: %w", branch, got, want, forge.ErrLeaseLost)
}

// isUnsure reports whether a request may have had its effect although it
// failed, or may have failed because of what somebody else did.
func isUnsure(err error) bool {
	limited := (*forge.RateLimitError)(nil)
	return !errors.As(err, &limited) && (errors.Is(err, forge.ErrTransient) || errors.Is(err, forge.ErrConflict) ||
		errors.Is(err, forge.ErrNotFound))
}
