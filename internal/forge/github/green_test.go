package github_test

import (
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

func TestGitHubTellsOfCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forgetest.ExerciseGreen(t, w.withToken)
	forgetest.ExerciseGreen(t, w.withApp)
}

// An App asks about a public repository in which it is not installed, in the
// name of one in which it is; checks count beside statuses.
func TestCombined_checks(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	upstream := s.world.repo()
	actions := s.AddApp("actions", nil)
	human := s.As("owner", upstream)
	reporter, _ := human.(forgetest.StatusReporter)
	for i, test := range []struct {
		runs   []string // conclusions
		status string
		want   forge.Combined
		calls  int
	}{
		{[]string{"success", "neutral", "skipped"}, "", forge.Green, 2},
		{[]string{"success", ""}, "", forge.Pending, 2},
		{[]string{"success", "cancelled", ""}, "", forge.Red, 1},
		{[]string{"success"}, "failure", forge.Red, 2},
		{[]string{"success"}, "pending", forge.Pending, 2},
		{nil, "success", forge.Green, 2},
	} {
		head := human.Push(t, forgetest.Commit{Branch: "b", Message: "m", Files: map[string]forgetest.File{"f": {Content: string(rune('a' + i))}}})[0]
		for n, conclusion := range test.runs {
			s.AddCheckRun(actions, upstream, head, string(rune('a'+n)), conclusion)
		}
		if test.status != "" {
			reporter.Report(t, head, "ci", test.status)
		}
		s.Requests()
		got, err := s.driver(t).Combined(t.Context(), s.Repo, upstream, head)
		if got != test.want || err != nil {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
		if n := len(s.Requests()); n > test.calls {
			t.Errorf("%+v: %d calls", test, n)
		}
	}
	if _, err := s.driver(t).Combined(t.Context(), s.Repo, upstream, "main"); err == nil {
		t.Error("a branch is no commit")
	}
}
