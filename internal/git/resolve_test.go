package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		// One conversation, however many refs.
		requests := srv.Requests()
		if len(requests) != 2 || requests[0].Method != http.MethodGet || requests[0].Path != "/OCA/web.git/info/refs" || requests[1].Method != http.MethodPost || requests[1].Path != "/OCA/web.git/git-upload-pack" {
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
func TestResolve_ssh(t *testing.T) {
	for name, script := range map[string]string{
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
			arguments := []string{"-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "SendEnv=GIT_PROTOCOL", "-p", "2222", "--", "ann@git.example", "git-upload-pack '" + srv.Dir + "/a b.git'"}
			if first, _, _ := strings.Cut(string(called), "\n..\n"); name == "version 2" && first != strings.Join(arguments, "\n") {
				t.Errorf("ssh was called with\n%s", called)
			}
		})
	}
}

func TestResolve_scp(t *testing.T) {
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	program(t, `for last; do :; done; cd "`+srv.Dir+`"; exec sh -c "$last"`, "ssh")
	got, err := git.New(options()).Resolve(t.Context(), "git@git.example:r.git", []string{"main"})
	if err != nil || got["main"] != id {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestResolve_retry(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault gitserver.Fault
	}{
		{"500", gitserver.Status(http.StatusInternalServerError)},
		{"502", gitserver.Status(http.StatusBadGateway)},
		{"429", gitserver.Status(http.StatusTooManyRequests)},
		{"reset", gitserver.Reset},
		{"hang", gitserver.Hang},
		{"cut short", gitserver.CutShort(100)},
		{"cut to nothing", gitserver.CutShort(0)},
		{"a stalled greeting", gitserver.Stall("001e# service=git-upload-pack\n0000000eversion 2\n", advertisement)},
		{"a garbled greeting", gitserver.Answer("001e# service=git-upload-pack\n0000000eversion 2\n00", advertisement)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			id := repo.Commit(t, "main", nil)
			file, setting := credentials(t)
			o := options()
			o.Timeout, o.CredentialsFile = 2*time.Second, file
			srv.Fail(1, test.fault)
			got, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if err != nil || got["main"] != id {
				t.Errorf("got %v, %v", got, err)
			}
			gone(t, setting)

			o.Attempts = 2
			srv.Fail(-1, test.fault)
			_, err = git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if !errors.Is(err, git.ErrTransient) {
				t.Errorf("%v is not transient", err)
			}
			gone(t, setting)
		})
	}
}

// A fault in the second half of the conversation.
func TestResolve_retryPost(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitserver.Fault{
		"500": gitserver.Status(http.StatusInternalServerError), "reset": gitserver.Reset, "cut short": gitserver.CutShort(20), "hang": gitserver.Hang,
		"stall": gitserver.Stall("003d0000000000000000000000000000000000000000 refs/heads/other\n", result),
		"empty": gitserver.Answer("", result),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			id := repo.Commit(t, "main", nil)
			file, setting := credentials(t)
			o := options()
			o.Timeout, o.CredentialsFile = 2*time.Second, file
			posts := 0
			srv.Watch(func(r *http.Request) {
				if r.Method == http.MethodPost {
					if posts++; posts == 1 {
						srv.Fail(1, fault)
					}
				}
			})
			got, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if err != nil || got["main"] != id {
				t.Errorf("got %v, %v", got, err)
			}
			if posts != 2 {
				t.Errorf("%d posts", posts)
			}
			gone(t, setting)
		})
	}
}

// pkt is a line of git's protocol.
func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

const (
	advertisement = "application/x-git-upload-pack-advertisement"
	result        = "application/x-git-upload-pack-result"
	greeting      = "001e# service=git-upload-pack\n0000000eversion 2\n0000"
)

// saying is a server of version 2 that answers every command with lines, and
// then goes on for ever.
func saying(lines ...string) gitserver.Fault {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(pkt(line))
	}
	return func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gitserver.Answer(greeting, advertisement)(s, w, r)
		} else {
			gitserver.Stall(b.String(), result)(s, w, r)
		}
	}
}

