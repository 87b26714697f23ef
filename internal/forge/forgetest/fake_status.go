package forgetest

import (
	"context"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
)

// maxStatus is how long the line of a status is kept, in characters.
const maxStatus = 140

// Status says something of a commit.
func (f *Fake) Status(ctx context.Context, repo forge.Repo, s forge.Status) error {
	call := Call{Method: "Status", Repo: repo.Name, Write: true, Text: s.Title}
	return f.do(ctx, call, func(r *repository) error {
		if _, exists := r.commits[s.Head]; !exists {
			return forge.ErrNotFound
		}
		if title := []rune(s.Title); len(title) > maxStatus {
			s.Title = string(title[:maxStatus])
		}
		r.statuses = slices.DeleteFunc(r.statuses, func(had forge.Status) bool { return had.Head == s.Head && had.Name == s.Name })
		r.statuses = append(r.statuses, s)
		return nil
	})
}

// Statuses lists what is said of a commit, the newest of each name.
func (f *Fake) Statuses(ctx context.Context, repo forge.Repo, head string) (all []forge.Status, err error) {
	err = f.do(ctx, Call{Method: "Statuses", Repo: repo.Name}, func(r *repository) error {
		for _, s := range r.statuses {
			if s.Head == head {
				all = append(all, s)
			}
		}
		return nil
	})
	return all, err
}
