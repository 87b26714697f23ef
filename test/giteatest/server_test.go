package giteatest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
)

func TestMain(m *testing.M) { os.Exit(giteatest.Main(m)) }

func TestServerServesUsersRepositoriesAndPushes(t *testing.T) {
	t.Parallel()
	srv := giteatest.New(t)
	user, err := srv.NewUser(t.Context(), "maria")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.NewRepo(t.Context(), user, "first", giteatest.RepoOptions{}); err != nil {
		t.Fatal(err)
	}
	heads, err := srv.Push(t.Context(), user, "maria/first",
		giteatest.Commit{
			Branch: "topic", Message: "one", Author: "Ada <ada@example.org>",
			Files: map[string]giteatest.File{"dir/run.sh": {Content: "#!/bin/sh\n", Mode: "100755"}},
		},
		giteatest.Commit{
			Branch: "topic", Message: "two",
			Files: map[string]giteatest.File{"README.md": {Content: "two\n"}},
		})
	if err != nil {
		t.Fatal(err)
	}
	var branch struct {
		Commit struct{ ID, Message string }
	}
	if err := srv.API(t.Context(), user, http.MethodGet, "/repos/maria/first/branches/topic", nil, &branch); err != nil {
		t.Fatal(err)
	}
	if branch.Commit.ID != heads[1] || branch.Commit.Message != "two" {
		t.Errorf("topic is at %+v, want %s", branch.Commit, heads[1])
	}
	if err := srv.DeleteBranch(t.Context(), user, "maria/first", "topic"); err != nil {
		t.Error(err)
	}
}

func TestServerTakesUpAUsedDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var urls []string
	for range 2 {
		srv, err := giteatest.Start(t.Context(), giteatest.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.API(t.Context(), srv.Admin, http.MethodGet, "/user", nil, nil); err != nil {
			t.Error(err)
		}
		urls = append(urls, srv.URL)
		srv.Stop()
	}
	if resp, err := http.Get(urls[1] + "/api/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Error("the server answers after Stop")
	}
}
