package gitea_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

func TestGiteaMergesByItself(t *testing.T) {
	t.Parallel()
	forgetest.ExerciseAutomerge(t, newWorld(t).fixture)
}

// Require protects main.
func (h human) Require(t testing.TB, check string) {
	t.Helper()
	h.api(t, http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_push": true, "enable_status_check": true, "status_check_contexts": []string{check}}, nil)
}

func (h human) Review(t testing.TB, number int64, approve bool) {
	t.Helper()
	event := map[bool]string{true: "APPROVED", false: "REQUEST_CHANGES"}[approve]
	h.api(t, http.MethodPost, fmt.Sprintf("/pulls/%d/reviews", number), map[string]string{"event": event, "body": "so"}, nil)
}
