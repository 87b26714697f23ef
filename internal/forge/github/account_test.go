package github_test

import (
	"net/http"
	"slices"
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

// The quota of each installation is told by its owner, and of none that is gone.
func TestApp_quotas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name, other := w.repo(), forge.Name{Owner: "Acme", Name: "image"}
	w.AddRepo(other)
	w.app.Install("owner", name)
	id := w.app.Install("Acme", other)
	f := w.driver(t, w.asApp())
	quotas := func() (accounts []string) {
		for _, q := range f.Quotas() {
			if q.Resource != "core" || q.Limit != 5000 || q.Left != 4999 {
				t.Errorf("%+v", q)
			}
			accounts = append(accounts, q.Account)
		}
		slices.Sort(accounts)
		return accounts
	}
	for _, name := range []forge.Name{name, other} {
		if _, err := f.Repo(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if got := quotas(); !slices.Equal(got, []string{"acme", "app", "owner"}) {
		t.Errorf("the quotas of %q are told", got)
	}
	w.app.Uninstall(id)
	if _, err := f.Repo(t.Context(), other); err == nil {
		t.Error("read although the App is not installed there")
	}
	if got := quotas(); !slices.Equal(got, []string{"app", "owner"}) {
		t.Errorf("the quotas of %q are told, one of which is gone", got)
	}
}
