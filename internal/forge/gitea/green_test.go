package gitea_test

import (
	"net/http"
	"testing"

	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

func TestGiteaTellsOfCommits(t *testing.T) {
	t.Parallel()
	forgetest.ExerciseGreen(t, newWorld(t).fixture)
}

// Report reports on a commit by a status.
func (h human) Report(t testing.TB, commit, name, state string) {
	t.Helper()
	h.api(t, http.MethodPost, "/statuses/"+commit, map[string]string{"context": name, "state": state}, nil)
}
