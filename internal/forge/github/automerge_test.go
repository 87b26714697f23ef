package github_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

func TestGitHubMergesByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forgetest.ExerciseAutomerge(t, w.withToken)
	forgetest.ExerciseAutomerge(t, w.withApp)
}

// Each refusal says what the repository's owner can do, and merges nothing.
func TestAutomerge_refused(t *testing.T) {
	t.Parallel()
	s := newStage(t, (*world).withApp)
	f := s.driver(t)
	for _, test := range []struct {
		prepare func()
		want    string
	}{
		{func() {}, "nothing is left that has to pass before a merge into main"},
		{func() { s.AllowAutoMerge(s.Repo, false) }, "Settings, General, Pull Requests, Allow auto-merge"},
	} {
		test.prepare()
		err := f.Automerge(t.Context(), s.repo, s.pr.Number, s.pr.HeadSHA)
		refusal := (*forge.AutomergeError)(nil)
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, test.want) {
			t.Errorf("error %v", err)
		}
	}
	if pr, err := f.PullRequest(t.Context(), s.repo, s.pr.Number); err != nil || pr.State != forge.Open {
		t.Errorf("it is %s: %v", pr.State, err)
	}
}
