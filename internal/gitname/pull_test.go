package gitname_test

import (
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
)

func TestPullRequest(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]int64{
		"refs/pull/3091/head": 3091, "pull/1/head": 1, "refs/pull/3091/merge": 0, "17.0": 0, "refs/pull/0/head": 0,
		"refs/heads/pull/3/head": 0, "refs/pull/99999999999999999999/head": 0, "refs/pull/-1/head": 0,
	} {
		if got := gitname.PullRequest(ref); got != want {
			t.Errorf("%s: %d, want %d", ref, got, want)
		}
	}
}
