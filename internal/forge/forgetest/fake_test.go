package forgetest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

func TestFakeIsAForge(t *testing.T) {
	t.Parallel()
	fake := forgetest.NewFake()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Fixture { return fake.Fixture(t) })
}

func TestFakeSaysOfCommits(t *testing.T) {
	t.Parallel()
	fake := forgetest.NewFake()
	forgetest.ExerciseStatus(t, func(t *testing.T) forgetest.Fixture { return fake.Fixture(t) })
}

func TestFakeRunsWorkflows(t *testing.T) {
	t.Parallel()
	fake := forgetest.NewFake()
	forgetest.ExerciseWorkflows(t, func(t *testing.T) forgetest.Fixture { return fake.Fixture(t) })
}

func TestFakeRecordsAndFails(t *testing.T) {
	t.Parallel()
	fake := forgetest.NewFake()
	at := fake.Fixture(t)
	repo := forge.Repo{Name: at.Repo, DefaultBranch: "main"}
	open := func() error {
		_, err := fake.CreatePullRequest(t.Context(), repo, forge.NewPullRequest{Head: "b", Base: "main", Title: "T"})
		return err
	}
	at.Human.Push(t, forgetest.Commit{Branch: "b", Message: "m"})

	refuse := func(method string) error {
		if method == "CreatePullRequest" {
			return forge.ErrTransient
		}
		return nil
	}
	fake.FailBefore(refuse)
	if err := open(); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("error %v, want the one before", err)
	}
	fake.FailBefore(nil)
	fake.FailAfter(refuse)
	if err := open(); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("error %v, want the one after", err)
	}
	fake.FailAfter(nil)
	if err := open(); !errors.Is(err, forge.ErrConflict) {
		t.Errorf("error %v, want that the pull request exists", err)
	}

	call := forgetest.Call{
		Method: "CreatePullRequest", Repo: at.Repo, Write: true, Branch: "b", Text: "T", Err: forge.ErrTransient,
	}
	conflict := call
	conflict.Err = forge.ErrConflict
	if diff := cmp.Diff([]forgetest.Call{call, call, conflict}, fake.Calls(), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]forgetest.Call{call}, fake.Writes(), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// A hook may act as a human between the reading and the writing of the one
// who is tested.
func TestFakeHookMayPush(t *testing.T) {
	t.Parallel()
	fake := forgetest.NewFake()
	at := fake.Fixture(t)
	repo := forge.Repo{Name: at.Repo, DefaultBranch: "main"}
	main, err := fake.Branch(t.Context(), repo, "main")
	if err != nil {
		t.Fatal(err)
	}
	fake.FailBefore(func(method string) error {
		if method == "Push" {
			at.Human.Push(t, forgetest.Commit{Branch: "bot", Message: "mine"})
		}
		return nil
	})
	_, err = fake.Push(t.Context(), repo, forge.Change{
		Base: "main", BaseHead: main.Head, Branch: "bot", Files: map[string][]byte{"f": nil},
		By: forge.Identity{Name: "B", Email: "b@example.org"},
	})
	if !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("error %v, want a lost lease", err)
	}
}