// What no second attempt mends is not tried twice, and says what to do.
func TestResolve_refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		fault    gitserver.Fault
		class    error
		want     string
		requests int
	}{
		{"401", gitserver.Status(http.StatusUnauthorized), git.ErrRefused, "terminal prompts disabled\n  the repository is private, or its name is wrong; name a credential-store file", 1},
		{"403", gitserver.Status(http.StatusForbidden), git.ErrRefused, "The requested URL returned error: 403\n  the repository is private, or its name is wrong; name a credential-store file", 1},
		{"404", gitserver.Status(http.StatusNotFound), git.ErrNoRepository, "not found\n  check the URL; if the repository is private, name a credential-store file", 1},
		{"said by the server", saying("ERR \x1b[31mRepository not found.\n"), git.ErrNoRepository, "[31mRepository not found.\n  check the URL", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			repo.Commit(t, "main", nil)
			srv.Fail(-1, test.fault)
			_, err := git.New(options()).Resolve(t.Context(), repo.URL, []string{"main"})
			if !errors.Is(err, test.class) || errors.Is(err, git.ErrTransient) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if requests := srv.Requests(); len(requests) != test.requests {
				t.Errorf("requests: %+v", requests)
			}
		})
	}
}

// A server that answers nonsense.
func TestResolve_hostile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, line, want string }{
		{"no ref in a line", "hello\n", `the server lists "hello\n", which is no ref`},
		{"nothing in a line", "\n", `the server lists "\n", which is no ref`},
		{"a short id", "abcdef refs/heads/main\n", "which is no ref"},
		{"a long line", strings.Repeat("x", 60_000), `xxx", which is no ref`},
		{"an error", "ERR \x1b[2Jupload-pack: no", "[2Jupload-pack: no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			file, setting := credentials(t)
			srv.Fail(-1, saying(test.line))
			o := options()
			o.CredentialsFile = file
			start := time.Now()
			_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %q, want %s", err, test.want)
			}
			// The server goes on for ever; who has heard enough does not wait.
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			gone(t, setting)
		})
	}
}

// A server without an end.
func TestFault_Y1_EndlessRefs(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	many := pkt(strings.Repeat("0a", 20) + " refs/heads/main" + strings.Repeat("x", 60_000) + "\n")
	srv.Fail(-1, func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gitserver.Answer(greeting, advertisement)(s, w, r)
			return
		}
		w.Header().Set("Content-Type", result)
		for {
			if _, err := io.WriteString(w, many); err != nil {
				return
			}
		}
	})
	o := options()
	o.CredentialsFile = file
	_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
	if err == nil || err.Error() != "the answer is longer than 64 MiB" {
		t.Errorf("got %v", err)
	}
	gone(t, setting)
}

func TestFault_Y1_EndlessOutput(t *testing.T) {
	program(t, `exec yes "0123456789012345678901234567890123456789 refs/heads/main"`, "git")
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile = file
	_, err := git.New(o).Resolve(t.Context(), "git://git.example/r", []string{"main"})
	if err == nil || err.Error() != "the answer is longer than 64 MiB" {
		t.Errorf("got %v", err)
	}
	gone(t, setting)
}

func TestResolve_timeout(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	srv.Fail(-1, gitserver.Hang)
	seen := make(chan int, 1)
	srv.Watch(func(*http.Request) {
		select {
		case seen <- len(processes(t, setting)):
		default:
		}
	})
	o := options()
	o.Timeout, o.Attempts, o.CredentialsFile = 500*time.Millisecond, 1, file
	start := time.Now()
	_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
	if !errors.Is(err, git.ErrTransient) || err.Error() != "no answer in time" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := <-seen; n < 2 {
		t.Errorf("%d processes ran: git and its helper are not known by %s", n, setting)
	}
	gone(t, setting)
}

func TestResolve_cancelled(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile, o.Backoff = file, time.Hour
	for name, fault := range map[string]gitserver.Fault{"while asked": gitserver.Hang, "while waiting": gitserver.Status(http.StatusBadGateway)} {
		ctx, cancel := context.WithCancel(t.Context())
		srv.Fail(-1, fault)
		srv.Watch(func(*http.Request) { time.AfterFunc(200*time.Millisecond, cancel) })
		start := time.Now()
		_, err := git.New(o).Resolve(ctx, repo.URL, []string{"main"})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		gone(t, setting)
	}
}
