package gitea_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func (h human) Comment(t testing.TB, number int64, body string) int64 {
	t.Helper()
	var made struct{ ID int64 }
	h.api(t, http.MethodPost, fmt.Sprintf("/issues/%d/comments", number), map[string]any{"body": body}, &made)
	return made.ID
}

// EditComment waits for the next second, for Gitea keeps whole ones.
func (h human) EditComment(t testing.TB, id int64, body string) {
	t.Helper()
	path := fmt.Sprintf("/issues/comments/%d", id)
	var c struct {
		Created time.Time `json:"created_at"`
	}
	h.api(t, http.MethodGet, path, nil, &c)
	time.Sleep(time.Until(c.Created.Add(1010 * time.Millisecond)))
	h.api(t, http.MethodPatch, path, map[string]any{"body": body}, nil)
}

func (h human) DeleteComment(t testing.TB, id int64) {
	t.Helper()
	h.api(t, http.MethodDelete, fmt.Sprintf("/issues/comments/%d", id), nil, nil)
}

func (h human) React(t testing.TB, id int64, r forge.Reaction) {
	t.Helper()
	h.api(t, http.MethodPost, fmt.Sprintf("/issues/comments/%d/reactions", id), map[string]any{"content": r}, nil)
}

func (h human) Reactions(t testing.TB, id int64) (all []string) {
	t.Helper()
	var got []struct {
		Content string
		User    struct{ Login string }
	}
	h.api(t, http.MethodGet, fmt.Sprintf("/issues/comments/%d/reactions", id), nil, &got)
	for _, r := range got {
		all = append(all, r.User.Login+" "+r.Content)
	}
	slices.Sort(all)
	return all
}

func (h human) OpenIssue(t testing.TB, title, body string) int64 {
	t.Helper()
	var made struct{ Number int64 }
	h.api(t, http.MethodPost, "/issues", map[string]any{"title": title, "body": body}, &made)
	return made.Number
}

func (h human) EditIssue(t testing.TB, number int64, edit forge.Edit) {
	t.Helper()
	in := map[string]any{}
	for field, value := range map[string]string{"title": edit.Title, "body": edit.Body, "state": string(edit.State)} {
		if value != "" {
			in[field] = value
		}
	}
	h.api(t, http.MethodPatch, fmt.Sprintf("/issues/%d", number), in, nil)
}

func (h human) Issues(t testing.TB) (all []forge.Issue) {
	t.Helper()
	var got []struct {
		Number      int64
		HTMLURL     string `json:"html_url"`
		Title, Body string
		State       forge.State
		User        struct{ Login string }
	}
	h.api(t, http.MethodGet, "/issues?state=all&type=issues", nil, &got)
	for _, i := range slices.Backward(got) {
		all = append(all, forge.Issue{
			Number: i.Number, Author: i.User.Login, URL: i.HTMLURL, Title: i.Title, Body: i.Body, State: i.State,
		})
	}
	return all
}

func (h human) SetPermission(t testing.TB, login string, p forge.Permission) {
	t.Helper()
	method, in := http.MethodPut, map[string]any{"permission": map[forge.Permission]string{
		forge.MayRead: "read", forge.MayWrite: "write", forge.MayAdminister: "admin",
	}[p]}
	if p == forge.MayNothing {
		method, in = http.MethodDelete, nil
	}
	h.api(t, method, "/collaborators/"+login, in, nil)
}

func (h human) SetTopics(t testing.TB, topics ...string) {
	t.Helper()
	h.api(t, http.MethodPut, "/topics", map[string]any{"topics": topics}, nil)
}

func (h human) Rename(t testing.TB, name string) forge.Name {
	t.Helper()
	h.api(t, http.MethodPatch, "", map[string]any{"name": name}, nil)
	return forge.Name{Owner: h.name.Owner, Name: name}
}

func (h human) Stranger() string { return h.stranger.Login }
