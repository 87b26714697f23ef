package git_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// upstream has every kind of ref. It returns what each name stands for.
func upstream(t testing.TB, repo *gitserver.Repo) map[string]string {
	t.Helper()
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Message: "0"}, gitserver.Commit{Branch: "17.0", Message: "1"}, gitserver.Commit{Branch: "17.0-fix", Message: "2"},
		gitserver.Commit{Branch: "17.0-fixes/x", Message: "3"}, gitserver.Commit{Branch: "both", Message: "4"}, gitserver.Commit{Branch: "pr", Message: "5"},
	)
	repo.SetRef(t, "refs/pull/1/head", ids[5])
	repo.SetRef(t, "refs/pull/12/head", ids[4])
	repo.Git(t, "update-ref", "-d", "refs/heads/pr")
	repo.Tag(t, "v1", ids[1])
	repo.AnnotatedTag(t, "v2", ids[2])
	repo.Git(t, "tag", "--annotate", "--message=again", "v3", "refs/tags/v2")
	repo.Tag(t, "both", ids[1])
	repo.Tag(t, "17.0", ids[1]) // the same commit as the branch
	return map[string]string{
		"HEAD": ids[0], "main": ids[0], "17.0": ids[1], "refs/heads/17.0": ids[1], "heads/17.0": ids[1], "17.0-fix": ids[2], "17.0-fixes/x": ids[3],
		"v1": ids[1], "v2": ids[2], "v3": ids[2], "refs/tags/v2": ids[2], "tags/v3": ids[2], "refs/pull/1/head": ids[5], "pull/1/head": ids[5], "pull/12/head": ids[4],
		"refs/heads/both": ids[4], "refs/tags/both": ids[1],
	}
}

// absent are names that are near to those of upstream.
var absent = []string{"17", "17.0-", "17.0-fixes", "17.0-f", "v", "V2", "pull/1", "pull/1/hea", "refs/pull/1", "head", "refs/heads", "heads/v2", "18.0", strings.Repeat("0a", 20)}

func wanted(want map[string]string) []string {
	refs := []string{}
	for ref := range want {
		refs = append(refs, ref)
	}
	refs = append(refs, absent...)
	slices.Sort(refs)
	return refs
}

func TestResolve(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "OCA/web")
	want := upstream(t, repo)
	client := git.New(options())
	for name, url := range map[string]string{"http": repo.URL, "path": repo.Dir, "file": "file://" + repo.Dir} {
		srv.Requests()
		got, err := client.Resolve(t.Context(), url, wanted(want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if name != "http" {
			continue
		}
		// One request, however many refs.
		requests := srv.Requests()
		if len(requests) != 1 || requests[0].Method != http.MethodPost || requests[0].Path != "/OCA/web.git/git-upload-pack" {
			t.Errorf("requests: %+v", requests)
		}
	}
}

func TestResolve_empty(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "empty")
	got, err := git.New(options()).Resolve(t.Context(), repo.URL, []string{"main", "HEAD"})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestResolve_ambiguous(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	upstream(t, repo)
	_, err := git.New(options()).Resolve(t.Context(), repo.URL, []string{"both"})
	want := `"both" is ambiguous: refs/tags/both and refs/heads/both differ; write the one you mean in full`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is received does not grow with the server's refs.
func TestResolve_bytes(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	client := git.New(options())
	received := func(name string, refs int) (sum int64) {
		t.Helper()
		repo := srv.Repo(t, name)
		id := repo.Commit(t, "17.0", nil)
		repo.SetRefs(t, names("refs/heads/18.0-branch-%04d", refs), id)
		repo.SetRefs(t, names("refs/pull/%04d/head", refs), id)
		srv.Requests()
		if got, err := client.Resolve(t.Context(), repo.URL, []string{"17.0", "16.0"}); err != nil || got["17.0"] != id || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		for _, r := range srv.Requests() {
			sum += r.Sent
		}
		return sum
	}
	few, many := received("few", 3), received("many", 3000)
	if many-few > 10 || many > 1000 {
		t.Errorf("%d bytes from a server with 3 refs, %d from one with 3000", few, many)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	upstream(t, repo)
	got, err := git.New(options()).Refs(t.Context(), repo.URL)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"17.0", "17.0", "17.0-fix", "17.0-fixes/x", "both", "both", "main", "v1", "v2", "v3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestResolve_version0(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	want := upstream(t, repo)
	srv.ForgetVersion2()
	got, err := git.New(options()).Resolve(t.Context(), repo.URL, wanted(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An ssh that runs the command here stands in for a server.
func TestResolve_ssh(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	for name, script := range map[string]string{ //nolint:paralleltest // as above
		"version 2": `for last; do :; done; printf '%s\n' "$@" >>"${0%/*}/called"; echo .. >>"${0%/*}/called"; exec sh -c "$last"`,
		// sshd hands on no variable that it does not know.
		"version 0": `for last; do :; done; printf '%s\n' "$@" >>"${0%/*}/called"; unset GIT_PROTOCOL; exec sh -c "$last"`,
	} {
		t.Run(name, func(t *testing.T) {
			srv := gitserver.New(t)
			repo := srv.Repo(t, "it's")
			want := upstream(t, repo)
			if err := os.Rename(repo.Dir, filepath.Join(srv.Dir, "a b.git")); err != nil {
				t.Fatal(err)
			}
			dir := program(t, script, "ssh")
			url := "ssh://ann@git.example:2222" + srv.Dir + "/a%20b.git"
			got, err := git.New(options()).Resolve(t.Context(), url, wanted(want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			called, err := os.ReadFile(filepath.Join(dir, "called"))
			if err != nil {
				t.Fatal(err)
			}
			arguments := []string{"-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o", "ControlPath=none", "-o", "SendEnv=GIT_PROTOCOL", "-p", "2222", "--", "ann@git.example", "git-upload-pack '" + srv.Dir + "/a b.git'"}
			if first, _, _ := strings.Cut(string(called), "\n..\n"); name == "version 2" && first != strings.Join(arguments, "\n") {
				t.Errorf("ssh was called with\n%s", called)
			}
		})
	}
}

func TestResolve_scp(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	program(t, `for last; do :; done; cd "`+srv.Dir+`"; exec sh -c "$last"`, "ssh")
	got, err := git.New(options()).Resolve(t.Context(), "git@git.example:r.git", []string{"main"})
	if err != nil || got["main"] != id {
		t.Errorf("got %v, %v", got, err)
	}
}
