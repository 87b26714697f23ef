package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehook"
)

// activity is one of those that GitHub lists of a repository, of which the SDK
// has none: what happened to a branch, and when, by GitHub's own clock.
type activity struct {
	After string    `json:"after"`
	Ref   string    `json:"ref"`
	At    time.Time `json:"timestamp"`
}

// HeadSince returns the second in which head became the head of a pull request,
// by GitHub's clock: one API call for the pull request and one for the newest
// activity on its branch, in the fork where it is one of a fork. The times in
// commits can be anybody's, and are not looked at.
//
// The zero time: GitHub does not tell, because the fork is private or gone, or
// it is an Enterprise Server that is too old. forge.ErrTransient: what it
// lists does not lead to head, or not yet.
func (f *Forge) HeadSince(ctx context.Context, repo forge.Repo, number int64, head string) (time.Time, error) {
	ctx, client, err := f.at(ctx, repo.Name)
	if err != nil {
		return time.Time{}, err
	}
	doing := fmt.Sprintf("find out since when pull request %d has its head", number)
	got, resp, err := client.PullRequests.Get(ctx, repo.Owner, repo.Name.Name, int(number))
	if err := answer(resp, err); err != nil {
		return time.Time{}, failed(repo.Name, doing, err)
	}
	from, err := forge.ParseName(got.GetHead().GetRepo().GetFullName())
	branch := got.GetHead().GetRef()
	if err != nil || forgehook.IsBranch("head", branch) != nil {
		return time.Time{}, nil //nolint:nilerr // the fork is gone, or none that can be asked for: nobody knows
	}
	path := fmt.Sprintf("repos/%s/activity?%s", from, url.Values{"ref": {"refs/heads/" + branch}, "per_page": {"1"}}.Encode())
	req, err := client.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return time.Time{}, failed(repo.Name, doing, err)
	}
	var newest []activity
	resp, err = client.Do(ctx, req, &newest)
	err = answer(resp, err)
	switch {
	case errors.Is(err, forge.ErrNotFound), errors.Is(err, forge.ErrUnauthorized):
		return time.Time{}, nil
	case err == nil && len(newest) == 0:
		return time.Time{}, nil
	case err == nil && (newest[0].After != head || newest[0].Ref != "refs/heads/"+branch):
		err = fmt.Errorf("%w: it knows of no push of %.10s to %s", forge.ErrTransient, head, branch)
	}
	if err != nil {
		return time.Time{}, failed(repo.Name, doing, err)
	}
	return newest[0].At.UTC(), nil
}
