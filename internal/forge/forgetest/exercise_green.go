package forgetest

import (
	"context"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

// Greener tells what was reported on a commit.
type Greener interface {
	Combined(ctx context.Context, as, name forge.Name, commit string) (forge.Combined, error)
}

// StatusReporter reports on commits by statuses as other programs do: "success",
// "pending" or "failure".
type StatusReporter interface {
	Report(t testing.TB, commit, name, state string)
}

// ExerciseGreen tries a driver that is a Greener.
func ExerciseGreen(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	fixture := newFixture(t)
	driver, is := fixture.Forge.(Greener)
	human, reports := fixture.Human.(StatusReporter)
	if !is || !reports {
		t.Fatalf("the driver does not tell of commits, or nobody reports: %T, %T", fixture.Forge, fixture.Human)
	}
	for i, test := range []struct {
		said [][2]string // name and state
		want forge.Combined
	}{
		{nil, forge.Unreported},
		{[][2]string{{"ci", "success"}}, forge.Green},
		{[][2]string{{"ci", "success"}, {"lint", "success"}}, forge.Green},
		{[][2]string{{"ci", "pending"}, {"lint", "success"}}, forge.Pending},
		{[][2]string{{"ci", "success"}, {"lint", "failure"}}, forge.Red},
		{[][2]string{{"ci", "error"}}, forge.Red},
		{[][2]string{{"lint", "pending"}, {"ci", "failure"}}, forge.Red},
		{[][2]string{{"ci", "failure"}, {"ci", "success"}}, forge.Green},
	} {
		head := fixture.Human.Push(t, Commit{Branch: "reported", Message: "m", Files: map[string]File{"f": {Content: strings.Repeat("x", i+1)}}})[0]
		for n, s := range test.said {
			if n > 0 && s[0] == test.said[n-1][0] {
				whole() // the newest is told by its time
			}
			human.Report(t, head, s[0], s[1])
		}
		if got, err := driver.Combined(t.Context(), fixture.Repo, fixture.Repo, head); got != test.want || err != nil {
			t.Errorf("%v: %q, %v; want %q", test.said, got, err, test.want)
		}
	}
	nowhere := forge.Name{Owner: fixture.Repo.Owner, Name: "nowhere"}
	for name, commit := range map[forge.Name]string{fixture.Repo: strings.Repeat("1", 40), nowhere: strings.Repeat("1", 40)} {
		if got, err := driver.Combined(t.Context(), fixture.Repo, name, commit); got != forge.Unreported || err != nil {
			t.Errorf("%s %s: %q, %v", name, commit, got, err)
		}
	}
}
