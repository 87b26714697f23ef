package forgetest

import (
	"context"
	"slices"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

// Automerge has a pull request merged once the required status has passed.
func (f *Fake) Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error {
	return f.do(ctx, Call{Method: "Automerge", Repo: repo.Name, Write: true, Number: number}, func(r *repository) error {
		pr, err := r.pull(number)
		switch {
		case err != nil:
			return err
		case r.branches[pr.Head] != head:
			return forge.ErrLeaseLost
		case r.required == "":
			return &forge.AutomergeError{Reason: "nothing is required here"}
		}
		pr.automerge = true
		return nil
	})
}

// CancelAutomerge takes Automerge back.
func (f *Fake) CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error {
	return f.do(ctx, Call{Method: "CancelAutomerge", Repo: repo.Name, Write: true, Number: number}, func(r *repository) error {
		if pr, err := r.pull(number); err == nil {
			pr.automerge = false
		}
		return nil
	})
}

// ChangesRequested reports whether a newest review asks for changes.
func (f *Fake) ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (asked bool, err error) {
	err = f.do(ctx, Call{Method: "ChangesRequested", Repo: repo.Name, Number: number}, func(r *repository) error {
		pr, err := r.pull(number)
		if err == nil {
			asked = slices.Contains(pr.against, true)
		}
		return err
	})
	return asked, err
}

// Armed reports whether a pull request is to be merged once its checks passed.
func (f *Fake) Armed(t testing.TB, name forge.Name, number int64) (armed bool) {
	t.Helper()
	err := f.run(name, func(r *repository) error {
		pr, err := r.pull(number)
		if err == nil {
			armed = pr.automerge
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return armed
}

// Require has a status required before a merge into main.
func (h fakeHuman) Require(t testing.TB, check string) {
	t.Helper()
	h.do(t, func(r *repository) error {
		r.required = check
		return nil
	})
}

// Review approves a pull request, or asks for changes.
func (h fakeHuman) Review(t testing.TB, number int64, approve bool) {
	t.Helper()
	h.do(t, func(r *repository) error {
		pr, err := r.pull(number)
		if err == nil {
			pr.against = []bool{!approve} // of the one human that there is
		}
		return err
	})
}

// Report reports on a commit: "success" may merge a pull request.
func (h fakeHuman) Report(t testing.TB, commit, name, state string) {
	t.Helper()
	var merging []int64
	h.do(t, func(r *repository) error {
		for _, pr := range r.pulls {
			if pr.automerge && pr.State == forge.Open && r.branches[pr.Head] == commit && name == r.required && state == "success" {
				merging = append(merging, pr.Number)
			}
		}
		return nil
	})
	for _, number := range merging {
		h.Merge(t, number)
	}
}
