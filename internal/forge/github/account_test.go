package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/test/githubtest"
)

// An App's owner can rename it. The bot learns its new name with time, or when
// GitHub says it of what it wrote; until GitHub answers it is the old one.
func TestApp_renamed(t *testing.T) {
	t.Parallel()
	clock := &movable{now: time.Now()}
	w := newWorld(t)
	name := w.repo()
	w.app.Install("owner", name)
	o := w.asApp()
	o.Now = clock.Now
	f := w.driver(t, o)
	account := func() string {
		t.Helper()
		repo, err := f.Repo(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return repo.Account
	}
	want := func(what, login string) {
		t.Helper()
		if got := account(); got != login {
			t.Errorf("%s: the account is %s, want %s", what, got, login)
		}
	}
	want("at first", "odyssey[bot]")
	w.app.Rename("second")
	want("at once", "odyssey[bot]")
	w.Intercept(func(r *http.Request) *githubtest.Answer {
		if strings.HasSuffix(r.URL.Path, "/app") {
			return &githubtest.Answer{Status: http.StatusBadGateway}
		}
		return nil
	})
	clock.pass(10 * time.Minute)
	want("while GitHub does not answer", "odyssey[bot]")
	w.Intercept(nil)
	want("later", "second[bot]")
	w.app.Rename("third")
	want("at once again", "second[bot]")
	if _, err := f.CreateIssue(t.Context(), forge.Repo{Name: name}, forge.NewIssue{Title: "I"}); err != nil {
		t.Fatal(err)
	}
	want("after a write", "third[bot]")
}
