package forgetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Automerger has the forge merge pull requests. It is an ability that not all
// drivers have.
type Automerger interface {
	Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error
	CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error
	ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (bool, error)
}

// Owner decides what has to pass before a merge into main, and reviews.
type Owner interface {
	StatusReporter
	Require(t testing.TB, check string)
	Review(t testing.TB, number int64, approve bool)
}

// ExerciseAutomerge tries a driver that is an Automerger.
func ExerciseAutomerge(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	fixture := newFixture(t)
	driver, is := fixture.Forge.(Automerger)
	human, owns := fixture.Human.(Owner)
	if !is || !owns {
		t.Fatalf("the driver has nothing merged, or nobody owns the repository: %T, %T", fixture.Forge, fixture.Human)
	}
	repo, err := fixture.Forge.Repo(t.Context(), fixture.Repo)
	must(t, err)
	head := fixture.Human.Push(t, Commit{Branch: "auto", Message: "1", Files: map[string]File{"f": {Content: "1"}}})[0]
	pr, err := fixture.Forge.CreatePullRequest(t.Context(), repo, forge.NewPullRequest{Head: "auto", Base: "main", Title: "t"})
	must(t, err)
	state := func() forge.State {
		t.Helper()
		got, err := fixture.Forge.PullRequest(t.Context(), repo, pr.Number)
		must(t, err)
		return got.State
	}

	refusal := (*forge.AutomergeError)(nil)
	if err := driver.Automerge(t.Context(), repo, pr.Number, head); !errors.As(err, &refusal) || state() != forge.Open {
		t.Fatalf("where nothing is required: %v; the pull request is %s", err, state())
	}
	human.Require(t, "ci")
	must(t, driver.Automerge(t.Context(), repo, pr.Number, head))
	must(t, driver.Automerge(t.Context(), repo, pr.Number, head))
	must(t, driver.CancelAutomerge(t.Context(), repo, pr.Number))
	must(t, driver.CancelAutomerge(t.Context(), repo, pr.Number))
	must(t, driver.CancelAutomerge(t.Context(), repo, 4711))
	human.Report(t, head, "ci", "success")
	whole()
	if got := state(); got != forge.Open {
		t.Fatalf("it was cancelled, and is %s", got)
	}

	next := fixture.Human.Push(t, Commit{Branch: "auto", Message: "2", Files: map[string]File{"f": {Content: "2"}}})[0]
	if err := driver.Automerge(t.Context(), repo, pr.Number, head); !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("of another head: %v", err)
	}
	reviewed(t, driver, human, repo, pr.Number)
	must(t, driver.Automerge(t.Context(), repo, pr.Number, next))
	human.Report(t, next, "lint", "success")
	human.Report(t, next, "ci", "pending")
	whole()
	if got := state(); got != forge.Open {
		t.Fatalf("nothing that is required has passed, and it is %s", got)
	}
	human.Report(t, next, "ci", "success")
	for deadline := time.Now().Add(20 * time.Second); state() != forge.Merged; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("all has passed, and it is %s", state())
		}
	}
}

// reviewed tries who reviews it.
func reviewed(t *testing.T, driver Automerger, human Owner, repo forge.Repo, number int64) {
	t.Helper()
	for i, approve := range []bool{false, true, false, true} {
		human.Review(t, number, approve)
		if asked, err := driver.ChangesRequested(t.Context(), repo, number); err != nil || asked == approve {
			t.Errorf("review %d, approving %t: %t, %v", i, approve, asked, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
