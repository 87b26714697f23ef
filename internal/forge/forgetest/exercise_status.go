package forgetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

// Stater says something of commits. It is an ability that not all drivers have.
type Stater interface {
	Status(ctx context.Context, repo forge.Repo, s forge.Status) error
	Statuses(ctx context.Context, repo forge.Repo, head string) ([]forge.Status, error)
}

// ExerciseStatus tries a driver that is a Stater: of each name the newest word
// counts.
func ExerciseStatus(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	fixture := newFixture(t)
	driver, is := fixture.Forge.(Stater)
	if !is {
		t.Fatal("the driver cannot say anything of commits")
	}
	repo, err := fixture.Forge.Repo(t.Context(), fixture.Repo)
	if err != nil {
		t.Fatal(err)
	}
	heads := fixture.Human.Push(t, Commit{Branch: "said", Message: "1", Files: map[string]File{"f": {Content: "1"}}}, Commit{Branch: "said", Message: "2", Files: map[string]File{"f": {Content: "2"}}})
	for _, s := range []forge.Status{
		{Name: "odyssey/addons", Head: heads[1], Conclusion: forge.Failed, Title: "2 problems"},
		{Name: "odyssey/addons", Head: heads[1], Conclusion: forge.Succeeded, Title: "The addons fit together"},
		{Name: "another", Head: heads[1], Conclusion: forge.Failed, Title: strings.Repeat("lång och bred, ", 50)},
		{Name: "odyssey/addons", Head: heads[0], Conclusion: forge.Failed, Title: "of another commit"},
	} {
		if err := driver.Status(t.Context(), repo, s); err != nil {
			t.Fatal(err)
		}
		whole() // the newest is told by its time
	}
	got, err := driver.Statuses(t.Context(), repo, heads[1])
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b forge.Status) int { return cmp.Compare(a.Name, b.Name) })
	if len(got) != 2 || got[0].Conclusion != forge.Failed || !strings.HasPrefix(got[0].Title, "lång och") ||
		got[1] != (forge.Status{Name: "odyssey/addons", Head: heads[1], Conclusion: forge.Succeeded, Title: "The addons fit together"}) {
		t.Errorf("got %+v", got)
	}
	err = driver.Status(t.Context(), repo, forge.Status{Name: "x", Head: strings.Repeat("1", 40), Conclusion: forge.Failed})
	if err == nil { // Gitea fails at it, and says no more
		t.Error("something is said of a commit that is nowhere")
	}
}
