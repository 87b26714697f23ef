package gitea_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
)

// The same edit twice is the same as once, so edits are retried.
func TestFault_F1_EditsAreRetried(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx := t.Context()
	said, err := s.Forge.AddComment(ctx, s.repo, s.issue, "x")
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Forge.CreateIssue(ctx, s.repo, forge.NewIssue{Title: "own"})
	if err != nil {
		t.Fatal(err)
	}
	for i, injected := range []fault{status500, status502, resetBefore, resetAfter} {
		want := fmt.Sprintf("text %d", i)
		for name, edit := range map[string]func() (string, error){
			"EditPullRequest": func() (string, error) {
				got, err := s.Forge.EditPullRequest(ctx, s.repo, s.pr.Number, forge.Edit{Title: want})
				return got.Title, err
			},
			"EditIssue": func() (string, error) {
				got, err := s.Forge.EditIssue(ctx, s.repo, own.Number, forge.Edit{Body: want})
				return got.Body, err
			},
			"EditComment": func() (string, error) {
				if err := s.Forge.EditComment(ctx, s.repo, said.ID, want); err != nil {
					return "", err
				}
				got, err := s.Forge.Comment(ctx, s.repo, said.ID)
				return got.Body, err
			},
			"Unreact": func() (string, error) {
				return want, s.Forge.Unreact(ctx, s.repo, s.said, forge.Seen)
			},
		} {
			faulty := true
			s.inject(func(r *http.Request) fault {
				if (r.Method == http.MethodPatch || r.Method == http.MethodDelete) && faulty {
					faulty = false
					return injected
				}
				return none
			})
			if got, err := edit(); err != nil || got != want {
				t.Errorf("%s, %s: %q, %v", name, injected, got, err)
			}
			s.took()
			if faulty {
				t.Errorf("%s, %s: the fault was not met", name, injected)
			}
		}
	}
}

// What was written although the answer was lost is found by looking, and what
// has no place for a second one is written again without harm.
func TestFault_F2_LostAnswersAreFound(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx := t.Context()
	lose := func(what string, write func() error) {
		t.Helper()
		s.inject(func(r *http.Request) fault {
			if r.Method == http.MethodPost {
				return resetAfter
			}
			return none
		})
		if err := write(); !errors.Is(err, forge.ErrTransient) {
			t.Errorf("%s: error %v, want a transient one", what, err)
		}
		s.took()
	}
	for _, number := range []int64{s.pr.Number, s.issue} {
		body := fmt.Sprintf("reply <!-- odyssey:%d -->", number)
		lose("AddComment", func() error { _, err := s.Forge.AddComment(ctx, s.repo, number, body); return err })
		comments, err := s.Forge.Comments(ctx, s.repo, number)
		if err != nil {
			t.Fatal(err)
		}
		last := comments[len(comments)-1]
		if last.Author != s.Login || last.Body != body {
			t.Errorf("the last comment is %+v", last)
		}
	}
	in := forge.NewIssue{Title: "holds", Body: "<!-- odyssey:holds -->"}
	lose("CreateIssue", func() error { _, err := s.Forge.CreateIssue(ctx, s.repo, in); return err })
	own, err := s.Forge.OwnIssues(ctx, s.repo)
	if err != nil || len(own) != 1 || own[0].Title != in.Title || own[0].Body != in.Body {
		t.Errorf("own issues %+v, %v", own, err)
	}
	lose("React", func() error { return s.Forge.React(ctx, s.repo, s.said, forge.Done) })
	if err := s.Forge.React(ctx, s.repo, s.said, forge.Done); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{s.Login + " rocket"}, s.Human.Reactions(t, s.said)); diff != "" {
		t.Errorf("reactions (-want +got):\n%s", diff)
	}
}

func TestCallsAreFew(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	want := map[string][2]int{ // of the API, and of git
		"Snapshot":     {0, 2},
		"Permission":   {3, 0}, // 1 for an administrator
		"Repositories": {2, 0}, // the owner, and a page
	}
	for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
		s.inject(nil)
		if err := read(); err != nil {
			t.Error(err)
		}
		var got [2]int
		for _, call := range s.took() {
			if strings.Contains(call, "/api/v1/") {
				got[0]++
			} else {
				got[1]++
			}
		}
		expected, ok := want[name]
		if !ok {
			expected = [2]int{1, 0}
		}
		if got != expected {
			t.Errorf("%s: %v calls of the API and of git, want %v", name, got, expected)
		}
	}
}

// What a sweep asks of a repository, two calls, cannot be asked on condition:
// Gitea gives nothing to make one with. When this fails, it can.
func TestFault_F7_GiteaHasNoConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.fixture(t)
	at.Human.Comment(t, at.Human.OpenIssue(t, "Talk", "x"), "said")
	for _, path := range []string{"", "/issues/comments?since=2020-01-01T00:00:00Z"} {
		for range 2 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.srv.URL+"/api/v1/repos/"+at.Repo.String()+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "token "+w.bot.Token)
			req.Header.Set("If-None-Match", "*")
			req.Header.Set("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") != "" || resp.Header.Get("Last-Modified") != "" {
				t.Errorf("%s: status %d, ETag %q, Last-Modified %q", path, resp.StatusCode, resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"))
			}
		}
	}
}

// An entry such as "closed this" has an id like a comment, and is none.
func TestEntriesAreNoComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.fixture(t)
	number := at.Human.OpenIssue(t, "Closed", "x")
	at.Human.EditIssue(t, number, forge.Edit{State: forge.Closed})
	var entries []struct {
		ID   int64
		Type string
	}
	w.as(t, w.owner, http.MethodGet, at.Repo, fmt.Sprintf("/issues/%d/timeline", number), nil, &entries)
	if len(entries) != 1 || entries[0].Type != "close" {
		t.Fatalf("%+v", entries)
	}
	if c, err := at.Forge.Comment(t.Context(), forge.Repo{Name: at.Repo}, entries[0].ID); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("%+v, error %v", c, err)
	}
}
