package gitea_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/secret"
)

// said is a comment as a server that holds many tells of it, in seconds.
type said struct{ id, created, updated int64 }

// talkative serves comments as Gitea does: by when they were written, those
// changed since a time, in pages, with their number.
func talkative(t *testing.T, all []said) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var since time.Time
		if text := r.FormValue("since"); text != "" {
			var err error
			if since, err = time.Parse(time.RFC3339, text); err != nil {
				t.Error(err)
			}
		}
		var page, limit int
		if _, err := fmt.Sscan(r.FormValue("page")+" "+r.FormValue("limit"), &page, &limit); err != nil {
			t.Error(err)
		}
		found := []map[string]any{}
		for _, c := range all {
			if updated := time.Unix(c.updated, 0).UTC(); !updated.Before(since) {
				found = append(found, map[string]any{
					"id": c.id, "issue_url": "https://forge.example.org/o/n/issues/1",
					"created_at": time.Unix(c.created, 0).UTC(), "updated_at": updated,
				})
			}
		}
		w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
		_ = json.NewEncoder(w).Encode(found[min((page-1)*limit, len(found)):min(page*limit, len(found))])
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// A caller who goes on from the last comment sees all there are, also those
// that were edited meanwhile.
func TestManyCommentsLoseNone(t *testing.T) {
	t.Parallel()
	const start = 1_700_000_000
	for name, c := range map[string]struct {
		comment func(i int64) said
		n       int64
		pages   int
	}{
		"none":                 {nil, 0, 1},
		"one page":             {func(i int64) said { return said{i, start + i, start + i} }, 500, 1},
		"several":              {func(i int64) said { return said{i, start + i, start + i} }, 1700, 4},
		"edited":               {func(i int64) said { return said{i, start + i, start + i + i%7*300} }, 1700, 3},
		"all edited at once":   {func(i int64) said { return said{i, start + i, start + 5000} }, 1700, 1},
		"written at once":      {func(i int64) said { return said{i, start, start} }, 1700, 1},
		"edited, newest first": {func(i int64) said { return said{i, start + i, start + 9000 - i} }, 1700, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []said
			for i := range c.n {
				all = append(all, c.comment(i+1))
			}
			f := driver(t, talkative(t, all), secret.New("t"))
			seen, pages := forgetest.CommentsSince(t, f, forge.Repo{Name: forge.Name{Owner: "o", Name: "n"}}, time.Unix(start, 0))
			if len(seen) != int(c.n) || pages < c.pages {
				t.Errorf("%d comments of %d in %d pages", len(seen), c.n, pages)
			}
		})
	}
}
