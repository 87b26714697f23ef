package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// activity is what happened to a branch, by the server's clock.
type activity struct {
	id            int64
	ref, kind     string
	before, after plumbing.Hash
	at            time.Time
	by            *account
}

// record notes that a branch is put somewhere.
func (r *repository) record(branch string, before, after plumbing.Hash, by *account, at time.Time, id int64) {
	kind := "push"
	switch {
	case before == after:
		return
	case before.IsZero():
		kind = "branch_creation"
	case after.IsZero():
		kind = "branch_deletion"
	case !r.git.isAncestor(before, after):
		kind = "force_push"
	}
	r.acts = append(r.acts, &activity{id, "refs/heads/" + branch, kind, before, after, at, by})
}

func activityOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}/activity": {"contents:read", func(c *call) (int, any, error) {
			ref := c.query("ref", "")
			if ref != "" && !strings.HasPrefix(ref, "refs/heads/") {
				ref = "refs/heads/" + ref
			}
			var found []*activity
			for _, a := range c.repo.acts {
				if ref == "" || a.ref == ref {
					found = append(found, a)
				}
			}
			if c.query("direction", "desc") == "desc" {
				slices.Reverse(found)
			}
			items := []any{}
			for _, a := range found[:min(len(found), int(atoi(c.query("per_page", "30"))), c.maxPage)] { // without a cursor to the next
				items = append(items, map[string]any{
					"id": a.id, "node_id": node("Push", a.id), "before": a.before.String(), "after": a.after.String(), "ref": a.ref,
					"timestamp": stamp(a.at), "activity_type": a.kind, "actor": c.user(a.by),
				})
			}
			return http.StatusOK, items, nil
		}},
	}
}
